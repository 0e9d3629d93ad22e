"""Measures what indexing costs against the length of a video and the number of cameras.

Each point is indexed by a fresh process into a fresh store. Videos are one video again and again, not encoded anew.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.lengths.archives import check_plan, make_archive
from benchmarks.lengths.options import add_settings, build_settings
from benchmarks.lengths.report import draw, write_markdown
from benchmarks.measurements import Measurements
from benchmarks.watching import run_watched
from flows.index.listing.content import content_digest

EXAMPLE = "example: benchmarks/lengths/run --lengths 60 600 3600 36000 --cameras 1 4 16 64 --out lengths.json"


def main() -> int:
    """Measures all points, and writes what they took."""
    options = read_options()
    options.scratch.mkdir(parents=True, exist_ok=True)
    measurements = Measurements(options.scratch / f"measurements-{identify(options)}.json")
    rows = list(iter_rows(options, measurements))
    print(write_markdown(rows))
    options.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    draw(rows, options.out.with_suffix(".png"))
    return 0


def read_options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/lengths/run",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = Path("configs/demo_archive/gate/2026-03-14/10-15-00.mp4")
    parser.add_argument("--source", type=Path, default=source, metavar="VIDEO", help=f"repeated (default {source})")
    parser.add_argument(
        "--lengths", type=float, nargs="*", default=[60, 600, 3600, 36000], help="seconds of one video (none: left out)"
    )
    parser.add_argument("--cameras", type=int, nargs="*", default=[1, 4, 16, 64], help="with one short video each")
    parser.add_argument("--each", type=float, default=40, help="seconds of a camera's video (default 40)")
    add_settings(parser)
    parser.add_argument("--out", type=Path, default=Path("lengths.json"), help="the picture is written beside it")
    parser.add_argument(
        "--scratch",
        type=Path,
        default=Path(tempfile.gettempdir()) / "anomalylmm-lengths",
        help="videos and stores while they are needed, and what was measured; delete it to measure anew",
    )
    options = parser.parse_args()
    if not options.lengths and not options.cameras:
        parser.error("give --lengths or --cameras some numbers")
    return options


def identify(options: argparse.Namespace) -> str:
    """Names what the points share: the source and the settings."""
    settings = build_settings(options.settings, options.fps).model_dump_json()
    return hashlib.sha256(f"{content_digest(options.source)} {settings}".encode()).hexdigest()[:12]


def iter_rows(options: argparse.Namespace, measurements: Measurements) -> Iterator[dict[str, Any]]:
    """Yields what each point took, now or before."""
    points = [("length", 1, seconds) for seconds in options.lengths]
    points += [("cameras", number, options.each) for number in options.cameras]
    for series, cameras, seconds in points:
        name = f"{cameras} x {seconds:g} s"
        measured = measurements.once(name, partial(measure, options, cameras, seconds))
        yield {"series": series, "cameras": cameras, "asked_seconds": seconds, **measured}


def measure(options: argparse.Namespace, cameras: int, seconds: float) -> dict[str, Any]:
    """Makes an archive and indexes it in a fresh process.

    Raises:
        SystemExit: Not all of it was indexed.
    """
    with tempfile.TemporaryDirectory(prefix="point-", dir=options.scratch) as folder:
        archive, store = Path(folder, "archive"), Path(folder, "store")
        _say(f"making {cameras} x {seconds:g} s")
        made = make_archive(options.source, archive, cameras, seconds)
        check_plan(archive, build_settings(options.settings, options.fps), cameras)
        _say(f"indexing {cameras} x {seconds:g} s")
        command = [sys.executable, "-m", "benchmarks.lengths.trial", str(archive), str(store)]
        watched = run_watched([*command, *_pass_on(options)])
    told = watched.told
    if told["lost"] or told["videos"] != cameras or abs(told["video_seconds"] - made) > cameras:
        raise SystemExit(f"{cameras} videos of {made:.1f} s in all were made, but indexed was: {told}")
    return {
        **told,
        "per_video_hour": told["seconds"] * 3600 / made,
        "whole_seconds": watched.seconds,
        "peak_mib": watched.peak_mib(),
        "second_half_mib": watched.peak_mib(0.5),
        "load": os.getloadavg()[0],
    }


def _pass_on(options: argparse.Namespace) -> list[str]:
    own = ["--settings", str(options.settings)] if options.settings else []
    return own + (["--fps", str(options.fps)] if options.fps else [])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
