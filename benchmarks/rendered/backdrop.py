"""Empty places: procedural ground and walls seen through a camera, as a street camera's still background."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from benchmarks.rendered.body import SPLITS

if TYPE_CHECKING:
    from random import Random

    from numpy.typing import NDArray

SIZE = 512
GROUNDS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "street": ((95, 95, 96), (70, 70, 72), (112, 110, 106), (84, 86, 92)),
    "pavement": ((150, 145, 135), (122, 122, 118), (170, 165, 155), (140, 128, 120)),
    "square": ((172, 160, 148), (128, 124, 126), (150, 130, 112)),
    "grass": ((85, 110, 60), (70, 95, 55), (98, 112, 70)),
    "dirt": ((140, 120, 95), (118, 102, 84)),
    "indoors": ((176, 170, 160), (150, 152, 156), (122, 104, 88)),
}
WALLS = ((120, 112, 104), (165, 155, 140), (185, 180, 172), (110, 75, 62), (92, 96, 104), (140, 128, 108), (74, 78, 76))


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A fixed camera: where it is, and world to clip coordinates."""

    eye: NDArray[np.float64]  # 3
    matrix: NDArray[np.float64]  # 4, 4
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the ground is made of and where a wall closes the view (it faces -y)."""

    name: str
    ground: int
    wall: int
    wall_y_m: float
    pixels_per_m: float
    offset_px: float
    wall_shift: float


def draw_place(u: Random, wall_from_m: float = 1.2) -> Place:
    """A place of some kind, with a near wall in a third of all draws."""
    name = u.choices(list(GROUNDS), [30, 28, 14, 14, 6, 8])[0]
    near = u.random() < 0.35 or name == "indoors"
    return Place(
        name=name,
        ground=u.randrange(1 << 20),
        wall=u.randrange(1 << 20),
        wall_y_m=wall_from_m + (u.uniform(0, 3) if near else u.uniform(4, 22)),
        pixels_per_m=u.uniform(70, 190),
        offset_px=u.uniform(0, 480),
        wall_shift=u.uniform(0.75, 1.25),
    )


def draw_background(place: Place, camera: Camera, split: str) -> NDArray[np.float32]:
    """The empty picture H, W, 3 in 0..255."""
    xs = (np.arange(camera.width, dtype=np.float32) + 0.5) / camera.width * 2 - 1
    ys = 1 - (np.arange(camera.height, dtype=np.float32) + 0.5) / camera.height * 2
    inverse = np.linalg.inv(camera.matrix)
    plane = inverse[:, 2] * 0.5 + inverse[:, 3]
    far = xs[None, :, None] * inverse[:, 0] + ys[:, None, None] * inverse[:, 1] + plane
    ray = far[..., :3] / far[..., 3:] - camera.eye
    down = np.minimum(ray[..., 2], -1e-6)
    ground = camera.eye + ray * (-camera.eye[2] / down)[..., None]
    out = _sampled(_ground(split, place.name, place.ground % 6), ground[..., 0], ground[..., 1], place)
    behind = (ground[..., 1] > place.wall_y_m) | (ray[..., 2] >= -1e-6)
    if behind.any():
        t = (place.wall_y_m - camera.eye[1]) / np.maximum(ray[..., 1], 1e-6)
        wall = camera.eye + ray * t[..., None]
        texture = _wall(split, place.wall % 24)
        covered = _sampled(texture, wall[..., 0], wall[..., 2], place, 0.75) * place.wall_shift
        out[behind] = covered[behind]
    return out


def _sampled(
    texture: NDArray[np.uint8], x: NDArray[np.float64], y: NDArray[np.float64], place: Place, scale: float = 1.0
) -> NDArray[np.float32]:
    k = place.pixels_per_m * scale
    # Mirrored at every edge, so that no seam shows.
    u, v = (
        np.abs(np.mod(np.clip(c, -500, 500) * k + place.offset_px, 2 * SIZE - 2) - SIZE + 1).astype(np.float32)
        for c in (x, y)
    )
    return np.asarray(cv2.remap(texture, u, v, cv2.INTER_LINEAR), np.float32)


@lru_cache(maxsize=128)
def _ground(split: str, name: str, number: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng([SPLITS.index(split), list(GROUNDS).index(name), number])
    tones = GROUNDS[name]
    color = np.array(tones[number % len(tones)], np.float32) * rng.uniform(0.7, 1.2)
    image = color * (0.72 + 0.5 * _noise(rng, 5))[..., None]
    if name in ("pavement", "square", "indoors"):
        _paving(image, color, rng)
    elif name == "street" and rng.random() < 0.5:
        x = [int(v) for v in rng.integers(0, SIZE, 2)]
        cv2.line(image, (x[0], 0), (x[0], SIZE), (215, 215, 205), int(rng.integers(6, 18)))
    return _grained(image, rng, 7)


@lru_cache(maxsize=64)
def _wall(split: str, number: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng([9, SPLITS.index(split), number])
    color = np.array(WALLS[number % len(WALLS)], np.float32) * rng.uniform(0.6, 1.25)
    image = color * (0.8 + 0.4 * _noise(rng, 4))[..., None]
    for _ in range(int(rng.integers(0, 9))):
        x, y, w, h = (int(v) for v in np.r_[rng.integers(0, SIZE, 2), rng.integers(20, 200, 2)])
        tone = color * rng.uniform(0.3, 1.4) if rng.random() < 0.75 else rng.integers(20, 220, 3)
        cv2.rectangle(image, (x, y), (x + w, y + h), [float(v) for v in tone], -1)
    if rng.random() < 0.5:
        step = int(rng.choice([22, 32, 64]))
        for q in range(0, SIZE, step):
            cv2.line(image, (0, q), (SIZE, q), [float(v) for v in color * 0.65], int(rng.integers(1, 4)))
    return _grained(image, rng, 4)


def _paving(image: NDArray[np.float32], color: NDArray[np.float32], rng: np.random.Generator) -> None:
    step, dark = int(rng.choice([32, 64, 128])), [float(v) for v in color * rng.uniform(0.55, 0.8)]
    brick = rng.random() < 0.5
    for y in range(0, SIZE, step):
        cv2.line(image, (0, y), (SIZE, y), dark, 2)
        for x in range((y // step % 2) * step // 2 if brick else 0, SIZE, step):
            cv2.line(image, (x, y), (x, y + step), dark, 2)


def _noise(rng: np.random.Generator, octaves: int) -> NDArray[np.float32]:
    out = np.zeros((SIZE, SIZE), np.float32)
    for k in range(octaves):
        cells = rng.random((4 * 2**k, 4 * 2**k), dtype=np.float32)
        out += cv2.resize(cells, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) * 0.6**k
    return np.asarray((out - out.min()) / (out.max() - out.min()), np.float32)


def _grained(image: NDArray[np.float32], rng: np.random.Generator, sigma: float) -> NDArray[np.uint8]:
    grain = rng.standard_normal((SIZE, SIZE, 1), dtype=np.float32) * sigma
    return np.clip(image + grain, 0, 255).astype(np.uint8)
