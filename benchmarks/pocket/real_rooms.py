"""Real crops of the part that may be learned: labeled by eye, or by joints where they are sure (their own teacher)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from anomalylmm.footage.crops import context_box, cut
from anomalylmm.posture.classes import STILLS
from benchmarks.real.footage import find_file, list_files, read_crops
from benchmarks.rendered.captions import BEHAVIORS
from benchmarks.rendered.crops import SIZE_PX
from flows.composition import Composition
from flows.evaluate.ablation.postures import score_picture
from flows.settings.model import load_settings

Image = NDArray[np.uint8]
SURE = 0.55  # share of the best posture from which the teacher's answer is taken
STEP_SECONDS = 0.4
MARGIN = 0.15
TAUGHT = ("standing", "walking", "sitting", "crouching", "bending", "lying")  # a still does not show the rest


def write_room_crops(data: Path, out: Path) -> int:
    """Write the shard train-rooms; returns how many crops it has."""
    found = [*_labeled(data), *_taught(data)]
    folder = out / "train-rooms"
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "images.npy", np.stack([image for image, _ in found]))
    rows = [_row(behavior, f"rooms-{number:04d}") for number, (_, behavior) in enumerate(found)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return len(found)


def _labeled(data: Path) -> Iterator[tuple[Image, str]]:
    for file, behavior in read_crops("learn", data):
        if behavior in BEHAVIORS:
            picture: Any = cv2.imread(str(find_file(data, file)))
            yield _squeeze(np.ascontiguousarray(picture[..., ::-1])), behavior


def _taught(data: Path) -> Iterator[tuple[Image, str]]:
    composition = Composition(load_settings("pocket", None))
    if composition.bodies is None:
        raise SystemExit("the pocket profile estimates no poses")
    for file in list_files("learn", "videos/"):
        for frame in _frames(find_file(data, file)):
            (found,) = composition.detector.detect([frame])
            for box in found.boxes_xyxy_px:
                piece = cut(frame, context_box(tuple(box.tolist()), frame.shape[1], frame.shape[0], margin=MARGIN))
                scores = score_picture(composition.detector, composition.bodies, piece)[: len(STILLS)]
                best = STILLS[int(scores.argmax())]
                if scores.max() >= SURE and best in TAUGHT:
                    yield _squeeze(piece), best


def _frames(path: Path) -> Iterator[Image]:
    stream, last = cv2.VideoCapture(str(path)), -STEP_SECONDS
    while True:
        good, frame = stream.read()
        if not good:
            return
        now = stream.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if now - last >= STEP_SECONDS:
            last = now
            yield np.ascontiguousarray(frame[..., ::-1])


def _squeeze(piece: Image) -> Image:
    way = cv2.INTER_AREA if piece.shape[0] > SIZE_PX else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(piece, (SIZE_PX, SIZE_PX), interpolation=way), np.uint8)


def _row(behavior: str, name: str) -> dict[str, Any]:
    """In the form of a rendered row; what is not known is None."""
    return {
        **{"id": name, "real": True, "behavior": behavior, "person": "unknown", "upper": None, "lower": None},
        **{"accepted": {"behavior": [behavior], "upper": [], "lower": []}, "joints_xy": None},
        **{"shoes": None, "hat": None, "bag": None, "hair": "", "place": "room", "night": False, "twin": None},
    }
