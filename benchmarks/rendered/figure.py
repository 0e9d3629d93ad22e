"""A person in the world: body, clothes and pose put together as one mesh with joints.

The only file that knows bodies, looks and poses at once; it knows no camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.rendered import thing
from benchmarks.rendered.body import BONE_INDEX, JOINTS, skin
from benchmarks.rendered.garment import dress, outward_normals
from benchmarks.rendered.pose import root_rotation, rotations, turn_z
from benchmarks.rendered.raster import Mesh

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.rendered.appearance import Look
    from benchmarks.rendered.body import BodySet
    from benchmarks.rendered.garment import Piece
    from benchmarks.rendered.pose import Pose

CLEARANCE_M = 0.008


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who it is: one body in one set of clothes; pieces are at rest."""

    body: int
    look: Look
    pieces: tuple[Piece, ...]
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One instant of one person: meshes to draw and the joints' places."""

    person: Person
    meshes: tuple[Mesh, ...]
    props: tuple[Mesh, ...]
    joints: NDArray[np.float32]  # J, 3, world meters
    base: NDArray[np.float32]  # 3, the ground point under the body


def make_person(bodies: BodySet, body: int, look: Look, number: int) -> Person:
    """Dress a body once; posing is then cheap."""
    return Person(body=body, look=look, pieces=tuple(dress(bodies, body, look)), number=number)


def place(
    bodies: BodySet, person: Person, pose: Pose, at: tuple[float, float], yaw: float, *, feet_fixed: bool = False
) -> Figure:
    """Pose the person and set them on the ground at a place, facing -y turned by `yaw` degrees.

    In motion the feet stay where they are while the body tilts (`feet_fixed`); single pictures are centered.
    """
    heads, turns = bodies.heads[person.body], rotations(pose)
    turns[0] = root_rotation(pose)
    posed: list[NDArray[np.float32]] = []
    joints = heads
    for piece in person.pieces:
        vertices, joints = skin(
            piece.vertices, piece.weights, piece.bones, rotations=turns, heads=heads, parents=bodies.parents
        )
        posed.append(vertices)
    shift = _grounding(bodies, posed[0], pose, feet_fixed)
    world = turn_z(yaw)
    origin = np.array([*at, 0], np.float32)
    placed = [_settled(np.asarray((v + shift) @ world.T + origin, np.float32), pose) for v in posed]
    joints = (joints + shift) @ world.T + origin
    meshes = tuple(_mesh(bodies, person, k, v) for k, v in enumerate(placed))
    named = joints[[BONE_INDEX[j] for j in JOINTS]].astype(np.float32)
    props = tuple(thing.worn(person.look, pose, joints, yaw, person.number))
    return Figure(person=person, meshes=meshes, props=props, joints=named, base=origin)


def _grounding(bodies: BodySet, vertices: NDArray[np.float32], pose: Pose, feet_fixed: bool) -> NDArray[np.float32]:
    """Center over the origin and bring the supporting part to the ground."""
    limbs = bodies.attributes[:, 1] + bodies.attributes[:, 3]
    trunk = vertices[limbs < 0.35]
    lowest = vertices[:, 2].min()
    floor = lowest * (1 - pose.planted) + trunk[:, 2].min() * pose.planted
    center = (trunk if feet_fixed or abs(pose.tilt) < 60 else vertices).mean(0)
    if feet_fixed:
        share = min(1.0, abs(pose.tilt) / 40)
        center = center * (1 - share) + vertices[bodies.attributes[:, 4] > 0.5].mean(0) * share
    x, y = center[0], center[1]
    return np.array([-x, -y, -floor + CLEARANCE_M + pose.lift_m], np.float32)


def _settled(vertices: NDArray[np.float32], pose: Pose) -> NDArray[np.float32]:
    """Nothing sinks into the ground: flesh that would is flattened on it."""
    if pose.lift_m < 0.02:
        np.maximum(vertices[:, 2], 0.004, out=vertices[:, 2])
    return vertices


def _mesh(bodies: BodySet, person: Person, index: int, vertices: NDArray[np.float32]) -> Mesh:
    piece = person.pieces[index]
    vertices = np.ascontiguousarray(vertices, np.float32)
    color = piece.color or person.look.rgb["upper"]
    return Mesh(
        vertices=vertices,
        normals=outward_normals(vertices, piece.faces),
        faces=piece.faces,
        colors=np.tile(np.array(color, np.float32), (len(vertices), 1)),
        attributes=bodies.attributes if piece.color is None else None,
        owner=person.number,
    )
