"""The three recipes in order, and their evaluation, as the command line calls them."""

import json
from pathlib import Path

import torch

from benchmarks.pocket.data import Crops
from benchmarks.pocket.progress import Progress

WHAT = ("encoder", "judge", "detector")


def train(*, data: Path, out: Path, minutes: float, what: str, start: Path | None, threads: int) -> None:
    """Train what was asked for, each within its own time budget."""
    torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    for name in WHAT if what == "all" else (what,):
        _TRAINERS[name](data, out, minutes, start)


def evaluate(*, data: Path, weights: Path, split: str, what: str) -> None:
    """Print rendered figures as JSON."""
    from benchmarks.pocket import evaluation

    wanted = WHAT if what == "all" else (what,)
    print(json.dumps(evaluation.measure(data, weights, split, wanted), indent=1))


def _train_encoder(data: Path, out: Path, minutes: float, start: Path | None) -> None:
    from benchmarks.pocket.encoder import EncoderTrainer

    EncoderTrainer(_training_crops(data), out, Progress(60 * minutes), start=start).run()


def _train_judge(data: Path, out: Path, minutes: float, _start: Path | None) -> None:
    from benchmarks.pocket.judge import JudgeTrainer

    JudgeTrainer(_training_crops(data), out, Progress(60 * minutes)).run()


def _train_detector(data: Path, out: Path, minutes: float, _start: Path | None) -> None:
    from benchmarks.pocket.detector import train_detector

    train_detector(data / "tiles", out, minutes=minutes, epochs=30)


def _training_crops(data: Path) -> Crops:
    crops = Crops(data / "crops", "train", keep_held_out=False)
    if not crops.refresh():
        raise SystemExit(f"no complete training shard under {data / 'crops'}; render some first")
    return crops


_TRAINERS = {"encoder": _train_encoder, "judge": _train_judge, "detector": _train_detector}
