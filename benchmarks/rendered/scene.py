"""Scenes: figures and things in front of a background under one light, as a picture and as who is where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from benchmarks.rendered.backdrop import Camera
from benchmarks.rendered.paint import paint
from benchmarks.rendered.raster import (
    Mesh,
    coverage,
    interpolate,
    look_at,
    merge,
    perspective,
    project,
    rasterize,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from numpy.typing import NDArray

    from benchmarks.rendered.figure import Figure
    from benchmarks.rendered.raster import GBuffer


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """Where the light comes from and how hard it is."""

    direction: NDArray[np.float64]  # 3, toward the light, unit length
    ambient: float
    shadow: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """A finished picture and the number of the person seen at each pixel (-1: none)."""

    image: NDArray[np.float32]  # H, W, 3, 0..255
    owner: NDArray[np.int32]  # H, W


def draw_light(u: Random) -> Light:
    """Sun or overcast."""
    direction = np.array([u.uniform(-0.8, 0.8), u.uniform(-0.9, 0.3), u.uniform(0.5, 1.0)])
    ambient = u.uniform(0.42, 0.82)
    return Light(
        direction=direction / np.linalg.norm(direction),
        ambient=ambient,
        shadow=u.uniform(0.3, 0.65) * (1 - 0.45 * ambient),
    )


def aimed_camera(
    target: NDArray[np.float64], distance: float, pitch_degrees: float, degrees: float, *, width: int, height: int
) -> Camera:
    """A camera that looks along +y down at a target."""
    pitch = np.radians(pitch_degrees)
    eye = target + distance * np.array([0, -np.cos(pitch), np.sin(pitch)])
    matrix = perspective(degrees, width / height) @ look_at(eye, target)
    return Camera(eye=eye, matrix=matrix, width=width, height=height)


def zoomed(camera: Camera, center: tuple[float, float], half: float, width: int, height: int) -> Camera:
    """The part of the view around a clip-space center, `half` clip units to each side, as its own camera."""
    zoom = np.eye(4)
    zoom[0, 0] = zoom[1, 1] = 1 / half
    zoom[0, 3], zoom[1, 3] = -center[0] / half, -center[1] / half
    return Camera(eye=camera.eye, matrix=zoom @ camera.matrix, width=width, height=height)


def cut(camera: Camera, x0: int, y0: int, x1: int, y1: int) -> Camera:
    """The pixels x0..x1, y0..y1 of a camera as its own camera of the same scale."""
    zoom = np.eye(4)
    zoom[0, 0], zoom[1, 1] = camera.width / (x1 - x0), camera.height / (y1 - y0)
    zoom[0, 3] = -((x0 + x1) / camera.width - 1) * zoom[0, 0]
    zoom[1, 3] = -(1 - (y0 + y1) / camera.height) * zoom[1, 1]
    return Camera(eye=camera.eye, matrix=zoom @ camera.matrix, width=x1 - x0, height=y1 - y0)


def touched(
    camera: Camera, light: Light, meshes: Sequence[Mesh], margin_px: int, step_px: int
) -> tuple[int, int, int, int] | None:
    """The pixels that meshes and their shadows can change, on a grid of steps; None outside the picture."""
    points = np.concatenate([m.vertices for m in meshes])
    flat = points - np.outer(points[:, 2] / max(0.2, light.direction[2]), light.direction)
    at = project(np.concatenate([points, flat]).astype(np.float32), camera.matrix, camera.width, camera.height)
    low = np.floor((at[:, :2].min(0) - margin_px) / step_px).astype(int) * step_px
    high = np.ceil((at[:, :2].max(0) + margin_px) / step_px).astype(int) * step_px
    x0, y0 = (max(0, int(v)) for v in low)
    x1, y1 = min(camera.width, int(high[0])), min(camera.height, int(high[1]))
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def render(
    background: NDArray[np.float32], camera: Camera, light: Light, figures: Sequence[Figure], things: Sequence[Mesh]
) -> Rendering:
    """Draw figures and things over a background; shadows fall on flat ground."""
    meshes = [m for f in figures for m in (*f.meshes, *f.props)] + list(things)
    looks = {f.person.number: f.person.look for f in figures}
    image = background.copy()
    if not meshes:
        return Rendering(image=image, owner=np.full(image.shape[:2], -1, np.int32))
    whole = merge(meshes)
    image *= 1 - _shadows(whole, camera, light)[..., None]
    points = project(whole.vertices, camera.matrix, camera.width, camera.height)
    seen = rasterize(points, whole.faces, camera.width, camera.height)
    counts = [len(m.faces) for m in meshes]
    owners = np.repeat([m.owner for m in meshes], counts).astype(np.int32)
    bodies = np.repeat([m.owner if m.attributes is not None else -1 for m in meshes], counts)
    hit = seen.face >= 0
    owner = np.where(hit, owners[np.where(hit, seen.face, 0)], -1).astype(np.int32)
    colors = interpolate(whole.colors, whole.faces, seen.face[hit], seen.bary[hit])
    painted = bodies[seen.face[hit]]
    attributes = _attributes(meshes, whole)
    for number, look in looks.items():
        mine = painted == number
        if mine.any():
            values = interpolate(attributes, whole.faces, seen.face[hit][mine], seen.bary[hit][mine])
            colors[mine] = paint(values, look)
    image[hit] = _lit(colors, whole, seen, hit, camera=camera, light=light)
    return Rendering(image=image, owner=owner)


def _attributes(meshes: Sequence[Mesh], whole: Mesh) -> NDArray[np.float32]:
    width = next((m.attributes.shape[1] for m in meshes if m.attributes is not None), 1)
    out = np.zeros((len(whole.vertices), width), np.float32)
    start = 0
    for mesh in meshes:
        if mesh.attributes is not None:
            out[start : start + len(mesh.vertices)] = mesh.attributes
        start += len(mesh.vertices)
    return out


def _lit(
    colors: NDArray[np.float32],
    whole: Mesh,
    seen: GBuffer,
    hit: NDArray[np.bool_],
    *,
    camera: Camera,
    light: Light,
) -> NDArray[np.float32]:
    """Hemisphere plus sun; sheets are lit from both sides."""
    both = np.concatenate([whole.normals, whole.vertices], 1)
    values = interpolate(both, whole.faces, seen.face[hit], seen.bary[hit])
    normal, place = values[:, :3], values[:, 3:]
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-6
    away = ((camera.eye.astype(np.float32) - place) * normal).sum(1) < 0
    normal[away] *= -1
    sun = np.maximum(normal @ light.direction.astype(np.float32), 0)
    sky = 0.45 + 0.55 * (0.5 + 0.5 * normal[:, 2])
    near_ground = 0.78 + 0.22 * np.clip(place[:, 2] / 0.35, 0, 1)
    strength = (light.ambient * sky + (1 - light.ambient) * 1.2 * sun) * near_ground
    return np.asarray(np.clip(colors * strength[:, None] * 255, 0, 255), np.float32)


def _shadows(whole: Mesh, camera: Camera, light: Light) -> NDArray[np.float32]:
    """Darkening 0..1: the sun's shadow and a soft one right below."""
    height, width = camera.height // 2, camera.width // 2
    out = np.zeros((height, width), np.float32)
    soft = 0.5 + width / 600
    for direction, strength, blur in ((light.direction, light.shadow, soft), ((0, 0, 1.0), 0.28, soft * 3)):
        flat = whole.vertices.copy()
        flat[:, :2] -= np.asarray(direction)[:2] * (flat[:, 2:] / max(0.2, direction[2]))
        flat[:, 2] = 0.002
        mask = coverage(project(flat, camera.matrix, width, height), whole.faces, width, height)
        out = np.maximum(out, strength * cv2.GaussianBlur(mask, (0, 0), blur))
    return np.asarray(cv2.resize(out, (camera.width, camera.height), interpolation=cv2.INTER_LINEAR), np.float32)
