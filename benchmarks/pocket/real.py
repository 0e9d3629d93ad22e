"""Crops of a real street: what persons were seen to do and wear there, by eye, cut out of the user's copy of the video.

`real_street.json` lists boxes of the tracklets that the first pocket detector found. Behaviors of the training part
come from the tracklet's speed, the rest was labeled by eye; colors leniently (any of the accepted ones is right).
"""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from anomalylmm.footage.crops import context_box, cut
from benchmarks.rendered.crops import SIZE_PX

LABELED = Path(__file__).with_name("real_street.json")
MARGIN = 0.15  # as the pocket profile cuts


def write_real_crops(video: Path, out: Path) -> None:
    """Write the shards train-real and real-test beside the rendered ones."""
    listed = json.loads(LABELED.read_text(encoding="utf-8"))
    for split in ("train", "test"):
        entries = [entry for entry in listed["crops"] if entry["split"] == split]
        folder = out / ("train-real" if split == "train" else "real-test")
        folder.mkdir(parents=True, exist_ok=True)
        frames = read_frames(video, {entry["frame"] for entry in entries})
        np.save(folder / "images.npy", np.stack([_cut(frames[entry["frame"]], entry["box"]) for entry in entries]))
        rows = [_row(entry, f"{split}-real-{number:04d}") for number, entry in enumerate(entries)]
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def read_frames(video: Path, wanted: set[int]) -> dict[int, NDArray[np.uint8]]:
    """The frames of these numbers, RGB."""
    stream, found, number = cv2.VideoCapture(str(video)), {}, 0
    while True:
        good, frame = stream.read()
        if not good:
            return found
        if number in wanted:
            found[number] = np.ascontiguousarray(frame[..., ::-1])
        number += 1


def _cut(frame: NDArray[np.uint8], box: list[float]) -> NDArray[np.uint8]:
    around = context_box((box[0], box[1], box[2], box[3]), frame.shape[1], frame.shape[0], margin=MARGIN)
    piece = cut(frame, around)
    way = cv2.INTER_AREA if piece.shape[0] > SIZE_PX else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(piece, (SIZE_PX, SIZE_PX), interpolation=way), np.uint8)


def _row(entry: dict[str, Any], name: str) -> dict[str, Any]:
    """In the form of a rendered row; what is not known is None."""
    colors = {part: {"color": entry[part][0], "kind": ""} if entry[part] else None for part in ("upper", "lower")}
    return {
        **{"id": name, "real": True, "behavior": entry["behavior"][0], "person": "unknown", **colors},
        **{"accepted": {key: entry[key] for key in ("behavior", "upper", "lower")}, "joints_xy": None},
        **{"shoes": None, "hat": None, "bag": None, "hair": "", "place": "street", "night": False, "twin": None},
    }
