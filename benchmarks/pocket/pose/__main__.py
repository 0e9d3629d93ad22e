"""Trains the pocket pose estimator: ``python -m benchmarks.pocket.pose --help``."""

from __future__ import annotations

import argparse
import copy
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import torch

from benchmarks.pocket.pose.net import PoseNet, export
from benchmarks.pocket.pose.samples import People, read_real, read_rendered
from benchmarks.pocket.pose.training import Plan, train

if TYPE_CHECKING:
    from collections.abc import Callable

USUAL = Plan()


def read_options() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pocket.pose", description=__doc__)
    parser.add_argument("graph", type=Path, help="movenet-lightning.json, with its .bin beside it")
    parser.add_argument("crops", type=Path, help="folder of rendered shards: train-0000 and so on")
    parser.add_argument("--teacher", type=Path, required=True, help="folder of thunder3-SHARD.npz")
    parser.add_argument("--real", type=Path, required=True, help="folder of real persons: learn-*.npz")
    parser.add_argument("--out", type=Path, required=True, help="folder of what is reached; pose.onnx is written there")
    parser.add_argument("--minutes", type=float, default=USUAL.minutes)
    parser.add_argument("--device", default=USUAL.device)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Trains the net; another run with the same folder goes on."""
    options = read_options()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    net = PoseNet(options.graph)
    rendered = read_train_shards(options.crops, options.teacher)
    real = read_real(sorted(options.real.glob("learn-*.npz")))
    plan = Plan(minutes=options.minutes, device=options.device)
    write = write_into(options.out)
    write(train(net, rendered, real, options.out, plan, write))


def read_train_shards(crops: Path, teacher: Path) -> list[People]:
    """Reads all shards to train on."""
    return [
        read_rendered(shard, teacher / f"thunder3-{shard.name}.npz") for shard in sorted(crops.glob("train-[0-9]*"))
    ]


def write_into(folder: Path) -> Callable[[PoseNet], None]:
    """Gives what writes a net as ``pose.onnx`` of a folder, all at once."""

    def write(net: PoseNet) -> None:
        export(copy.deepcopy(net).cpu(), folder / "pose.tmp")
        (folder / "pose.tmp").replace(folder / "pose.onnx")

    return write


if __name__ == "__main__":
    main()
