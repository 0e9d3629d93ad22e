"""Command line: `python -m benchmarks.rendered crops|tiles|videos|sheet|pab --help`."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from benchmarks.rendered.body import open_bodies

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger("benchmarks.rendered")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; every command resumes what an earlier run left."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    cv2.setNumThreads(1)
    options = _parser().parse_args(arguments)
    commands = {"crops": _crops, "tiles": _tiles, "videos": _videos, "sheet": _sheet, "pab": _pab}
    commands[options.command](options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rendered", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    crops = commands.add_parser("crops", help="shards of labeled crops")
    crops.add_argument("--out", type=Path, required=True)
    crops.add_argument("--split", choices=["train", "validation", "test"], required=True)
    crops.add_argument("--shards", type=int, nargs="+", required=True, help="numbers of the shards to render")
    crops.add_argument("--rows", type=int, default=1000)
    crops.add_argument("--background", type=Path, help="a video whose empty first part stands behind some persons")
    tiles = commands.add_parser("tiles", help="detector tiles in YOLO format")
    tiles.add_argument("--out", type=Path, required=True)
    tiles.add_argument("--split", choices=["train", "val", "test"], required=True)
    tiles.add_argument("--first", type=int, default=0)
    tiles.add_argument("--last", type=int, required=True)
    tiles.add_argument("--background", type=Path, help="a video whose empty first part is one of the scenes")
    videos = commands.add_parser("videos", help="an archive of several cameras with its truth")
    videos.add_argument("--out", type=Path, required=True)
    videos.add_argument("--seed", type=int, default=1)
    videos.add_argument("--cameras", type=int, default=4)
    videos.add_argument("--seconds", type=float, default=40.0, help="of a story")
    videos.add_argument("--still", type=float, default=0.0, help="seconds after each story in which nobody comes")
    videos.add_argument("--rounds", type=int, default=1, help="stories of a camera, one after the other")
    videos.add_argument("--fps", type=int, default=12)
    sheet = commands.add_parser("sheet", help="contact sheets to look at")
    sheet.add_argument("--out", type=Path, required=True)
    sheet.add_argument("--archive", type=Path, help="an archive of videos to take frames from")
    pab = commands.add_parser("pab", help="crop shards of a split in the layout of PAB")
    pab.add_argument("--crops", type=Path, required=True, help="folder of the shards")
    pab.add_argument("--out", type=Path, required=True)
    pab.add_argument("--split", choices=["train", "validation", "test"], required=True)
    pab.add_argument("--seed", type=int, default=7, help="of the captions")
    return parser


def _crops(options: argparse.Namespace) -> None:
    from benchmarks.rendered.crops import write_shard
    from benchmarks.rendered.tiles import median_background

    bodies = open_bodies()
    street = None if options.background is None else median_background(options.background)
    for shard in options.shards:
        done = write_shard(bodies, options.out, options.split, shard, options.rows, street)
        logger.info("%s-%04d %s", options.split, shard, "rendered" if done else "was complete")


def _tiles(options: argparse.Namespace) -> None:
    from benchmarks.rendered.tiles import write_tiles

    write_tiles(open_bodies(), options.out, options.split, range(options.first, options.last), options.background)


def _videos(options: argparse.Namespace) -> None:
    from benchmarks.rendered.videos import Length, write_archive

    length = Length(seconds=options.seconds, still_seconds=options.still, rounds=options.rounds, fps=options.fps)
    write_archive(open_bodies(), options.out, options.seed, options.cameras, length)


def _sheet(options: argparse.Namespace) -> None:
    from benchmarks.rendered.sheets import write_sheets

    write_sheets(open_bodies(), options.out, options.archive)


def _pab(options: argparse.Namespace) -> None:
    from benchmarks.rendered.pab import write_pab

    rows = write_pab(options.crops, options.out, options.split, options.seed)
    logger.info("%d rows of the %s split in PAB's layout", rows, options.split)


if __name__ == "__main__":
    raise SystemExit(main())
