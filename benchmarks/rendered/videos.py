"""Archives of several cameras as the product finds them, with the truth about every person and event."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import av
import cv2
import numpy as np

from benchmarks.rendered import thing
from benchmarks.rendered.appearance import COLORS, draw_look, draw_person
from benchmarks.rendered.backdrop import Camera, Place, draw_background
from benchmarks.rendered.behavior import ANOMALIES
from benchmarks.rendered.figure import make_person, place
from benchmarks.rendered.motion import state
from benchmarks.rendered.raster import box_of
from benchmarks.rendered.scene import Light, aimed_camera, cut, render, touched
from benchmarks.rendered.stage import EVERYBODY, needed
from benchmarks.rendered.story import CAR_Y_M, FENCE_Y_M, write_script

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.rendered.body import BodySet
    from benchmarks.rendered.figure import Person
    from benchmarks.rendered.motion import Segment
    from benchmarks.rendered.raster import Mesh

WIDTH, HEIGHT, OVERSAMPLING = 960, 540, 1.5
TRUTH_EVERY = 1  # frames
ZONE = ZoneInfo("Europe/Berlin")
DAY = datetime(2026, 3, 14, tzinfo=ZONE)
PLACES = (
    ("gate", "street", 10.25, 0.5, ("falling", "climbing")),
    ("square", "square", 12.675, 0.45, ("fighting", "lying", "falling")),
    ("carpark", "street", 16.09, 0.6, ("pushing", "kicking")),
    ("yard", "pavement", 18.33, 0.85, ("falling", "fighting")),
    ("crossing", "street", 8.2, 0.6, ("falling_off_bicycle", "punching")),
    ("park", "grass", 17.1, 0.7, ("collapsing", "crawling")),
    ("garage", "pavement", 11.4, 0.6, ("breaking_into_car", "fighting")),
)
DOING = {
    "standing": "is standing",
    "walking": "is walking",
    "running": "is running",
    "phoning": "is talking on the phone",
    "carrying": "is carrying a box",
    "waving": "is waving",
    "bending": "is bending down",
    "crouching": "is crouching",
    "falling": "falls to the ground",
    "lying": "is lying on the ground",
    "fighting": "is fighting with another person",
    "pushing": "pushes another person",
    "kicking": "is kicking another person",
    "climbing": "is climbing over a fence",
    "cycling": "is riding a bicycle",
    "sitting": "is sitting",
    "punching": "is punching another person",
    "hit_by_person": "is beaten by another person",
    "collapsing": "collapses",
    "crawling": "is crawling on the ground",
    "falling_off_bicycle": "falls off a bicycle",
    "breaking_into_car": "is breaking into a car",
    "rising": "gets up from the ground",
    "recoiling": "is backing away",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """How long the videos are: rounds of a story, each followed by a time in which nobody comes."""

    seconds: float = 40.0
    still_seconds: float = 0.0
    rounds: int = 1
    fps: int = 12

    @property
    def round_seconds(self) -> float:
        """Of a story and the stillness after it."""
        return self.seconds + self.still_seconds

    @property
    def num_frames(self) -> int:
        """Of the whole video."""
        return int(self.rounds * self.round_seconds * self.fps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """One camera's unchanging part."""

    name: str
    camera: Camera
    background: NDArray[np.float32]
    still: NDArray[np.float32]  # the empty scene with its things, at the size of the video
    light: Light
    things: tuple[Mesh, ...]
    dusk: bool
    starts: datetime
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One person of one video and what they do in it."""

    person: Person
    segments: tuple[Segment, ...]
    person_id: str


def write_archive(bodies: BodySet, out: Path, seed: int, cameras: int, length: Length) -> None:
    """Render every camera's video and write the truth last."""
    truth: dict[str, Any] = {"seed": seed, "box_format": "xyxy_px", "cameras": [], "events": [], "persons": []}
    for number in range(cameras):
        u = Random(seed * 1000 + number)
        stage = _set(u, number)
        roles = _roles(bodies, u, stage, length)
        path = out / stage.name / f"{stage.starts:%Y-%m-%d}" / f"{stage.starts:%H-%M-%S}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        seen = _film(bodies, path, stage, roles, length=length, seed=seed)
        truth["cameras"].append(_camera_record(stage, path.relative_to(out).as_posix(), length))
        truth["persons"] += [{"person_id": r.person_id, **r.person.look.words()} for r in roles if seen[r.person_id]]
        truth["events"] += list(_events(stage, path.relative_to(out).as_posix(), roles, seen, length.fps))
    partial = out / "truth.partial"
    partial.write_text(json.dumps(truth, indent=None) + "\n", encoding="utf-8")
    partial.replace(out / "truth.json")


def _set(u: Random, number: int) -> Set:
    name, ground, hour, ambient, kinds = PLACES[number % len(PLACES)]
    if number >= len(PLACES):
        name = f"{name}{number // len(PLACES) + 1}"
    camera = aimed_camera(
        np.array([0.0, 0.0, 0.75]),
        u.uniform(10.6, 11.6),
        u.uniform(15, 20),
        28,
        width=int(WIDTH * OVERSAMPLING),
        height=int(HEIGHT * OVERSAMPLING),
    )
    where = Place(
        name=ground,
        ground=u.randrange(1 << 20),
        wall=u.randrange(1 << 20),
        wall_y_m=u.uniform(8.5, 12),
        pixels_per_m=u.uniform(80, 130),
        offset_px=u.uniform(0, 480),
        wall_shift=u.uniform(0.8, 1.1),
    )
    direction = np.array([u.uniform(-0.7, 0.7), u.uniform(-0.8, 0.2), 0.9])
    light = Light(direction=direction / np.linalg.norm(direction), ambient=ambient, shadow=0.5 * (1 - 0.6 * ambient))
    background = draw_background(where, camera, "demo")
    things = tuple(_furniture(u, name, "climbing" in kinds))
    empty = render(background, camera, light, (), things).image
    return Set(
        name=name,
        camera=camera,
        background=background,
        still=cv2.resize(empty, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA),
        light=light,
        things=things,
        dusk=name.startswith("yard"),
        starts=DAY + timedelta(hours=hour),
        kinds=kinds,
    )


def _furniture(u: Random, name: str, fenced: bool) -> Iterator[Mesh]:
    if fenced:
        yield thing.moved(thing.fence(1.7, 22.0, (0.33, 0.36, 0.34)), 0, FENCE_Y_M, 0)
    if name.startswith(("carpark", "garage")):
        for x in (-5.2, 0.4, 5.6):
            y = u.uniform(5.4, 5.8) if name.startswith("carpark") else CAR_Y_M
            yield thing.moved(thing.car(u.choice(thing.PAINTS)), x, y, u.choice([0, 180]))
    if name.startswith("square"):
        yield thing.moved(thing.bench(0.45, 1.8), -3.2, 4.6, 0)
        yield thing.moved(thing.bench(0.45, 1.8), 2.6, 4.6, 0)
    if name.startswith("yard"):
        yield thing.box((3.8, 5.0, 0.6), (1.4, 0.9, 1.2), (0.16, 0.3, 0.2))
        yield thing.box((-4.6, 5.2, 0.4), (0.9, 0.9, 0.8), (0.45, 0.36, 0.26), 20)
    x = u.choice([-1, 1]) * u.uniform(4.0, 4.8)
    yield thing.bar((x, 4.2, 0), (x, 4.2, 5.0), 0.12, thing.METAL)


def _roles(bodies: BodySet, u: Random, stage: Set, length: Length) -> list[Role]:
    """Everybody of the video, no two in the same colors of upper clothes where that can be had."""
    paths = [path for number in range(length.rounds) for path in _round(u, stage, length, number)]
    uppers, roles = u.sample(COLORS, len(COLORS)), []
    for index, path in enumerate(paths):
        person, upper = draw_person(u), uppers[index % len(uppers)]
        while person not in EVERYBODY[:2] and index < 4:
            person = draw_person(u)
        lower = u.choice([c for c in ("black", "blue", "gray", "white", "brown", "green", "red") if c != upper])
        look = draw_look(u, person, upper, lower)
        who = make_person(bodies, u.choice(bodies.choices("demo", person)), look, index)
        roles.append(Role(person=who, segments=path, person_id=f"{stage.name}-{index:02d}"))
    return roles


def _round(u: Random, stage: Set, length: Length, number: int) -> list[tuple[Segment, ...]]:
    """What everybody does in one round."""
    later = number * length.round_seconds
    return [
        tuple(replace(segment, start=segment.start + later, end=segment.end + later) for segment in path)
        for story in write_script(u, stage.kinds, 5, length.seconds)
        for path in story.paths
    ]


def _film(
    bodies: BodySet, path: Path, stage: Set, roles: Sequence[Role], *, length: Length, seed: int
) -> dict[str, list[tuple[float, str, tuple[float, ...]]]]:
    """Encode the video; per person the times, behaviors and boxes where they are seen."""
    seen: dict[str, list[tuple[float, str, tuple[float, ...]]]] = {r.person_id: [] for r in roles}
    rng = np.random.default_rng(seed)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=length.fps, options={"crf": "25", "g": str(2 * length.fps), "preset": "medium"}
        )
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(length.num_frames):
            picture, boxes = _frame(bodies, stage, roles, index / length.fps, rng)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
            for person_id, behavior, box in boxes:
                if index % TRUTH_EVERY == 0:
                    seen[person_id].append((round(index / length.fps, 3), behavior, box))
        for packet in stream.encode():
            container.mux(packet)
    return seen


def _frame(
    bodies: BodySet, stage: Set, roles: Sequence[Role], seconds: float, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], list[tuple[str, str, tuple[float, ...]]]]:
    figures, things, doing = [], list(stage.things), []
    for role in roles:
        now = state(role.segments, seconds)
        if now is None:
            continue
        figure = place(bodies, role.person, now.pose, (now.x, now.y), now.yaw, feet_fixed=True)
        if now.pose.prop not in ("fence", "car_side", "car_front"):
            things += needed(now.pose, figure, now.yaw, Random(role.person.number))
        figures.append(figure)
        doing.append((role, now.behavior))
    out, corner, owner = stage.still.copy(), (0, 0), None
    region = touched(stage.camera, stage.light, [m for f in figures for m in f.meshes], 24, 6) if figures else None
    if region is not None:
        x0, y0, x1, y1 = region
        part = cut(stage.camera, *region)
        shown = render(stage.background[y0:y1, x0:x1], part, stage.light, figures, things)
        corner, owner = (x0, y0), shown.owner
        left, top, right, bottom = (int(v / OVERSAMPLING) for v in region)
        out[top:bottom, left:right] = cv2.resize(
            shown.image, (right - left, bottom - top), interpolation=cv2.INTER_AREA
        )
    boxes = [
        (role.person_id, behavior, box)
        for role, behavior in doing
        if owner is not None and (box := _box(owner == role.person.number, corner)) is not None
    ]
    return _stored(out, stage.dusk, rng), boxes


def _box(mask: NDArray[np.bool_], corner: tuple[int, int]) -> tuple[float, ...] | None:
    """The visible box in pixels of the video; None where hardly anything is seen."""
    box = box_of(mask)
    if box is None or (box[2] - box[0]) * (box[3] - box[1]) <= 600 * OVERSAMPLING**2:
        return None
    return tuple(round((v + corner[k % 2]) / OVERSAMPLING, 1) for k, v in enumerate(box))


def _stored(picture: NDArray[np.float32], dusk: bool, rng: np.random.Generator) -> NDArray[np.uint8]:
    out = picture * np.array([0.66, 0.64, 0.7], np.float32) + 4 if dusk else picture
    grain = rng.standard_normal((HEIGHT // 2, WIDTH // 2), dtype=np.float32) * (2.0 if dusk else 1.0)
    out = out + cv2.resize(grain, (WIDTH, HEIGHT))[..., None]
    return np.asarray(np.clip(out, 0, 255), np.uint8)


def _camera_record(stage: Set, path: str, length: Length) -> dict[str, Any]:
    start = stage.starts.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    video = {
        "path": path,
        "start_utc": start,
        "fps": length.fps,
        "width": WIDTH,
        "height": HEIGHT,
        "seconds": length.num_frames / length.fps,
    }
    return {"camera": stage.name, "time_zone": str(ZONE), "videos": [video]}


def _events(
    stage: Set, path: str, roles: Sequence[Role], seen: dict[str, list[tuple[float, str, tuple[float, ...]]]], fps: int
) -> Iterator[dict[str, Any]]:
    number = 0
    for role in roles:
        for segment in role.segments:
            boxes = [(t, *box) for t, _, box in seen[role.person_id] if segment.start <= t < segment.end]
            if not boxes or segment.behavior in ("recoiling", "rising"):
                continue
            yield {
                "event_id": f"{stage.name}-e{number:02d}",
                "camera": stage.name,
                "video": path,
                "person_id": role.person_id,
                "behavior": segment.behavior,
                "anomaly": segment.behavior in ANOMALIES,
                "start_seconds": boxes[0][0],
                "end_seconds": round(boxes[-1][0] + TRUTH_EVERY / fps, 3),
                "caption": caption(role.person.look.words(), segment.behavior),
                "boxes": boxes,
            }
            number += 1


def caption(words: dict[str, Any], behavior: str) -> str:
    """One plain sentence about a person and what they do."""
    upper, lower = words["upper"], words["lower"]
    subject = f"{_article(words['person'])} {words['person']}"
    top = f"{_article(upper['color'])} {upper['color']} {upper['kind']}"
    bottom = f"{lower['color']} {lower['kind']}"
    if lower["kind"] == "skirt":
        bottom = f"{_article(bottom)} {bottom}"
    return f"{subject[0].upper()}{subject[1:]} in {top} and {bottom} {DOING[behavior]}."


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
