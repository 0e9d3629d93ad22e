"""Measures what it costs that a recorder cuts its footage: one file against the same packets in many short files.

Index and sweep run as the commands do, each in a fresh process and a fresh store, both archives in turn.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import av

from benchmarks.lengths.repeating import repeat

EXAMPLE = "example: python -m benchmarks.lengths.pieces --seconds 60 --piece 2 --rounds 3"
START = datetime(2026, 3, 14, 10, 15, tzinfo=UTC)
FIGURES = ("index, CPU s", "sweep, CPU s", "tracklets", "crops", "hits")
COUNTS = "select count(distinct tracklet_id) as tracklets, count(*) as crops from crops"
HITS = "select count(*) as hits from hits"


def main() -> int:
    """Makes both archives, measures them in turn and prints a table of medians."""
    source = Path("configs/demo_archive/gate/2026-03-14/10-15-00.mp4")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lengths.pieces", description=__doc__, epilog=EXAMPLE)
    parser.add_argument("--source", type=Path, default=source, metavar="VIDEO", help=f"repeated (default {source})")
    parser.add_argument("--seconds", type=float, default=60, help="of the whole (default 60)")
    parser.add_argument("--piece", type=float, default=2, help="seconds of a piece, to the next key frame (default 2)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each archive (default 3)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        whole, cut = Path(folder, "whole"), Path(folder, "cut")
        path = name_file(whole, 0.0)
        seconds = repeat(options.source, path, options.seconds)
        pieces = cut_video(path, cut, options.piece)
        print(f"{seconds:.1f} s, cut into {pieces} pieces", flush=True)
        runs: dict[str, list[dict[str, float]]] = {"one file": [], "pieces": []}
        for number in range(options.rounds):
            for name, archive in zip(runs, (whole, cut), strict=True):
                runs[name].append(measure(archive, Path(folder, f"{name}-{number}")))
    for line in write_table(runs):
        print(line)
    return 0


def name_file(archive: Path, seconds: float) -> Path:
    """Names a file by the time at which it begins, and makes its folder."""
    path = archive / "gate" / f"{START + timedelta(seconds=seconds):%Y-%m-%d/%H-%M-%S}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def cut_video(path: Path, archive: Path, piece: float) -> int:
    """Writes a video's packets as files of about so many seconds, each from a key frame on; returns how many."""
    count, begins, out, target = 0, 0.0, None, None
    with av.open(str(path)) as given:
        stream = given.streams.video[0]
        for packet in given.demux(stream):
            if not packet.size or packet.pts is None or packet.dts is None:
                continue
            seconds = float(packet.pts * stream.time_base)
            if packet.is_keyframe and (out is None or seconds - begins >= piece - 0.05):
                if out is not None:
                    out.close()
                count, begins, base = count + 1, seconds, packet.pts
                out = av.open(str(name_file(archive, seconds)), "w", format="mp4")
                out.metadata["comment"] = f"piece {count}"  # no two files have the same content
                target = out.add_stream_from_template(stream)
            packet.pts, packet.dts, packet.stream = packet.pts - base, packet.dts - base, target
            out.mux_one(packet)
        if out is not None:
            out.close()
    return count


def measure(archive: Path, store: Path) -> dict[str, float]:
    """Indexes and sweeps an archive; gives the CPU seconds of both and what was found."""
    index = _run("index", str(archive), "--store", str(store), "--quiet")
    sweep = _run("sweep", "--store", str(store), "--quiet")
    counts = {**_ask(store, COUNTS), **_ask(store, HITS)}
    return {"index, CPU s": index, "sweep, CPU s": sweep, **counts}


def _run(*arguments: str) -> float:
    """Runs a command and gives the CPU seconds of it and its children.

    Raises:
        CalledProcessError: It ended with an error.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "flows.cli", *arguments], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _ask(store: Path, sql: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "flows.cli", "sql", "--store", str(store), "--json", sql]
    (row,) = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return dict(row)


def write_table(runs: dict[str, list[dict[str, float]]]) -> Iterator[str]:
    """Writes the medians of both archives, and their ratio, as a Markdown table."""
    yield "| median of rounds | one file | pieces | ratio |"
    yield "|---|---|---|---|"
    for figure in FIGURES:
        whole, cut = (median(run[figure] for run in found) for found in runs.values())
        yield f"| {figure} | {whole:.4g} | {cut:.4g} | {cut / max(whole, 1e-9):.2f} |"


if __name__ == "__main__":
    raise SystemExit(main())
