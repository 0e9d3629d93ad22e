"""Clothes as geometry: the body pushed outward under cloth, and tubes for skirts, coats and long hair.

Everything is made at rest and skinned with the body, so it follows every pose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.rendered.body import ATTRIBUTES, BONE_INDEX, BONES, vertex_normals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.rendered.appearance import RGB, Look
    from benchmarks.rendered.body import BodySet

COLUMN = {name: index for index, name in enumerate(ATTRIBUTES)}
AROUND, DOWN = 26, 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A surface at rest with its skin weights; `color` None means: the body, to be painted."""

    vertices: NDArray[np.float32]  # V, 3
    faces: NDArray[np.int32]  # F, 3
    weights: NDArray[np.float32]  # V, K
    bones: NDArray[np.int32]  # V, K
    color: RGB | None


def dress(bodies: BodySet, body: int, look: Look) -> list[Piece]:
    """The dressed body and its separate pieces, at rest."""
    rest, heads = bodies.rest[body], bodies.heads[body]
    clothed = rest + bodies.normals[body] * _stand_off(bodies, look)[:, None]
    pieces = [
        Piece(
            vertices=clothed.astype(np.float32),
            faces=bodies.faces,
            weights=bodies.weights,
            bones=bodies.weight_bones,
            color=None,
        )
    ]
    pieces += _tubes(bodies, rest, heads, look)
    if look.hair in ("long", "tied back"):
        pieces.append(_long_hair(rest, heads, look))
    if look.hat:
        pieces.append(_brim(heads, look))
    if look.bag_kind == "backpack":
        pieces.append(_backpack(rest, heads, look))
    return pieces


def _tubes(bodies: BodySet, rest: NDArray[np.float32], heads: NDArray[np.float32], look: Look) -> list[Piece]:
    """Skirt and coat tails."""
    tubes = []
    if look.lower_kind == "skirt":
        length, margin = 0.32 + 0.03 * (look.seed % 9), 0.02 + 0.008 * (look.seed % 5)
        color = look.rgb["lower"]
        tubes.append(_tube(bodies, rest, heads, color=color, over_hip=0.16, below_hip=length, margin=margin))
    if look.upper_kind == "coat":
        length, margin = 0.26 + 0.025 * (look.seed % 8), look.loose_m[0] + 0.016
        color = look.rgb["upper"]
        tubes.append(_tube(bodies, rest, heads, color=color, over_hip=0.2, below_hip=length, margin=margin))
    return tubes


def _stand_off(bodies: BodySet, look: Look) -> NDArray[np.float32]:
    """Meters outward per vertex."""
    a = bodies.attributes
    arm, head, foot, leg = (a[:, COLUMN[n]] for n in ("arm", "head", "foot", "leg"))
    height, sleeve, inseam = (a[:, COLUMN[n]] for n in ("height", "sleeve", "inseam"))
    trunk = np.clip((height - look.waist_m + 0.02) / 0.04, 0, 1) * (1 - head)
    upper = np.where(arm > 0.5, sleeve < look.sleeve, trunk * (height < 0.6))
    lower = (1 - trunk) * (arm < 0.5) * (inseam < look.inseam) * (1 - foot) * (1 - head)
    folds = 0.6 + 0.6 * (0.5 + 0.5 * np.sin(height * 60 + a[:, COLUMN["x"]] * 45 + look.seed))
    widen = np.where(leg > 0.5, 0.6 + 0.8 * np.clip(inseam, 0, 1), 1.0)
    skull = (head > 0.5) & (a[:, COLUMN["face_y"]] * 1.05 + a[:, COLUMN["face_z"]] > look.hairline)
    hair = 0.0 if look.hair == "bald" else (0.02 if look.hair == "long" else 0.012)
    hat = (head > 0.5) & (a[:, COLUMN["face_z"]] > 0.085) if look.hat else np.zeros(len(a), bool)
    off = upper * look.loose_m[0] * folds + lower * look.loose_m[1] * folds * widen + foot * 0.008
    return np.asarray(off + np.maximum(skull * hair, hat * 0.024), np.float32)


def _tube(
    bodies: BodySet,
    rest: NDArray[np.float32],
    heads: NDArray[np.float32],
    *,
    color: RGB,
    over_hip: float,
    below_hip: float,
    margin: float,
) -> Piece:
    """A ring-by-ring tube around hips and legs; length as a share of the leg, swinging with both thighs."""
    hip = heads[BONE_INDEX["upperleg01.L"]][2]
    leg = hip - heads[BONE_INDEX["foot.L"]][2]
    torso = rest[bodies.attributes[:, COLUMN["arm"]] < 0.3]
    share = np.linspace(0, 1, DOWN)
    levels = hip + over_hip * leg / 0.8 - share * (over_hip * leg / 0.8 + below_hip * leg / 0.8)
    angle = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    rings, size = [], np.zeros(3)
    for level, s in zip(levels, share, strict=True):
        near = torso[np.abs(torso[:, 2] - level) < 0.03 * leg]
        half, front, back = np.abs(near[:, 0]).max(), near[:, 1].min(), near[:, 1].max()
        size = np.maximum(size * 0.97, [half, (back - front) / 2, 0])
        flare = margin * (1 + 1.6 * s) + 0.006 * np.sin(5 * angle)
        x, y = np.cos(angle) * (size[0] + flare), (front + back) / 2 + np.sin(angle) * (size[1] + flare)
        rings.append(np.stack([x, y, np.full(AROUND, level)], 1))
    vertices = np.concatenate(rings).astype(np.float32)
    weights, bones = _swinging(vertices, hip, leg)
    return Piece(vertices=vertices, faces=_grid(DOWN, AROUND, closed=True), weights=weights, bones=bones, color=color)


def _swinging(
    vertices: NDArray[np.float32], hip: np.float32, leg: np.float32
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    depth = np.clip((hip + 0.06 * leg - vertices[:, 2]) / (0.28 * leg), 0, 1)
    left = 0.5 + 0.5 * np.tanh(vertices[:, 0] / 0.09)
    weights = np.stack([1 - depth, depth * left, depth * (1 - left)], 1)
    bones = [BONE_INDEX["root"], BONE_INDEX["upperleg01.L"], BONE_INDEX["upperleg01.R"]]
    return weights.astype(np.float32), np.tile(np.array(bones, np.int32), (len(vertices), 1))


def _grid(rows: int, columns: int, *, closed: bool) -> NDArray[np.int32]:
    """Two triangles a cell of a row-major grid of points."""
    r, c = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    a, b = r * columns + c, r * columns + (c + 1) % columns
    quads = np.stack([a, b, a + columns, b, b + columns, a + columns], -1)
    return quads.reshape(-1, 3).astype(np.int32)


def _on_bones(vertices: NDArray[np.float32], **share: NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
    bones = [next(b for b in BONES if b == name) for name in share]
    index = np.array([BONE_INDEX[b] for b in bones], np.int32)
    return {
        "weights": np.stack(list(share.values()), 1).astype(np.float32),
        "bones": np.tile(index, (len(vertices), 1)),
    }


def _long_hair(rest: NDArray[np.float32], heads: NDArray[np.float32], look: Look) -> Piece:
    """A sheet behind the head down to the shoulder blades, or a narrow tail."""
    head, spine = heads[BONE_INDEX["head"]], heads[BONE_INDEX["spine01"]]
    scale = (heads[BONE_INDEX["head"]][2] - spine[2]) / 0.265
    narrow = look.hair == "tied back"
    spread = np.radians(40 if narrow else 118)
    levels = np.linspace(0.14, -0.10 - 0.02 * (look.seed % 8), 9) * min(1.0, scale)
    angle = np.linspace(-spread, spread, 15)
    rows = []
    for k, level in enumerate(levels):
        width = (0.045 if narrow else 0.088) * (1.0 if k else 0.7)
        behind = _back_of(rest, head[2] + level) + (0.03 if narrow else 0.016)
        y = head[1] - 0.01 + (behind - head[1] + 0.01) * np.cos(angle * 0.8)
        rows.append(np.stack([width * np.sin(angle), y, np.full(15, head[2] + level)], 1))
    vertices = np.concatenate(rows).astype(np.float32)
    low = np.clip((head[2] - 0.02 - vertices[:, 2]) / 0.14, 0, 1)
    kept = _on_bones(vertices, head=1 - low, spine01=low)
    return Piece(vertices=vertices, faces=_grid(9, 15, closed=False), color=look.rgb["hair"], **kept)  # type: ignore[arg-type]


def _back_of(rest: NDArray[np.float32], level: float) -> float:
    near = rest[(np.abs(rest[:, 2] - level) < 0.02) & (np.abs(rest[:, 0]) < 0.1)]
    return float(near[:, 1].max()) if len(near) else 0.1


def _brim(heads: NDArray[np.float32], look: Look) -> Piece:
    """The peak of a cap, or the rim of a hat."""
    head = heads[BONE_INDEX["head"]]
    front, back = -0.135, 0.075
    span = np.radians(70 if look.seed > 3 else 180)
    angle = np.linspace(-span, span, 17)
    middle, depth = (front + back) / 2, (back - front) / 2
    rows = []
    for out, drop in ((0.0, 0.0), (0.055, 0.018)):
        x = (0.085 + out * 0.6) * np.sin(angle)
        y = head[1] + middle - (depth + out) * np.cos(angle)
        rows.append(np.stack([x, y, np.full(17, head[2] + 0.085 - drop)], 1))
    vertices = np.concatenate(rows).astype(np.float32)
    kept = _on_bones(vertices, head=np.ones(len(vertices), np.float32))
    return Piece(vertices=vertices, faces=_grid(2, 17, closed=False), color=look.rgb["hat"], **kept)  # type: ignore[arg-type]


def _backpack(rest: NDArray[np.float32], heads: NDArray[np.float32], look: Look) -> Piece:
    low, high = heads[BONE_INDEX["spine04"]], heads[BONE_INDEX["neck01"]]
    back = _back_of(rest, float(high[2]) - 0.12)
    levels = np.linspace(low[2] + 0.04, high[2] - 0.03, 7)
    angle = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    rows = []
    for k, level in enumerate(levels):
        full = 0.35 if k in (0, 6) else 1.0
        x = 0.145 * full * np.clip(1.25 * np.cos(angle), -1, 1)
        y = back + 0.055 + 0.1 * full * np.clip(1.25 * np.sin(angle), -1, 1)
        rows.append(np.stack([x, y, np.full(AROUND, level)], 1))
    vertices = np.concatenate(rows).astype(np.float32)
    kept = _on_bones(vertices, spine03=np.ones(len(vertices), np.float32))
    return Piece(vertices=vertices, faces=_grid(7, AROUND, closed=True), color=look.rgb["bag"], **kept)  # type: ignore[arg-type]


def outward_normals(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> NDArray[np.float32]:
    """Normals of a posed piece."""
    return vertex_normals(vertices, faces)  # type: ignore[no-any-return]
