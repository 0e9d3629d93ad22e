"""Command line of the recipes: `python -m benchmarks.pocket train|evaluate`."""

import argparse
from pathlib import Path

from benchmarks.pocket.recipes import WHAT, evaluate, train


def main() -> None:
    """Parse the command line and run one recipe."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pocket", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train", help="train one model, or all of them, resumable")
    measuring = commands.add_parser("evaluate", help="print rendered figures of trained weights")
    for command in (training, measuring):
        command.add_argument("--data", type=Path, required=True, help="folder with crops/ and tiles/")
        command.add_argument("--what", choices=[*WHAT, "all"], default="all")
    training.add_argument("--out", type=Path, required=True, help="check-points and finished weights")
    training.add_argument("--minutes", type=float, default=25.0, help="time budget of each model, all runs together")
    training.add_argument("--start", type=Path, help="finished encoder check-point to begin a new budget from")
    training.add_argument("--threads", type=int, default=2)
    measuring.add_argument("--weights", type=Path, default=Path("anomalylmm/weights/pocket"))
    measuring.add_argument("--split", choices=("validation", "test"), default="validation")
    arguments = vars(parser.parse_args())
    {"train": train, "evaluate": evaluate}[arguments.pop("command")](**arguments)


if __name__ == "__main__":
    main()
