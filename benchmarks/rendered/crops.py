"""The crops benchmark: one square crop of a person a row, in resumable shards with their ground truth."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from benchmarks.rendered import stage
from benchmarks.rendered.appearance import COLORS, draw_colors, draw_look, draw_person
from benchmarks.rendered.backdrop import draw_background, draw_place
from benchmarks.rendered.behavior import ANOMALIES, BEHAVIORS, NORMAL
from benchmarks.rendered.figure import make_person
from benchmarks.rendered.picture import degraded, exposed
from benchmarks.rendered.raster import box_of, merge, project, rasterize
from benchmarks.rendered.scene import aimed_camera, draw_light, render, zoomed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.rendered.appearance import Look
    from benchmarks.rendered.backdrop import Camera
    from benchmarks.rendered.body import BodySet
    from benchmarks.rendered.figure import Figure

SIZE_PX = 160
DRAWN_PX = 256
MIN_DRAWN_PX = 90  # of the person
SPLIT_SEED = {"train": 10_000_000, "validation": 20_000_000, "test": 30_000_000}
STREET_SHARE = 0.25  # of training crops, before a real empty street where one is given
COMMON = {"standing": 2.2, "walking": 2.6, "lying": 1.5, "falling": 1.4, "sitting": 1.2, "fighting": 1.4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Everything of a row that is chosen before rendering; a twin changes only `behavior`."""

    seed: int
    split: str
    behavior: str
    look: Look
    body: int


@lru_cache(maxsize=1)
def held_out() -> tuple[frozenset[tuple[str, str]], frozenset[tuple[str, str]]]:
    """(upper, lower) and (upper, behavior) pairs that training never shows."""
    u = Random(123)
    pairs = [(a, b) for a in COLORS for b in COLORS]
    acts = [(a, b) for a in COLORS for b in BEHAVIORS]
    return frozenset(u.sample(pairs, 12)), frozenset(u.sample(acts, 20))


def is_held_out(upper: str, lower: str, behavior: str) -> bool:
    """Whether training must not show this combination."""
    pairs, acts = held_out()
    return (upper, lower) in pairs or (upper, behavior) in acts


def draw(bodies: BodySet, split: str, seed: int, behavior: str | None = None) -> Draw:
    """Choose person, look and behavior; training draws again until nothing is held out."""
    u = Random(seed)
    behavior = behavior or u.choices(BEHAVIORS, [COMMON.get(b, 1.0) for b in BEHAVIORS])[0]
    upper, lower = draw_colors(u)
    while split == "train" and is_held_out(upper, lower, behavior):
        upper, lower = draw_colors(u)
    person = draw_person(u)
    return Draw(
        seed=seed,
        split=split,
        behavior=behavior,
        look=draw_look(u, person, upper, lower),
        body=u.choice(bodies.choices(split, person)),
    )


def render_crop(
    bodies: BodySet, d: Draw, street: NDArray[np.float32] | None = None
) -> tuple[NDArray[np.uint8], dict[str, Any]] | None:
    """The crop and its row; None where too little of the person would be seen.

    `street` is the empty picture of a real camera, H, W, 3; a share of the crops shows a piece of it behind the person.
    """
    u = Random(d.seed * 3 + 1)
    night, place, light = u.random() < 0.12, draw_place(u), draw_light(u)
    subject = make_person(bodies, d.body, d.look, 0)
    cast = stage.perform(bodies, d.split, d.behavior, subject, Random(d.seed * 3 + 2))
    camera = _view(cast.figures[0], u)
    passers = stage.passers_by(bodies, d.split, u) if u.random() < 0.3 else ()
    things = (*cast.things, *stage.furniture(u, cast.figures[0]))
    if cast.fence_y is not None or u.random() < 0.1:
        place = replace(place, wall_y_m=max(place.wall_y_m, 2.5))
    background = draw_background(place, camera, d.split)
    real = street is not None and u.random() < STREET_SHARE
    if street is not None and real:
        background, place = _street_piece(u, street), replace(place, name="street")
    shown = render(background, camera, light, (*cast.figures, *passers), things)
    mine = shown.owner == 0
    box = box_of(mine)
    if box is None or max(box[2] - box[0], box[3] - box[1]) < MIN_DRAWN_PX:
        return None
    if mine.sum() < 0.3 * _alone(cast.figures[0], camera):
        return None
    scale = DRAWN_PX / max(box[3] - box[1], (box[2] - box[0]) * 0.6)
    image = exposed(shown.image, u, night=night)
    picture = degraded(image, u, _original_side(u, scale), SIZE_PX, night=night)
    row = {
        "behavior": d.behavior,
        "variant": cast.variant,
        **d.look.words(),
        "other": cast.other,
        "place": place.name,
        "night": night,
        "real_background": real,
        "joints_xy": _joints(cast.figures[0], camera),
        "box": _share(box),
        "others": _others((*cast.figures[1:], *passers), shown.owner, camera),
        "seed": d.seed,
        "held_out": is_held_out(d.look.upper, d.look.lower, d.behavior),
        "twin": None,
    }
    return picture, row


def _joints(figure: Figure, camera: Camera) -> list[list[float]]:
    return np.round(project(figure.joints, camera.matrix, 1, 1)[:, :2], 4).tolist()


def _share(box: tuple[float, ...]) -> list[float]:
    return [round(v / DRAWN_PX, 4) for v in box]


def _others(figures: tuple[Figure, ...], owner: NDArray[np.int32], camera: Camera) -> list[dict[str, Any]]:
    """Joints and visible box of everybody else of whom something is seen."""
    boxes = [(figure, box_of(owner == figure.person.number)) for figure in figures]
    return [{"joints_xy": _joints(figure, camera), "box": _share(box)} for figure, box in boxes if box is not None]


def _original_side(u: Random, scale: float) -> int:
    """The crop's side in the camera's own pixels, for persons 48 to 220 px high, small ones more often."""
    return int(48 * (220 / 48) ** u.random() * scale)


def _street_piece(u: Random, street: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = street.shape[:2]
    side = int(u.uniform(64, 260))
    x, y = u.randint(0, width - side), u.randint(0, height - side)
    piece = street[y : y + side, x : x + side]
    if u.random() < 0.5:
        piece = np.ascontiguousarray(piece[:, ::-1])
    return np.clip(cv2.resize(piece, (DRAWN_PX, DRAWN_PX), interpolation=cv2.INTER_CUBIC), 0, 255)


def _alone(figure: Figure, camera: Camera) -> int:
    """Pixels of the person if nothing stood in front."""
    whole = merge((*figure.meshes, *figure.props))
    points = project(whole.vertices, camera.matrix, camera.width, camera.height)
    return int((rasterize(points, whole.faces, camera.width, camera.height).face >= 0).sum())


def _view(figure: Figure, u: Random) -> Camera:
    """A street camera's view zoomed to the person's box with a margin of 8 to 25 % on each side."""
    points = np.concatenate([m.vertices for m in figure.meshes])
    center = ((points.min(0) + points.max(0)) / 2).astype(np.float64)
    pitch = u.uniform(6, 38) if u.random() < 0.85 else u.uniform(38, 55)
    wide = aimed_camera(center, u.uniform(5, 18), pitch, 40, width=DRAWN_PX, height=DRAWN_PX)
    at = project(points, wide.matrix, 1, 1)
    low, high = at[:, :2].min(0), at[:, :2].max(0)
    middle = (low + high) / 2 + (np.array([u.uniform(-0.08, 0.08), u.uniform(-0.08, 0.08)]) * (high - low))
    half = float((high - low).max()) * (1 + 2 * u.uniform(0.08, 0.25))
    return zoomed(wide, (float(middle[0] * 2 - 1), float(1 - middle[1] * 2)), half, DRAWN_PX, DRAWN_PX)


def write_shard(
    bodies: BodySet, out: Path, split: str, shard: int, rows: int = 1000, street: NDArray[np.float32] | None = None
) -> bool:
    """Render one shard unless it is complete; the rows are written last. True if it was rendered."""
    folder = out / f"{split}-{shard:04d}"
    if (folder / "rows.jsonl").is_file():
        return False
    folder.mkdir(parents=True, exist_ok=True)
    first = SPLIT_SEED[split] + shard * 100_000
    images, records = (
        _twins(bodies, split, first, rows) if split == "test" else _singles(bodies, split, first, rows, street)
    )
    for index, record in enumerate(records):
        record["id"] = f"{split}-{shard:04d}-{index:04d}"
        if record["twin"] is not None:
            record["twin"] = f"{split}-{shard:04d}-{index ^ 1:04d}"
    np.save(folder / "images.npy", np.stack(images))
    partial = folder / "rows.partial"
    partial.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    partial.replace(folder / "rows.jsonl")
    return True


def _singles(
    bodies: BodySet, split: str, seed: int, rows: int, street: NDArray[np.float32] | None
) -> tuple[list[Any], list[dict[str, Any]]]:
    images: list[Any] = []
    records: list[dict[str, Any]] = []
    while len(images) < rows:
        seed += 1
        made = render_crop(bodies, draw(bodies, split, seed), street)
        if made is not None:
            images.append(made[0])
            records.append(made[1])
    return images, records


def _twins(bodies: BodySet, split: str, seed: int, rows: int) -> tuple[list[Any], list[dict[str, Any]]]:
    """Pairs of the same person in the same place: first normal, then an anomaly."""
    images: list[Any] = []
    records: list[dict[str, Any]] = []
    while len(images) < rows:
        seed += 1
        u = Random(seed)
        calm = draw(bodies, split, seed, u.choices(NORMAL, [COMMON.get(b, 1.0) for b in NORMAL])[0])
        pair = [render_crop(bodies, x) for x in (calm, replace(calm, behavior=u.choice(ANOMALIES)))]
        if pair[0] is None or pair[1] is None:
            continue
        for image, record in (p for p in pair if p is not None):
            images.append(image)
            records.append(record | {"twin": "pair"})
    return images, records
