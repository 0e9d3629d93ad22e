"""Who and what is needed for a behavior: partner, vehicle, bench, fence; and passers-by and street furniture."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.rendered import thing
from benchmarks.rendered.appearance import draw_colors, draw_look, draw_person
from benchmarks.rendered.behavior import partner, pose
from benchmarks.rendered.figure import make_person, place
from benchmarks.rendered.pose import turn_z

if TYPE_CHECKING:
    from benchmarks.rendered.body import BodySet
    from benchmarks.rendered.figure import Figure, Person
    from benchmarks.rendered.pose import Pose
    from benchmarks.rendered.raster import Mesh

PHASES = {"falling": (0.38, 0.8), "jumping": (0.3, 0.7), "punching": (0.36, 0.64), "kicking": (0.36, 0.64)}
PHASES |= {"pushing": (0.38, 0.62), "fighting": (0.36, 0.64), "collapsing": (0.4, 0.78)}
PHASES |= {"falling_off_bicycle": (0.45, 0.95)}
TALL = ("man", "woman", "old man", "old woman")
EVERYBODY = (*TALL, "boy", "girl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """The subject first, then the partner if any."""

    figures: tuple[Figure, ...]
    things: tuple[Mesh, ...]
    variant: str
    other: dict[str, Any] | None
    fence_y: float | None = None


def perform(bodies: BodySet, split: str, behavior: str, subject: Person, u: Random) -> Cast:
    """The subject at the origin doing the behavior in a random direction, with what belongs to it."""
    seed, yaw = u.randrange(1 << 30), u.uniform(0, 360)
    low, high = PHASES.get(behavior, (0.0, 1.0))
    now = pose(behavior, u.uniform(low, high), seed)
    figure = place(bodies, subject, now, (0, 0), yaw)
    figures, other = [figure], None
    role = partner(behavior, seed)
    if role is not None:
        mate = stranger(bodies, split, u, 1)
        spot = turn_z(yaw) @ np.array([role.x_m, role.y_m, 0], np.float32)
        theirs = pose(role.behavior, u.uniform(0.35, 0.65), u.randrange(1 << 30))
        figures.append(place(bodies, mate, theirs, (float(spot[0]), float(spot[1])), yaw + role.yaw_degrees))
        other = {k: v for k, v in mate.look.words().items() if k in ("upper", "lower", "person")}
    return Cast(
        figures=tuple(figures),
        things=tuple(needed(now, figure, yaw, u)),
        variant=now.variant,
        other=other,
        fence_y=0.0 if now.prop == "fence" else None,
    )


def needed(now: Pose, figure: Figure, yaw: float, u: Random) -> list[Mesh]:
    """Things a pose can't do without, at the figure's place."""
    x, y = float(figure.base[0]), float(figure.base[1])
    made: list[tuple[Mesh, float, float, float]] = []
    if now.prop == "bench":
        made.append((thing.bench(_seat_height(figure), u.uniform(0.7, 1.8)), 0, 0.02, 0))
    elif now.prop == "bicycle":
        made.append((thing.bicycle(u.choice(thing.PAINTS)), 0, 0.02, 0))
    elif now.prop == "bicycle_down":
        toward = -1 if now.azimuth < 0 else 1
        tipped = thing.tipped(thing.bicycle(u.choice(thing.PAINTS)), toward * 84 * (1 - min(1.0, now.lift_m / 0.86)))
        made.append((tipped, u.uniform(-0.15, 0.15), u.uniform(-0.2, 0.2), u.uniform(-15, 15)))
    elif now.prop == "fence":
        made.append((thing.fence(u.uniform(1.5, 2.1), 4.5, u.choice(thing.PAINTS)), 0, -0.32, 0))
    elif now.prop == "car_front":
        made.append((thing.car(u.choice(thing.PAINTS)), 0, u.uniform(2.5, 2.8), 90))
    elif now.prop == "car_side":
        made.append((thing.car(u.choice(thing.PAINTS)), u.uniform(-0.3, 0.9), -1.5, u.choice([0, 180])))
    out = []
    for mesh, dx, dy, turned in made:
        spot = turn_z(yaw) @ np.array([dx, dy, 0], np.float32)
        out.append(thing.moved(mesh, x + float(spot[0]), y + float(spot[1]), yaw + turned))
    return out


def _seat_height(figure: Figure) -> float:
    """Right under the thighs' upper ends."""
    hips = figure.joints[8:10, 2]
    return max(0.2, float(hips.min()) - 0.09)


def stranger(bodies: BodySet, split: str, u: Random, number: int, kinds: tuple[str, ...] = TALL) -> Person:
    """Somebody of the split, dressed at random."""
    upper, lower = draw_colors(u)
    person = draw_person(u)
    while person not in kinds:
        person = draw_person(u)
    return make_person(bodies, u.choice(bodies.choices(split, person)), draw_look(u, person, upper, lower), number)


def passers_by(bodies: BodySet, split: str, u: Random) -> tuple[Figure, ...]:
    """One or two persons further away, never in front of the subject."""
    out = []
    for number in range(10, 10 + u.choice([1, 1, 2])):
        now = pose(u.choice(["standing", "walking", "walking", "sitting"]), u.random(), u.randrange(1 << 30))
        away = u.uniform(1.5, 6)
        figure = place(bodies, stranger(bodies, split, u, number), now, (u.uniform(-1.6, 1.6), away), u.uniform(0, 360))
        out.append(figure)
    return tuple(out)


def furniture(u: Random, figure: Figure) -> list[Mesh]:
    """Boxes and poles: sometimes one in front of the subject, sometimes some behind."""
    out = []
    if u.random() < 0.16:
        out.append(_in_front(u, figure))
    for _ in range(u.choice([0, 0, 0, 1, 2])):
        tall = u.uniform(0.3, 1.4)
        spot = (u.choice([-1, 1]) * u.uniform(0.9, 2.5), u.uniform(1.2, 5), tall / 2)
        tone = u.uniform(0.12, 0.6)
        color = (tone, tone * u.uniform(0.85, 1.1), tone * u.uniform(0.8, 1.1))
        out.append(thing.box(spot, (u.uniform(0.2, 1.2), u.uniform(0.2, 0.8), tall), color, u.uniform(0, 90)))
    if u.random() < 0.12:
        out.append(
            thing.moved(thing.car(u.choice(thing.PAINTS)), u.uniform(-3, 3), u.uniform(3, 7), u.uniform(-20, 20))
        )
    return out


def _in_front(u: Random, figure: Figure) -> Mesh:
    points = np.concatenate([m.vertices for m in figure.meshes])
    near, x = float(points[:, 1].min()) - u.uniform(0.15, 0.5), u.uniform(points[:, 0].min(), points[:, 0].max())
    tone = u.uniform(0.12, 0.55)
    if u.random() < 0.5:
        return thing.bar((x, near, 0), (x, near, 3.0), u.uniform(0.06, 0.14), (tone, tone, tone))
    high = float(points[:, 2].max()) * u.uniform(0.2, 0.45)
    return thing.box((x, near, high / 2), (u.uniform(0.4, 1.2), 0.2, high), (tone, tone * 0.95, tone * 0.9))
