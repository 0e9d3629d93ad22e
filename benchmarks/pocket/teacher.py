"""Real frames for the detector, labeled by a larger detector that somebody else trained (a teacher)."""

from pathlib import Path
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.pocket.detector import offline_ultralytics
from benchmarks.pocket.real import read_frames
from benchmarks.rendered.tiles import SIZE_PX, Box, box_line

FRAMES = 477  # the first 60 % of the street; the rest is for testing
EVERY = 4
TILES_PER_FRAME = 5
SURE, DOUBTFUL = 0.35, 0.12  # a tile with a doubtful box is left out: it may or may not be a person
SEED = 17


def write_real_tiles(video: Path, weights: Path, out: Path) -> int:
    """Write tiles of real frames beside the rendered ones; returns how many.

    Args:
        video: The street camera's video.
        weights: The teacher, a PyTorch pickle that the user names: it is loaded as such.
        out: The training part of a YOLO data set, {images,labels}.
    """
    teacher = offline_ultralytics(out.parent / ".teacher").YOLO(str(weights), task="detect")
    u, count = Random(SEED), 0
    for number, frame in sorted(read_frames(video, set(range(0, FRAMES, EVERY))).items()):
        result = teacher.predict(frame[..., ::-1], imgsz=960, conf=DOUBTFUL, device="cpu", verbose=False)[0]
        boxes = result.boxes.xyxy.numpy()
        sure = result.boxes.conf.numpy() >= SURE
        for part in range(TILES_PER_FRAME):
            tile = _cut_tile(frame, boxes, sure, u)
            if tile is not None:
                _write(out, f"real-{number:04d}-{part}", *tile, u)
                count += 1
    return count


def _cut_tile(
    frame: NDArray[np.uint8], boxes: NDArray[np.float32], sure: NDArray[np.bool_], u: Random
) -> tuple[NDArray[np.uint8], list[Box]] | None:
    """A square piece and the boxes 0..1 in it; None where it holds a doubtful or a cut person."""
    height, width = frame.shape[:2]
    side = u.randint(240, 480)
    x, y = u.randint(0, width - side), u.randint(0, height - side)
    inside = np.clip(boxes, [x, y, x, y], [x + side, y + side] * 2)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    share = np.prod(inside[:, 2:] - inside[:, :2], axis=1) / np.maximum(area, 1)
    if ((share > 0.1) & ~sure).any() or ((share > 0.1) & (share < 0.4)).any():
        return None
    kept = (inside[share >= 0.4] - [x, y, x, y]) / side
    piece = cv2.resize(frame[y : y + side, x : x + side], (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(piece, np.uint8), [(a, b, c, d) for a, b, c, d in kept.tolist()]


def _write(out: Path, name: str, picture: NDArray[np.uint8], boxes: list[Box], u: Random) -> None:
    quality = [cv2.IMWRITE_JPEG_QUALITY, u.randint(70, 95)]
    cv2.imwrite(str(out / "images" / f"{name}.jpg"), np.ascontiguousarray(picture[..., ::-1]), quality)
    (out / "labels" / f"{name}.txt").write_text("".join(box_line(box) for box in boxes), encoding="ascii")
