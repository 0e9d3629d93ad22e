"""Detector tiles: square pieces of street-camera views with exact boxes of every visible person, YOLO format."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import cv2
import numpy as np

from benchmarks.rendered import stage, thing
from benchmarks.rendered.backdrop import Camera, draw_background, draw_place
from benchmarks.rendered.behavior import BEHAVIORS, pose
from benchmarks.rendered.figure import place
from benchmarks.rendered.picture import exposed
from benchmarks.rendered.raster import box_of, look_at, merge, perspective, project, rasterize
from benchmarks.rendered.scene import draw_light, render

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.rendered.body import BodySet
    from benchmarks.rendered.figure import Figure
    from benchmarks.rendered.raster import Mesh

Box = tuple[float, float, float, float]
SIZE_PX = 320
DRAWN_PX = 448
VISIBLE_SHARE = 0.35
TALL_PX = (28, 225)  # of a standing person in the tile
CLOSE_TALL_PX = (150, 900)  # the same where a camera hangs low and near
POSTURES = dict.fromkeys(BEHAVIORS, 1.0) | {"standing": 4, "walking": 5, "lying": 5, "falling": 3, "crawling": 2}
POSTURES |= {"sitting": 3, "dragged": 0.5, "hit_by_vehicle": 0.5}
SPLIT = {"train": "train", "val": "validation", "test": "test"}
SEED = {"train": 50_000_000, "val": 60_000_000, "test": 70_000_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What tiles are made of."""

    close_share: float = 0.0  # seen from near
    blank_share: float = 0.0  # no picture at all: black, gray, noise
    counts: tuple[int, ...] = (6, 16, 22, 20, 16, 12, 8)  # weights of COUNTS
    beside_share: float = 0.35  # of the persons placed within a meter of another
    on_ground: float = 1.0  # factor on the weights of lying, falling and crawling


COUNTS = (0, 1, 2, 3, 4, 6, 8)  # persons placed
USUAL = Mix()
MIXES = {  # of the training tiles from this number on; earlier numbers stay as they are
    0: USUAL,
    4500: Mix(close_share=0.3),
    6300: Mix(close_share=0.1, blank_share=0.06, counts=(3, 6, 12, 18, 22, 22, 17), beside_share=0.6, on_ground=1.6),
    8300: Mix(close_share=0.5, counts=(5, 24, 24, 18, 12, 10, 7), beside_share=0.45, on_ground=2.2),
}
_ON_GROUND = ("lying", "falling", "crawling", "collapsing", "falling_off_bicycle")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A camera and the empty picture it sees."""

    camera: Camera
    background: NDArray[np.float32]
    real: bool
    end_y_m: float  # nothing stands beyond
    tall_px: tuple[int, int] = TALL_PX


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A person of a tile: the box in 0..1 and what they do."""

    box: Box
    behavior: str


def median_background(video: Path, frames: int = 477, every: int = 12) -> NDArray[np.float32]:
    """The empty scene of a fixed camera, RGB, from the median of some of its first frames."""
    stream, kept = cv2.VideoCapture(str(video)), []
    for index in range(frames):
        good, frame = stream.read()
        if not good:
            break
        if index % every == 0:
            kept.append(frame[..., ::-1])
    return np.asarray(np.median(np.stack(kept), axis=0), np.float32)


def write_tiles(bodies: BodySet, out: Path, split: str, numbers: Iterable[int], background: Path | None) -> None:
    """Render tiles that are not there yet; the label file is written last."""
    real = None if background is None else median_background(background)
    images, labels, postures = (out / split / name for name in ("images", "labels", "postures"))
    for folder in (images, labels, postures):
        folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        label = labels / f"{number:06d}.txt"
        if label.is_file():
            continue
        u = Random(SEED[split] + number)
        picture, persons = render_tile(bodies, SPLIT[split], u, real, mix_of(split, number))
        quality = [cv2.IMWRITE_JPEG_QUALITY, u.randint(50, 94)]
        cv2.imwrite(str(images / f"{number:06d}.jpg"), np.ascontiguousarray(picture[..., ::-1]), quality)
        (postures / f"{number:06d}.txt").write_text("".join(f"{p.behavior}\n" for p in persons), encoding="ascii")
        label.write_text("".join(box_line(p.box) for p in persons), encoding="ascii")


def mix_of(split: str, number: int) -> Mix:
    return MIXES[max(first for first in MIXES if first <= number)] if split == "train" else USUAL


def box_line(box: Box) -> str:
    """A box x0, y0, x1, y1 in 0..1 as YOLO writes it."""
    x0, y0, x1, y1 = box
    return f"0 {(x0 + x1) / 2:.5f} {(y0 + y1) / 2:.5f} {x1 - x0:.5f} {y1 - y0:.5f}\n"


def render_tile(
    bodies: BodySet, split: str, u: Random, real: NDArray[np.float32] | None, mix: Mix = USUAL
) -> tuple[NDArray[np.uint8], list[Shown]]:
    """The tile and the persons visible enough."""
    if mix.blank_share and u.random() < mix.blank_share:
        return _blank(u), []
    if mix.close_share and u.random() < mix.close_share:
        view = _close_view(u, split)
    else:
        view = _real_view(u, real) if real is not None and u.random() < 0.3 else _drawn_view(u, split)
    figures, things, behaviors = _crowd(bodies, split, u, view, mix)
    things += _distractors(u, view)
    light = draw_light(u)
    shown = render(view.background, view.camera, light, figures, things)
    seen = {f.person.number: _visible_box(f, shown.owner, view.camera) for f in figures}
    if None in seen.values():  # nobody is half there: who is hardly visible leaves the picture
        figures = [f for f in figures if seen[f.person.number] is not None]
        shown = render(view.background, view.camera, light, figures, things)
    boxes = {f.person.number: _visible_box(f, shown.owner, view.camera) for f in figures}
    persons = [Shown(box=box, behavior=behaviors[number]) for number, box in boxes.items() if box is not None]
    image = shown.image if view.real and u.random() < 0.6 else exposed(shown.image, u, night=u.random() < 0.12)
    return _stored(image, u), persons


def _blank(u: Random) -> NDArray[np.uint8]:
    """What a camera without a signal or light gives: one color, perhaps with a slope of brightness or noise."""
    color = [u.uniform(0, 255)] * 3 if u.random() < 0.3 else [u.uniform(0, 255) for _ in range(3)]
    if u.random() < 0.5:
        color = [0.0] * 3
    slope = np.linspace(0, u.choice([0, 0, 40]), DRAWN_PX, dtype=np.float32)
    image = np.asarray(np.array(color, np.float32) + slope[:, None, None] + np.zeros((1, DRAWN_PX, 1)), np.float32)
    return _stored(image, u) if u.random() < 0.5 else np.clip(image[:SIZE_PX, :SIZE_PX], 0, 255).astype(np.uint8)


def _stored(image: NDArray[np.float32], u: Random) -> NDArray[np.uint8]:
    out = cv2.resize(image, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
    if u.random() < 0.35:
        out = cv2.GaussianBlur(out, (0, 0), u.uniform(0.4, 1.1))
    if u.random() < 0.25:
        side = int(SIZE_PX * u.uniform(0.5, 0.9))
        out = cv2.resize(cv2.resize(out, (side, side), interpolation=cv2.INTER_AREA), (SIZE_PX, SIZE_PX))
    rng = np.random.default_rng(u.randrange(1 << 30))
    out = out + rng.standard_normal((SIZE_PX, SIZE_PX, 1), dtype=np.float32) * u.uniform(0, 6)
    return np.asarray(np.clip(out, 0, 255), np.uint8)


def _drawn_view(u: Random, split: str) -> View:
    """A camera 2.5 to 8 m high whose middle shows persons 30 to 200 px high in the tile."""
    return _view_of(u, split, u.uniform(2.5, 8.0), u.uniform(9, 42), 30 * (200 / 30) ** u.random(), TALL_PX)


def _close_view(u: Random, split: str) -> View:
    """A camera over a door, whose persons are as high as the tile or cut by its edges."""
    return _view_of(u, split, u.uniform(1.6, 3.2), u.uniform(4, 30), 160 * (560 / 160) ** u.random(), CLOSE_TALL_PX)


def _view_of(
    u: Random, split: str, high: float, degrees_down: float, tall_px: float, range_px: tuple[int, int]
) -> View:
    pitch = np.radians(degrees_down)
    distance = high / np.sin(pitch)
    eye = np.array([0.0, -distance * np.cos(pitch), high])
    degrees = np.degrees(2 * np.arctan(SIZE_PX / 2 * 1.7 / (tall_px * distance)))
    matrix = perspective(min(75.0, float(degrees)), 1.0) @ look_at(eye, np.array([0.0, 0.0, 0.3]))
    camera = Camera(eye=eye, matrix=matrix, width=DRAWN_PX, height=DRAWN_PX)
    where = draw_place(u, 2.0)
    background = draw_background(where, camera, split)
    return View(camera=camera, background=background, real=False, end_y_m=where.wall_y_m - 0.5, tall_px=range_px)


def _real_view(u: Random, frame: NDArray[np.float32]) -> View:
    """A piece of a real empty street; its camera is fitted to the heights of the persons who walk there.

    Persons there are about 50 px high at row 150 and 140 px at row 550 of 576.
    """
    height, width = frame.shape[:2]
    pitch, focal_px = np.arctan(360 / 800), 800
    eye = np.array([0.0, 0.0, 7.8])
    ahead = eye + np.array([0.0, np.cos(pitch), -np.sin(pitch)])
    degrees = float(np.degrees(2 * np.arctan(height / 2 / focal_px)))
    whole = Camera(
        eye=eye, matrix=perspective(degrees, width / height) @ look_at(eye, ahead), width=width, height=height
    )
    side = int(u.uniform(220, 420))
    x, y = u.randint(0, width - side), u.randint(60, height - side)
    camera = _cut(whole, x, y, side)
    piece = cv2.resize(frame[y : y + side, x : x + side], (DRAWN_PX, DRAWN_PX), interpolation=cv2.INTER_CUBIC)
    if u.random() < 0.5:
        return View(camera=camera, background=np.clip(piece, 0, 255), real=True, end_y_m=50.0)
    mirror = np.diag([-1.0, 1, 1, 1])
    flipped = Camera(eye=eye, matrix=mirror @ camera.matrix, width=DRAWN_PX, height=DRAWN_PX)
    return View(camera=flipped, background=np.clip(piece[:, ::-1], 0, 255).copy(), real=True, end_y_m=50.0)


def _cut(whole: Camera, x: int, y: int, side: int) -> Camera:
    square = Camera(eye=whole.eye, matrix=whole.matrix, width=whole.width, height=whole.height)
    center_x = (x + side / 2) / whole.width * 2 - 1
    center_y = 1 - (y + side / 2) / whole.height * 2
    zoom = np.eye(4)
    zoom[0, 0], zoom[1, 1] = whole.width / side, whole.height / side
    zoom[0, 3], zoom[1, 3] = -center_x * zoom[0, 0], -center_y * zoom[1, 1]
    return Camera(eye=square.eye, matrix=zoom @ square.matrix, width=DRAWN_PX, height=DRAWN_PX)


def ground_point(camera: Camera, x: float, y: float) -> tuple[float, float] | None:
    """The ground seen at 0..1 of the picture; None above the horizon or too far."""
    inverse = np.linalg.inv(camera.matrix)
    far = inverse @ np.array([2 * x - 1, 1 - 2 * y, 0.5, 1.0])
    ray = far[:3] / far[3] - camera.eye
    if ray[2] > -1e-3 * np.linalg.norm(ray):
        return None
    at = camera.eye - ray * camera.eye[2] / ray[2]
    return (float(at[0]), float(at[1])) if np.linalg.norm(at - camera.eye) < 80 else None


def _tall_px(camera: Camera, x: float, y: float) -> float:
    stick = np.array([[x, y, 0], [x, y, 1.7]], np.float32)
    at = project(stick, camera.matrix, SIZE_PX, SIZE_PX)
    return float(np.linalg.norm(at[1, :2] - at[0, :2])) if at[:, 2].min() > 0 else 0.0


def _crowd(
    bodies: BodySet, split: str, u: Random, view: View, mix: Mix
) -> tuple[list[Figure], list[Mesh], dict[int, str]]:
    camera = view.camera
    count = u.choices(COUNTS, mix.counts)[0]
    postures = {name: weight * (mix.on_ground if name in _ON_GROUND else 1) for name, weight in POSTURES.items()}
    figures: list[Figure] = []
    things: list[Mesh] = []
    behaviors: dict[int, str] = {}
    for _ in range(count * 6):
        if len(figures) == count:
            break
        spot = ground_point(camera, u.uniform(0.02, 0.98), u.uniform(0.1, 1.1))
        if figures and u.random() < mix.beside_share:
            x, y, _ = (float(v) for v in u.choice(figures).base)
            spot = (x + u.uniform(-1, 1), y + u.uniform(-1, 1))
        if spot is None or spot[1] > view.end_y_m or not view.tall_px[0] <= _tall_px(camera, *spot) <= view.tall_px[1]:
            continue
        behavior = u.choices(list(postures), list(postures.values()))[0]
        now, behaviors[len(figures)] = pose(behavior, u.random(), u.randrange(1 << 30)), behavior
        person, yaw = stage.stranger(bodies, split, u, len(figures), stage.EVERYBODY), u.uniform(0, 360)
        figures.append(place(bodies, person, now, spot, yaw))
        things += stage.needed(now, figures[-1], yaw, u)
    return figures, things, behaviors


def _distractors(u: Random, view: View) -> list[Mesh]:
    """Things that are no persons, some of them person-colored or person-shaped."""
    camera, out = view.camera, []
    for _ in range(u.choice([0, 0, 1, 1, 2, 3])):
        spot = ground_point(camera, u.random(), u.random())
        if spot is None or spot[1] > view.end_y_m or _tall_px(camera, *spot) > view.tall_px[1] + 35:
            continue
        out.append(thing.moved(thing.draw_thing(u), *spot, u.uniform(0, 360)))
    return out


def _visible_box(figure: Figure, owner: NDArray[np.int32], camera: Camera) -> Box | None:
    mine = owner == figure.person.number
    box = box_of(mine)
    if box is None or box[2] - box[0] < 9 or box[3] - box[1] < 9:
        return None
    whole = merge(figure.meshes)
    points = project(whole.vertices, camera.matrix, camera.width, camera.height)
    alone = (rasterize(points, whole.faces, camera.width, camera.height).face >= 0).sum()
    inside = (np.clip(points[:, :2], 0, DRAWN_PX) == points[:, :2]).all(1).mean()
    if mine.sum() / max(1, alone) * inside < VISIBLE_SHARE:
        return None
    x0, y0, x1, y1 = (v / DRAWN_PX for v in box)
    return x0, y0, x1, y1
