"""Command line: `python -m benchmarks.pocket.posture --help`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from anomalylmm.models.registry import PoseSpec, build_pose
from anomalylmm.posture.classes import STILLS
from benchmarks.pocket.posture.augment import plain_features
from benchmarks.pocket.posture.samples import Samples, read_samples
from benchmarks.pocket.posture.train import ROUNDS, train_head, write_head

if TYPE_CHECKING:
    from anomalylmm.posture.head import PostureHead
    from anomalylmm.protocols import PoseEstimator


def main() -> None:
    """Train the head on rendered crops and print its rendered figures as JSON."""
    options = _parser().parse_args()
    torch.set_num_threads(options.threads)
    estimator = build_pose(PoseSpec(weights=options.pose, device="cpu"))
    head = write_head(train_head(_read(options, estimator, "train"), rounds=options.rounds), options.out)
    print(
        json.dumps({part: measure(head, _read(options, estimator, part)) for part in ("validation", "test")}, indent=1)
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pocket.posture", description=__doc__)
    parser.add_argument("--crops", type=Path, required=True, help="folder of rendered shards: train-0000 and so on")
    parser.add_argument("--out", type=Path, required=True, help="folder that head.safetensors is written to")
    parser.add_argument("--cache", type=Path, required=True, help="folder in which estimated joints are kept")
    parser.add_argument("--pose", default="pocket/pose", help="the pose estimator's weights")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="augmented copies of each crop")
    parser.add_argument("--threads", type=int, default=1)
    return parser


def _read(options: argparse.Namespace, estimator: PoseEstimator, part: str) -> Samples:
    shards = [shard for shard in sorted(options.crops.glob(f"{part}-[0-9]*")) if (shard / "rows.jsonl").is_file()]
    return read_samples(shards, estimator, options.cache)


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
