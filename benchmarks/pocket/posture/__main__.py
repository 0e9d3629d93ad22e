"""Command line: `python -m benchmarks.pocket.posture --help`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from anomalylmm.models.pose.movenet import MoveNetPose
from anomalylmm.models.weights import resolve
from anomalylmm.posture.classes import STILLS
from benchmarks.pocket.cards import Card, write_cards
from benchmarks.pocket.posture.augment import plain_features
from benchmarks.pocket.posture.samples import Samples, read_samples
from benchmarks.pocket.posture.train import EPOCHS, MEMBERS, ROUNDS, SEED, train_head, write_head

if TYPE_CHECKING:
    from anomalylmm.posture.head import PostureHead
    from anomalylmm.protocols import PoseEstimator


def main() -> None:
    """Train the head on rendered crops and print its rendered figures as JSON."""
    options = _parser().parse_args()
    torch.set_num_threads(options.threads)
    estimator = MoveNetPose(resolve(options.pose, "pose"), runtime="auto", device="cpu")
    samples = _read(options, estimator, "train")
    head = write_head(train_head(samples, rounds=options.rounds, device=options.device), options.out)
    figures = {part: measure(head, _read(options, estimator, part)) for part in ("validation", "test")}
    if options.measured:
        figures |= read_real(json.loads(options.measured.read_text(encoding="utf-8")))
    write_cards(options.out, build_card(len(samples), estimator.model_id, options.rounds, figures))
    print(json.dumps(figures, indent=1))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pocket.posture", description=__doc__)
    parser.add_argument("--crops", type=Path, required=True, help="folder of rendered shards: train-0000 and so on")
    parser.add_argument("--out", type=Path, required=True, help="folder that head.safetensors is written to")
    parser.add_argument("--cache", type=Path, required=True, help="folder in which estimated joints are kept")
    parser.add_argument("--pose", default="pocket/pose", help="the pose estimator's weights")
    parser.add_argument("--measured", type=Path, help="JSON of `benchmarks.real crops` with this head, for the card")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="augmented copies of each crop")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="where torch trains: cpu, cuda, cuda:1")
    return parser


def _read(options: argparse.Namespace, estimator: PoseEstimator, part: str) -> Samples:
    shards = [shard for shard in sorted(options.crops.glob(f"{part}-[0-9]*")) if (shard / "rows.jsonl").is_file()]
    return read_samples(shards, estimator, options.cache)


def build_card(number: int, pose_id: str, rounds: int, figures: dict[str, dict[str, Any]]) -> Card:
    """What the head is, on what it was trained and what it measured."""
    return Card(
        model_id="pocket-posture-1",
        kind="posture_head",
        trained_on=f"{number} rendered persons (training split), whose joints {pose_id} estimated",
        recipe=f"benchmarks/pocket/posture: {MEMBERS} perceptrons, {rounds} augmented copies of each person, "
        f"{EPOCHS} epochs of AdamW",
        seeds={"numpy, torch": SEED},
        figures={f"{part}: {name}": value for part, found in figures.items() for name, value in found.items()},
    )


def read_real(measured: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The figures of real crops that a card shows."""
    shown = ("crops", "balanced_accuracy", "interval90", "false_alarm_share", "recall_down_at_5")
    return {f"real {part}": {name: found["joints"][name] for name in shown} for part, found in measured.items()}


def measure(head: PostureHead, samples: Samples) -> dict[str, Any]:
    """Share named rightly, over all and by behavior."""
    named = head.classify(plain_features(samples)).argmax(axis=1)
    right = named == samples.labels
    by_name = {
        name: round(float(right[samples.labels == number].mean()), 3)
        for number, name in enumerate(STILLS)
        if (samples.labels == number).any()
    }
    return {"persons": len(samples), "named rightly": round(float(right.mean()), 3), **by_name}


if __name__ == "__main__":
    main()
