"""A numba rasteriser that keeps, for every pixel, which triangle is seen and where on it.

Colors come later (deferred shading), so boxes and visible shares are exact. Knows no persons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NEAR_M = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """Triangles in world meters; `attributes` only where the surface is a body to be painted."""

    vertices: NDArray[np.float32]  # V, 3
    normals: NDArray[np.float32]  # V, 3
    faces: NDArray[np.int32]  # F, 3
    colors: NDArray[np.float32]  # V, 3, RGB 0..1
    attributes: NDArray[np.float32] | None = None  # V, A
    owner: int = -1  # the person it belongs to, -1 for things


@dataclass(frozen=True, slots=True, kw_only=True)
class GBuffer:
    """What each pixel sees: triangle (-1 for none), barycentrics of its 2nd and 3rd corner, 1 / depth."""

    face: NDArray[np.int32]  # H, W
    bary: NDArray[np.float32]  # H, W, 2
    inverse_depth: NDArray[np.float32]  # H, W


def merge(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of many; attributes and owners are kept by the caller."""
    starts = np.cumsum([0] + [len(m.vertices) for m in meshes[:-1]])
    return Mesh(
        vertices=np.concatenate([m.vertices for m in meshes]),
        normals=np.concatenate([m.normals for m in meshes]),
        faces=np.concatenate([m.faces + s for m, s in zip(meshes, starts, strict=True)]).astype(np.int32),
        colors=np.concatenate([m.colors for m in meshes]),
    )


def project(vertices: NDArray[np.float32], matrix: NDArray[np.float64], width: int, height: int) -> NDArray[np.float32]:
    """Pixel x, pixel y and 1 / depth of world points; depth <= 0 becomes a negative third column."""
    clip = vertices.astype(np.float64) @ matrix[:, :3].T + matrix[:, 3]
    w = np.where(np.abs(clip[:, 3]) < 1e-6, 1e-6, clip[:, 3])
    x = (clip[:, 0] / w + 1) / 2 * width
    y = (1 - clip[:, 1] / w) / 2 * height
    return np.stack([x, y, 1 / w], 1).astype(np.float32)


def rasterize(points: NDArray[np.float32], faces: NDArray[np.int32], width: int, height: int) -> GBuffer:
    """Draw projected triangles into a fresh buffer; a triangle that crosses the near plane is dropped."""
    face = np.full((height, width), -1, np.int32)
    bary = np.zeros((height, width, 2), np.float32)
    inverse_depth = np.zeros((height, width), np.float32)
    _fill(points, faces, face, bary, inverse_depth)
    return GBuffer(face=face, bary=bary, inverse_depth=inverse_depth)


@numba.njit(cache=True, fastmath=True)
def _fill(points: Any, faces: Any, face: Any, bary: Any, inverse_depth: Any) -> None:
    h, w = face.shape
    limit = 1.0 / NEAR_M
    for f in range(faces.shape[0]):
        a, b, c = points[faces[f, 0]], points[faces[f, 1]], points[faces[f, 2]]
        if min(a[2], b[2], c[2]) <= 0 or max(a[2], b[2], c[2]) > limit:
            continue
        area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
        if abs(area) < 1e-9:
            continue
        for y in range(max(0, int(min(a[1], b[1], c[1]) - 0.5)), min(h - 1, int(max(a[1], b[1], c[1]))) + 1):
            for x in range(max(0, int(min(a[0], b[0], c[0]) - 0.5)), min(w - 1, int(max(a[0], b[0], c[0]))) + 1):
                px, py = x + 0.5, y + 0.5
                u = ((px - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (py - a[1])) / area
                v = ((b[0] - a[0]) * (py - a[1]) - (px - a[0]) * (b[1] - a[1])) / area
                if u < 0 or v < 0 or u + v > 1:
                    continue
                d = a[2] * (1 - u - v) + b[2] * u + c[2] * v
                if d > inverse_depth[y, x]:
                    inverse_depth[y, x] = d
                    face[y, x] = f
                    bary[y, x, 0] = u * b[2] / d
                    bary[y, x, 1] = v * c[2] / d


@numba.njit(cache=True, fastmath=True)
def coverage(points: Any, faces: Any, width: int, height: int) -> Any:
    """Which pixels the triangles touch, H, W of 0 or 1 (shadows)."""
    out = np.zeros((height, width), np.float32)
    for f in range(faces.shape[0]):
        a, b, c = points[faces[f, 0]], points[faces[f, 1]], points[faces[f, 2]]
        if min(a[2], b[2], c[2]) <= 0:
            continue
        area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
        if abs(area) < 1e-9:
            continue
        for y in range(max(0, int(min(a[1], b[1], c[1]) - 0.5)), min(height - 1, int(max(a[1], b[1], c[1]))) + 1):
            for x in range(max(0, int(min(a[0], b[0], c[0]) - 0.5)), min(width - 1, int(max(a[0], b[0], c[0]))) + 1):
                u = ((x + 0.5 - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (y + 0.5 - a[1])) / area
                v = ((b[0] - a[0]) * (y + 0.5 - a[1]) - (x + 0.5 - a[0]) * (b[1] - a[1])) / area
                if u >= 0 and v >= 0 and u + v <= 1:
                    out[y, x] = 1.0
    return out


@numba.njit(cache=True, fastmath=True)
def interpolate(values: Any, faces: Any, face: Any, bary: Any) -> Any:
    """Values V, C at P seen points, each a triangle index and two barycentrics: P, C."""
    out = np.empty((face.shape[0], values.shape[1]), np.float32)
    for i in range(face.shape[0]):
        a, b, c = faces[face[i], 0], faces[face[i], 1], faces[face[i], 2]
        u, v = bary[i, 0], bary[i, 1]
        for k in range(values.shape[1]):
            out[i, k] = values[a, k] * (1 - u - v) + values[b, k] * u + values[c, k] * v
    return out


def look_at(eye: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """World to camera, 4x4, z up."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    out = np.eye(4)
    out[:3, :3] = np.stack([right, np.cross(right, forward), -forward])
    out[:3, 3] = -out[:3, :3] @ eye
    return out


def perspective(vertical_degrees: float, aspect: float) -> NDArray[np.float64]:
    """Camera to clip, 4x4; the fourth row gives the depth in meters."""
    t = 1 / np.tan(np.radians(vertical_degrees) / 2)
    return np.array([[t / aspect, 0, 0, 0], [0, t, 0, 0], [0, 0, -1, -0.2], [0, 0, -1.0, 0]])


def box_of(mask: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """x0, y0, x1, y1 of the true pixels, exclusive ends; None if there is none."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
