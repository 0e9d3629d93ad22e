from __future__ import annotations

import numpy as np
import pytest

from benchmarks.rendered.appearance import draw_look
from benchmarks.rendered.backdrop import Camera
from benchmarks.rendered.raster import box_of, interpolate, look_at, merge, perspective, project, rasterize
from benchmarks.rendered.scene import zoomed
from benchmarks.rendered.thing import box, car, moved


def _camera(width: int = 200, height: int = 100) -> Camera:
    eye = np.array([0.0, -10.0, 0.0])
    matrix = perspective(40, width / height) @ look_at(eye, np.zeros(3))
    return Camera(eye=eye, matrix=matrix, width=width, height=height)


def test_box_of_pixels_equals_the_projected_corners_of_a_facing_square() -> None:
    points = np.array([[20.0, 30, 0.1], [60, 30, 0.1], [60, 80, 0.1], [20, 80, 0.1]], np.float32)
    seen = rasterize(points, np.array([[0, 1, 2], [0, 2, 3]], np.int32), 200, 100)
    assert box_of(seen.face >= 0) == (20, 30, 60, 80)
    assert (seen.face >= 0).sum() == 40 * 50


def test_the_nearer_triangle_hides_the_farther_whatever_their_order() -> None:
    camera = _camera()
    near, far = box((0, -1, 0), (1, 0.1, 1), (1, 0, 0)), box((0, 1, 0), (4, 0.1, 4), (0, 1, 0))
    for order in ((near, far), (far, near)):
        whole = merge(order)
        points = project(whole.vertices, camera.matrix, camera.width, camera.height)
        seen = rasterize(points, whole.faces, camera.width, camera.height)
        color = interpolate(whole.colors, whole.faces, seen.face[[50]][:, 100], seen.bary[[50]][:, 100])
        assert color[0].tolist() == pytest.approx([1, 0, 0], abs=1e-5)


def test_interpolated_world_points_project_back_to_their_own_pixels() -> None:
    camera = _camera()
    thing = moved(car((0.5, 0.5, 0.5)), 0.3, 1.0, 40)
    points = project(thing.vertices, camera.matrix, camera.width, camera.height)
    seen = rasterize(points, thing.faces, camera.width, camera.height)
    hit = seen.face >= 0
    world = interpolate(thing.vertices, thing.faces, seen.face[hit], seen.bary[hit])
    back = project(world, camera.matrix, camera.width, camera.height)
    rows, columns = np.nonzero(hit)
    assert np.abs(back[:, 0] - columns - 0.5).max() < 0.05
    assert np.abs(back[:, 1] - rows - 0.5).max() < 0.05


def test_what_is_behind_the_camera_is_not_drawn() -> None:
    camera = _camera()
    thing = box((0, -12, 0), (1, 1, 1), (1, 1, 1))
    points = project(thing.vertices, camera.matrix, camera.width, camera.height)
    assert (rasterize(points, thing.faces, camera.width, camera.height).face == -1).all()


def test_zooming_puts_the_chosen_center_in_the_middle() -> None:
    camera = _camera(100, 100)
    point = np.array([[0.7, 0.0, 0.4]], np.float32)
    at = project(point, camera.matrix, 1, 1)[0]
    near = zoomed(camera, (float(at[0] * 2 - 1), float(1 - at[1] * 2)), 0.2, 64, 64)
    assert project(point, near.matrix, 64, 64)[0, :2].tolist() == pytest.approx([32, 32], abs=1e-3)


def test_a_look_is_the_same_for_the_same_seed() -> None:
    from random import Random

    assert draw_look(Random(4), "woman", "red", "black") == draw_look(Random(4), "woman", "red", "black")
