"""Command line of the recipes: `python -m benchmarks.pocket train|real|evaluate|ship`."""

import argparse
from pathlib import Path

from benchmarks.pocket.recipes import MEASURED, TRAINED, evaluate, ship, take_in_street, train


def main() -> None:
    """Parse the command line and run one recipe."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pocket", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train", help="train one model, or all of them, resumable")
    measuring = commands.add_parser("evaluate", help="print rendered figures of trained weights")
    shipping = commands.add_parser("ship", help="move finished weights into the package, with their cards")
    street = commands.add_parser("real", help="cut a real street's persons and tiles for training and testing")
    street.add_argument("--video", type=Path, required=True, help="OpenCV's sample vtest.avi")
    street.add_argument(
        "--teacher", type=Path, help="a person detector (.pt, loaded as the pickle it is) that labels tiles"
    )
    street.add_argument("--rooms", type=Path, help="folder of labeled real footage (benchmarks/real)")
    street.add_argument("--data", type=Path, required=True, help="folder with crops/ and tiles/")
    for command in (training, measuring, shipping):
        command.add_argument("--data", type=Path, required=True, help="folder with crops/ and tiles/")
        command.add_argument("--what", choices=[*(TRAINED if command is training else MEASURED), "all"], default="all")
    for command in (training, shipping):
        command.add_argument("--out", type=Path, required=True, help="check-points and finished weights")
    shipping.add_argument("--figures", type=Path, help="what `evaluate` printed for these weights")
    shipping.add_argument("--shards", type=int, default=0, help="shards of crops that were trained on (0: all)")
    shipping.add_argument("--version", default="1")
    shipping.add_argument(
        "--halfway",
        action="store_true",
        help="ship the mean of the weights that are there and these (once: it replaces those in --out)",
    )
    shipping.add_argument("--note", default="", help="what the recipe's arguments were")
    training.add_argument("--minutes", type=float, default=25.0, help="time budget of each model, all runs together")
    training.add_argument("--start", type=Path, help="earlier check-point to begin a new budget from")
    training.add_argument("--tile", type=int, default=320, help="side to which the detector's tiles are shrunk")
    training.add_argument("--shards", type=int, default=0, help="begin with so many shards of crops (0: all)")
    training.add_argument("--threads", type=int, default=2)
    training.add_argument("--device", default="cpu", help="where torch trains: cpu, cuda, cuda:1")
    for command in (measuring, shipping):
        command.add_argument("--weights", type=Path, default=Path("anomalylmm/weights/pocket"))
    measuring.add_argument("--split", choices=("validation", "test"), default="validation")
    arguments = vars(parser.parse_args())
    {"train": train, "real": take_in_street, "evaluate": evaluate, "ship": ship}[arguments.pop("command")](**arguments)


if __name__ == "__main__":
    main()
