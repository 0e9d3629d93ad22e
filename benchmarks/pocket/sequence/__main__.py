"""Command line: `python -m benchmarks.pocket.sequence act|train --help`."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from anomalylmm.models.pose.movenet import MoveNetPose
from anomalylmm.models.pose.posture_head import load_head
from anomalylmm.models.weights import resolve
from anomalylmm.posture.classes import EVENTS, STILLS
from anomalylmm.posture.head import SEQUENCE, PostureHead
from benchmarks.pocket.cards import Card, flatten, write_cards
from benchmarks.pocket.sequence.data import PIECE, read_acted, write_acted
from benchmarks.pocket.sequence.errors import read_errors
from benchmarks.pocket.sequence.train import EPOCHS, MEMBERS, VIEWS, Windows, see, train_head
from benchmarks.rendered.body import open_bodies

if TYPE_CHECKING:
    from numpy.typing import NDArray

FALSE_ALARMS = 0.01  # share of other moments, at which events are measured
_VIEW_SEED = 10_000_000
_SIMULATED = "simulated motion"


def main() -> None:
    """Run one command; both resume what an earlier run left."""
    options = _parser().parse_args()
    {"act": _act, "train": _train}[options.command](options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pocket.sequence", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    acting = commands.add_parser("act", help=f"write motions, {PIECE} a piece")
    acting.add_argument("--split", choices=("train", "validation", "test"), required=True)
    acting.add_argument("--pieces", type=int, nargs="+", required=True, help="numbers of the pieces to make")
    training = commands.add_parser("train", help="add a sequence head to a posture head, and print figures")
    training.add_argument("--crops", type=Path, required=True, help="folder of rendered shards: train-0000 and so on")
    training.add_argument("--cache", type=Path, required=True, help="folder in which estimated joints are kept")
    training.add_argument("--out", type=Path, required=True, help="folder that head.safetensors is written to")
    training.add_argument("--pose", default="pocket/pose", help="the pose estimator's weights")
    training.add_argument("--head", default="pocket/posture", help="the posture head's weights")
    training.add_argument("--views", type=int, default=VIEWS, help="cameras that see each motion")
    training.add_argument("--threads", type=int, default=1)
    training.add_argument("--device", default="cpu", help="where torch trains: cpu, cuda, cuda:1")
    for command in (acting, training):
        command.add_argument("--motions", type=Path, required=True, help="folder of the motions")
    return parser


def _act(options: argparse.Namespace) -> None:
    bodies = open_bodies()
    for piece in options.pieces:
        made = write_acted(bodies, options.motions, options.split, piece)
        print(f"{options.split}-{piece:04d} {'made' if made else 'was there'}", flush=True)


def _train(options: argparse.Namespace) -> None:
    from safetensors.numpy import load_file, save_file

    torch.set_num_threads(options.threads)
    estimator = MoveNetPose(resolve(options.pose, "pose"), runtime="auto", device="cpu")
    weights = resolve(options.head, "posture")
    head = load_head(weights)
    errors = read_errors(sorted(options.crops.glob("train-[0-9]*")), estimator, options.cache)
    acted = read_acted(options.motions, "train")
    arrays = train_head(see(acted, errors, head, views=options.views, seed=0), device=options.device)
    kept = {name: value for name, value in load_file(weights.path).items() if not name.startswith(SEQUENCE)}
    whole = kept | {f"{SEQUENCE}{name}": np.ascontiguousarray(value) for name, value in arrays.items()}
    options.out.mkdir(parents=True, exist_ok=True)
    save_file(whole, options.out / "head.safetensors")
    new = PostureHead.of_arrays(whole)
    figures: dict[str, Any] = {"motions": len(acted)}
    for split in ("validation", "test"):
        if held := read_acted(options.motions, split):
            figures[split] = measure(new, see(held, errors, head, views=1, seed=_VIEW_SEED))
    write_cards(options.out, extend_card(weights.path.parent / "card.json", figures, options.views))
    print(json.dumps(figures, indent=1))


def extend_card(path: Path, figures: dict[str, Any], views: int) -> Card:
    """The card of the posture head, with what the sequence head learned from and measured."""
    card = Card(**json.loads(path.read_text(encoding="utf-8")))
    about = f"; {figures['motions']} simulated motions (training bodies)"
    recipe = f"; benchmarks/pocket/sequence: {MEMBERS} perceptrons, {views} views of each motion, {EPOCHS} epochs"
    kept = {name: value for name, value in card.figures.items() if not name.startswith(_SIMULATED)}
    found = flatten({split: value for split, value in figures.items() if split != "motions"}, _SIMULATED)
    return replace(
        card,
        model_id="pocket-posture-2",
        trained_on=card.trained_on.split(about[:2])[0] + about,
        recipe=card.recipe.split(recipe[:2])[0] + recipe,
        figures=kept | found,
    )


def measure(head: PostureHead, windows: Windows) -> dict[str, Any]:
    """Share of stills named rightly, and the recall of each event at 1 % false moments."""
    if head.sequence is None:
        raise ValueError("the head has no sequence head")
    logits = head.sequence.perceptrons.logits(windows.rows).mean(axis=0)
    named = logits[:, : len(STILLS)].argmax(axis=1)
    events = {name: _recall(logits[:, len(STILLS) + k], windows.events[:, k]) for k, name in enumerate(EVENTS)}
    return {"moments": len(named), "stills named rightly": round(float((named == windows.stills).mean()), 3), **events}


def _recall(scores: NDArray[np.float64], truth: NDArray[np.float32]) -> float | None:
    shown, not_shown = scores[truth == 1], scores[truth == 0]
    if not len(shown) or not len(not_shown):
        return None
    return round(float((shown > np.quantile(not_shown, 1 - FALSE_ALARMS)).mean()), 3)


if __name__ == "__main__":
    main()
