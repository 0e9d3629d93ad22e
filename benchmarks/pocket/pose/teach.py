"""Makes what the pose net learns from its teacher: faces of rendered persons, and all joints of real ones.

python -m benchmarks.pocket.pose.teach THUNDER.json --boxes START.onnx --real FOLDER --crops FOLDER --out FOLDER
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from anomalylmm.records import Detections
from benchmarks.pocket.nanodet.boxes import BoxFinder
from benchmarks.pocket.nanodet.teach import Footage, iter_frames
from benchmarks.pocket.pose.teacher import ThreeTurns
from benchmarks.pocket.posture.samples import read_samples
from benchmarks.real.footage import Part, list_files

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARTS: dict[Part, tuple[str, float]] = {
    "learn": ("learn", 0.25),
    "validation": ("val", 0.5),
}  # names, seconds between frames
STREET_SECONDS = 48.0  # of the street that may be learned from
MIN_SCORE, MAX_PERSONS, MIN_PX = 0.35, 12, 40
SIDE_PX, AROUND = 224, 1.8  # of the pictures that are kept, and how much larger than the box's longer side they are


def main() -> None:
    """Writes thunder3-*.npz of the rendered shards, and learn-*.npz and val-*.npz of real persons."""
    options = read_options()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    teacher, finder = ThreeTurns(options.graph), BoxFinder(options.boxes)
    shards = sorted(shard for shard in options.crops.iterdir() if (shard / "rows.jsonl").is_file())
    read_samples(shards, teacher, options.out)
    for part, (name, every) in PARTS.items():
        for file in list_files(part, "videos"):
            footage = Footage(path=options.real / file, every_seconds=every)
            number = footage.path.name.split("_")[0]
            write_people(footage, finder, teacher, options.out / f"{name}-{number}.npz")
    if options.street:
        street = Footage(path=options.street, stop_seconds=STREET_SECONDS, every_seconds=1.0)
        write_people(street, finder, teacher, options.out / "learn-street.npz")


def read_options() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pocket.pose.teach", description=__doc__)
    parser.add_argument("graph", type=Path, help="movenet-thunder.json, with its .bin beside it")
    parser.add_argument("--boxes", type=Path, required=True, help="start.onnx of benchmarks.pocket.nanodet")
    parser.add_argument("--real", type=Path, required=True, help="folder of labeled real footage (benchmarks/real)")
    parser.add_argument("--street", type=Path, help="OpenCV's sample vtest.avi")
    parser.add_argument("--crops", type=Path, required=True, help="folder of rendered shards")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def write_people(footage: Footage, finder: BoxFinder, teacher: ThreeTurns, path: Path) -> None:
    """Writes the persons of one video: pictures (N, S, S, 3), joints (N, 17, 3) and boxes (N, 4) in 0..1 of them."""
    rows = []
    for _, image in iter_frames(footage):
        boxes, _ = finder.find_turned(image, MIN_SCORE)
        for box in boxes[:MAX_PERSONS]:
            if max(box[2] - box[0], box[3] - box[1]) >= MIN_PX:
                person = Detections(boxes_xyxy_px=box[None], scores=np.ones(1, np.float32))
                rows.append(cut_person(image, box, teacher.estimate([image], [person])[0][0]))
    images, joints, boxes = (np.array(column) for column in zip(*rows, strict=True)) if rows else ((), (), ())
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, images=np.asarray(images, np.uint8), joints=np.asarray(joints, np.float32), boxes=boxes)


def cut_person(
    image: NDArray[np.uint8], box: NDArray[np.float32], joints: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """Cuts a square with room around a box (4,); its joints (17, 3) and the box in 0..1 of the square."""
    side = AROUND * float(max(box[2] - box[0], box[3] - box[1]))
    center = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
    scale = SIDE_PX / side
    shift = SIDE_PX / 2 - center * scale
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
    cut = cv2.warpAffine(image, matrix, (SIDE_PX, SIDE_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    placed = joints.copy()
    placed[:, :2] = (joints[:, :2] - center) / side + 0.5
    return np.asarray(cut, np.uint8), placed, ((box.reshape(2, 2) - center) / side + 0.5).reshape(4).astype(np.float32)


if __name__ == "__main__":
    main()
