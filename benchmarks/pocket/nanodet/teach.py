"""Labels real frames by NanoDet's start weights at three quarter turns, which is slow and finds most lying persons.

Where a video shows one person, the best box is taken if it is sure; elsewhere a frame is used only if every likely
person is surely one. Unsure boxes are not painted out: they are beds and doors in turned pictures, and persons too.
The box of somebody alone is then drawn anew around the joints that a pose teacher finds in it, because boxes of turned
pictures often hold half a bed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from anomalylmm.posture.features import box_overlap
from anomalylmm.records import Detections

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from anomalylmm.protocols import PoseEstimator
    from benchmarks.pocket.nanodet.boxes import BoxFinder

LIKELY, SURE, SURE_ALONE = 0.36, 0.42, 0.3
SURE_JOINT, MIN_JOINTS = 0.2, 7  # of the twelve joints from the shoulders down
JOINT_MARGIN = 0.07  # of the joints' extent, by which a body is larger than its joints
MIN_AGREEMENT = 0.6  # IoU of both boxes, from which their mean is taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Footage:
    """A video, or a picture, that may be learned from."""

    path: Path
    alone: bool = False  # exactly one person is in every frame
    stop_seconds: float = float("inf")
    every_seconds: float = 0.15


def write_labels(footage: list[Footage], teacher: BoxFinder, joints: PoseEstimator, out: Path) -> int:
    """Write images/ and labels/ in YOLO's format; gives the number of pictures."""
    for name in ("images", "labels"):
        (out / name).mkdir(parents=True, exist_ok=True)
    written = 0
    for item in footage:
        for seconds, image in iter_frames(item):
            boxes = choose(*teacher.find_turned(image, SURE_ALONE), alone=item.alone)
            if boxes is not None and item.alone:
                boxes = around_joints(image, boxes[0], joints)
            if boxes is None:
                continue
            name = f"real-{item.path.stem}-{seconds:07.2f}"
            cv2.imwrite(str(out / "images" / f"{name}.jpg"), np.ascontiguousarray(image[..., ::-1]))
            (out / "labels" / f"{name}.txt").write_text(_lines(boxes, image.shape), encoding="ascii")
            written += 1
    return written


def choose(boxes: NDArray[np.float32], scores: NDArray[np.float32], *, alone: bool) -> NDArray[np.float32] | None:
    """The boxes of a frame that is sure, else None."""
    if alone:
        return boxes[:1] if len(boxes) and scores[0] >= SURE_ALONE else None
    likely = scores >= LIKELY
    return boxes[likely] if likely.any() and (scores[likely] >= SURE).all() else None


def around_joints(
    image: NDArray[np.uint8], box: NDArray[np.float32], joints: PoseEstimator
) -> NDArray[np.float32] | None:
    """The box (1, 4) around the sure joints of the person in a box (4,); None where too few are sure."""
    for _ in range(2):  # the second time in the box of the first
        person = Detections(boxes_xyxy_px=box[None].astype(np.float32), scores=np.ones(1, np.float32))
        found = joints.estimate([image], [person])[0][0]
        sure = found[:, 2] > SURE_JOINT
        if sure[5:].sum() < MIN_JOINTS:
            return None
        low, high = found[sure, :2].min(axis=0), found[sure, :2].max(axis=0)
        grown = JOINT_MARGIN * float((high - low).max())
        limits = np.array([image.shape[1], image.shape[0]] * 2)
        drawn = np.clip(np.concatenate([low - grown, high + grown]), 0, limits)
        box = drawn if box_overlap(drawn, box) < MIN_AGREEMENT else (drawn + box) / 2
    return box[None].astype(np.float32)


def iter_frames(item: Footage) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Frames at a regular distance, RGB, at most 960 px on their longer side."""
    stream = cv2.VideoCapture(str(item.path))
    rate, wanted, number = stream.get(cv2.CAP_PROP_FPS) or 25.0, 0.0, 0
    while True:
        good, frame = stream.read()
        seconds, number = number / rate, number + 1
        if not good or seconds >= item.stop_seconds:
            return
        if seconds + 1e-6 >= wanted:
            wanted += item.every_seconds
            yield seconds, _limited(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))


def _limited(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    share = 960 / max(image.shape[:2])
    small = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA) if share < 1 else image
    return np.asarray(small, np.uint8)


def _lines(boxes: NDArray[np.float32], shape: tuple[int, ...]) -> str:
    table = boxes / np.array([shape[1], shape[0]] * 2, np.float32)
    rows = ((x0 + x1, y0 + y1, x1 - x0, y1 - y0) for x0, y0, x1, y1 in table.tolist())
    return "".join(f"0 {x / 2:.5f} {y / 2:.5f} {w:.5f} {h:.5f}\n" for x, y, w, h in rows)
