"""Things: boxes, bars, wheels, and from them furniture, vehicles, fences, bags and boxes to carry."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.rendered.body import BONE_INDEX
from benchmarks.rendered.pose import turn_y, turn_z
from benchmarks.rendered.raster import Mesh, merge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from benchmarks.rendered.appearance import RGB, Look
    from benchmarks.rendered.pose import Pose

DARK: RGB = (0.09, 0.09, 0.10)
GLASS: RGB = (0.12, 0.15, 0.18)
METAL: RGB = (0.45, 0.46, 0.48)
CARDBOARD: RGB = (0.62, 0.48, 0.33)
PAINTS: tuple[RGB, ...] = (
    (0.75, 0.76, 0.78),
    (0.12, 0.12, 0.14),
    (0.86, 0.86, 0.85),
    (0.35, 0.37, 0.40),
    (0.15, 0.22, 0.40),
    (0.48, 0.10, 0.10),
    (0.30, 0.34, 0.28),
)


def solid(corners: NDArray[np.float64], quads: Sequence[Sequence[int]], colors: Sequence[RGB] | RGB) -> Mesh:
    """Flat-shaded quadrilaterals."""
    quad = np.asarray(quads)
    points = corners[quad].reshape(-1, 3).astype(np.float32)
    a, b, d = corners[quad[:, 0]], corners[quad[:, 1]], corners[quad[:, 3]]
    normal = np.cross(b - a, d - a)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    paint = np.broadcast_to(np.asarray(colors, np.float32), (len(quad), 3))
    start = np.arange(len(quad))[:, None] * 4
    faces = np.concatenate([start + np.array(corner) for corner in ((0, 1, 2), (0, 2, 3))])
    return Mesh(
        vertices=points,
        normals=np.repeat(normal, 4, axis=0).astype(np.float32),
        faces=faces.astype(np.int32),
        colors=np.repeat(paint, 4, axis=0).astype(np.float32),
    )


def box(center: Sequence[float], size: Sequence[float], color: RGB, yaw: float = 0.0) -> Mesh:
    """An upright box; the center is that of its volume."""
    signs = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], np.float64)
    corners = signs * np.asarray(size) / 2 @ turn_z(yaw).T + np.asarray(center)
    quads = [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]]
    return solid(corners, quads, color)


def bar(start: Sequence[float], end: Sequence[float], thick: float, color: RGB) -> Mesh:
    """A thin square bar between two points."""
    a, b = np.asarray(start, np.float64), np.asarray(end, np.float64)
    along = (b - a) / (np.linalg.norm(b - a) + 1e-9)
    side = np.cross(along, [0.31, 0.2, 0.93])
    side /= np.linalg.norm(side)
    other = np.cross(along, side)
    ring = np.array([side + other, -side + other, -side - other, side - other]) * thick / 2
    corners = np.concatenate([a + ring, b + ring])
    return solid(corners, [[0, 4, 5, 1], [1, 5, 6, 2], [2, 6, 7, 3], [3, 7, 4, 0]], color)


def wheel(
    center: Sequence[float], radius: float, thick: float, color: RGB, *, axis: Sequence[float], hole: float
) -> Mesh:
    """A ring seen from both sides; `hole` is the share that is open."""
    n = np.asarray(axis, np.float64) / np.linalg.norm(axis)
    u = np.cross(n, [0, 0, 1.0])
    u /= np.linalg.norm(u)
    t = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    rim = np.cos(t)[:, None] * u + np.sin(t)[:, None] * np.cross(n, u)
    c = np.asarray(center, np.float64)
    rings = [c + rim * r * radius + n * s * thick / 2 for s in (-1, 1) for r in (1.0, hole)]
    corners, k = np.concatenate(rings), np.arange(20)
    j = (k + 1) % 20
    quads = [np.stack([k + a, j + a, j + b, k + b], 1) for a, b in ((0, 20), (40, 60), (0, 40))]
    return solid(corners, np.concatenate(quads).tolist(), color)


def moved(mesh: Mesh, x: float, y: float, yaw: float, owner: int = -1) -> Mesh:
    """The thing turned about the vertical and shifted."""
    turn = turn_z(yaw)
    return Mesh(
        vertices=(mesh.vertices @ turn.T + np.array([x, y, 0], np.float32)).astype(np.float32),
        normals=(mesh.normals @ turn.T).astype(np.float32),
        faces=mesh.faces,
        colors=mesh.colors,
        owner=owner,
    )


def tipped(mesh: Mesh, degrees: float) -> Mesh:
    """The thing tilted about its long axis y (positive: toward the left, +x) and set on the ground."""
    turn = turn_y(degrees)
    vertices = mesh.vertices @ turn.T
    return Mesh(
        vertices=(vertices - np.array([0, 0, vertices[:, 2].min()], np.float32)).astype(np.float32),
        normals=(mesh.normals @ turn.T).astype(np.float32),
        faces=mesh.faces,
        colors=mesh.colors,
    )


def bench(height: float, width: float = 1.4) -> Mesh:
    """A bench at the origin for somebody facing -y, with a back rest."""
    wood: RGB = (0.42, 0.30, 0.20)
    legs = [box((sx * width * 0.42, 0.05, height / 2 - 0.02), (0.06, 0.36, height - 0.04), DARK) for sx in (-1, 1)]
    rest = [box((0, 0.3, height + z), (width, 0.03, 0.09), wood) for z in (0.22, 0.36)]
    posts = [box((sx * width * 0.42, 0.32, height + 0.18), (0.05, 0.03, 0.45), DARK) for sx in (-1, 1)]
    return merge([box((0, 0.03, height - 0.025), (width, 0.44, 0.05), wood), *legs, *rest, *posts])


def bicycle(color: RGB) -> Mesh:
    """Facing -y; saddle at 0.9 m over y = 0."""
    tubes = (
        ((0, 0.02, 0.86), (0, -0.1, 0.32)),
        ((0, 0.0, 0.78), (0, -0.55, 0.86)),
        ((0, -0.1, 0.32), (0, -0.57, 0.74)),
        ((0, -0.1, 0.32), (0, 0.4, 0.34)),
        ((0, 0.0, 0.76), (0, 0.4, 0.34)),
        ((0, -0.55, 0.95), (0, -0.68, 0.34)),
    )
    frame = [bar(a, b, 0.04, color) for a, b in tubes]
    wheels = [wheel((0, y, 0.34), 0.34, 0.035, DARK, axis=(1, 0, 0), hole=0.88) for y in (0.4, -0.68)]
    handle = bar((-0.27, -0.5, 1.0), (0.27, -0.5, 1.0), 0.03, DARK)
    return merge([*frame, *wheels, handle, box((0, 0.04, 0.88), (0.16, 0.26, 0.06), DARK)])


def fence(height: float, width: float, color: RGB) -> Mesh:
    """Bars along x at y = 0."""
    posts = [box((x, 0, height / 2), (0.06, 0.06, height), color) for x in np.linspace(-width / 2, width / 2, 5)]
    slats = [bar((x, 0, 0.08), (x, 0, height), 0.022, color) for x in np.arange(-width / 2, width / 2, 0.13)]
    rails = [box((0, 0, z), (width, 0.05, 0.05), color) for z in (0.12, height - 0.05)]
    return merge([*posts, *slats, *rails])


def car(color: RGB) -> Mesh:
    """A sedan along x, nose at -x, center at the origin."""
    low = [(-2.1, 0.3), (-2.15, 0.62), (-1.95, 0.82), (-0.95, 0.95), (1.55, 0.98), (2.05, 0.9), (2.1, 0.3)]
    cabin = [(-0.95, 0.95), (-0.3, 1.42), (0.85, 1.44), (1.55, 0.98)]
    parts = [_extruded(low, 0.88, 0.88, [color] * 6), _extruded(cabin, 0.84, 0.66, [GLASS, color, GLASS], GLASS)]
    wheels = [
        wheel((x, y, 0.32), 0.32, 0.2, DARK, axis=(0, 1, 0), hole=0.05) for x in (-1.35, 1.35) for y in (-0.82, 0.82)
    ]
    lights = [box((-2.12, y, 0.66), (0.06, 0.3, 0.12), (0.9, 0.9, 0.85)) for y in (-0.62, 0.62)]
    pillars = [bar((0.25, y * 0.86, 0.96), (0.25, y * 0.68, 1.43), 0.07, color) for y in (-1, 1)]
    return merge([*parts, *wheels, *lights, *pillars])


def _extruded(
    profile: Sequence[tuple[float, float]], low: float, high: float, colors: Sequence[RGB], side: RGB | None = None
) -> Mesh:
    """A profile in x, z pulled across y; `low` and `high` are half widths at its bottom and top."""
    p = np.array(profile)
    share = (p[:, 1] - p[:, 1].min()) / (np.ptp(p[:, 1]) + 1e-9)
    half = low + (high - low) * share
    corners = np.concatenate([np.c_[p[:, 0], s * half, p[:, 1]] for s in (-1, 1)])
    n = len(p)
    top = [[k, k + 1, n + k + 1, n + k] for k in range(n - 1)]
    sides = [[s * n, s * n + k, s * n + k + 1, s * n + k + 1] for s in (0, 1) for k in range(1, n - 1)]
    paint = [*colors, *([side or colors[0]] * len(sides))]
    mesh = solid(corners, top + sides, paint)
    flat = mesh.normals.copy()
    wrong = np.isnan(flat).any(1) | (np.abs(flat).sum(1) < 0.1)
    flat[wrong] = (0, -1, 0)
    return Mesh(vertices=mesh.vertices, normals=flat, faces=mesh.faces, colors=mesh.colors)


def heap(u: Random, color: RGB) -> Mesh:
    """A jacket, sack or bag left on the ground."""
    rings, around = 5, 14
    t = np.linspace(0, 2 * np.pi, around, endpoint=False)
    wide, deep, high = u.uniform(0.2, 0.55), u.uniform(0.15, 0.35), u.uniform(0.06, 0.35)
    rows = []
    for k in range(rings):
        size = np.cos(k / rings * np.pi / 2) * (1 + np.array([u.uniform(-0.18, 0.18) for _ in t]))
        z = np.full(around, high * np.sin(k / (rings - 1) * np.pi / 2))
        rows.append(np.stack([wide * size * np.cos(t), deep * size * np.sin(t), z], 1))
    corners, quads = np.concatenate(rows), []
    for k in range(rings - 1):
        for j in range(around):
            a, b = k * around + j, k * around + (j + 1) % around
            quads.append([a, b, b + around, a + around])
    return solid(corners, quads, color)


def draw_thing(u: Random) -> Mesh:
    """Some thing of the street at the origin."""
    color = u.choice(PAINTS)
    bright = u.choice([(0.88, 0.45, 0.1), (0.85, 0.8, 0.15), (0.7, 0.1, 0.1), (0.1, 0.2, 0.6), (0.2, 0.2, 0.22)])
    kind = u.choice(["box", "pole", "pole", "heap", "heap", "bench", "bicycle", "fence", "car", "sign", "bin"])
    made = {
        "pole": lambda: bar((0, 0, 0), (0, 0, u.uniform(0.9, 4)), u.uniform(0.06, 0.2), color),
        "heap": lambda: heap(u, bright),
        "bench": lambda: bench(0.45, u.uniform(1, 2)),
        "bicycle": lambda: bicycle(bright),
        "fence": lambda: fence(u.uniform(0.9, 1.8), u.uniform(2, 5), color),
        "car": lambda: car(color),
        "sign": lambda: merge([bar((0, 0, 0), (0, 0, 2.2), 0.06, METAL), box((0, 0, 2.0), (0.5, 0.03, 0.5), bright)]),
        "bin": lambda: box((0, 0, 0.5), (0.5, 0.5, 1.0), bright),
    }
    wide = u.uniform(0.3, 1.2)
    return made.get(kind, lambda: box((0, 0, wide / 2), (wide, u.uniform(0.3, 0.9), wide), bright))()


def worn(look: Look, pose: Pose, joints: NDArray[np.float32], yaw: float, owner: int) -> Iterator[Mesh]:
    """What the person holds: bags in the hand, a box, a phone."""
    u = Random(int(look.seed * 1e6))
    wrist = {side: joints[BONE_INDEX[f"wrist.{side}"]] for side in "LR"}
    if pose.prop == "box":
        middle = (wrist["L"] + wrist["R"]) / 2 + turn_z(yaw) @ np.array([0, -0.1, 0.06], np.float32)
        size = (u.uniform(0.32, 0.42), u.uniform(0.26, 0.36), u.uniform(0.2, 0.34))
        yield _owned(box(middle, size, CARDBOARD, yaw), owner)
    elif pose.prop.startswith("phone"):
        head, side = joints[BONE_INDEX["head"]], wrist[pose.prop[-1]]
        yield _owned(box(side * 0.72 + head * 0.28 + [0, 0, 0.04], (0.03, 0.06, 0.12), DARK, yaw), owner)
    elif look.bag_kind in ("handbag", "plastic bag"):
        yield from _hanging(look, wrist["LR"[int(look.seed * 10) % 2]], yaw, owner)


def _hanging(look: Look, hand: NDArray[np.float32], yaw: float, owner: int) -> Iterator[Mesh]:
    tall = 0.24 if look.bag_kind == "handbag" else 0.34
    drop = min(0.16, max(0.0, float(hand[2]) - tall - 0.06))
    z = max(tall / 2 + 0.01, float(hand[2]) - 0.06 - drop - tall / 2)
    yield _owned(box((hand[0], hand[1], z), (0.12, 0.3, tall), look.rgb["bag"], yaw), owner)
    if drop > 0.05:
        yield _owned(bar(hand.tolist(), (hand[0], hand[1], z + tall / 2), 0.02, look.rgb["bag"]), owner)


def _owned(mesh: Mesh, owner: int) -> Mesh:
    return Mesh(vertices=mesh.vertices, normals=mesh.normals, faces=mesh.faces, colors=mesh.colors, owner=owner)
