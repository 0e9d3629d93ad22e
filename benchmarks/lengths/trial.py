"""Indexes in this process, which is a fresh one: python -m benchmarks.lengths.trial ARCHIVE STORE prints JSON."""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from benchmarks.lengths.options import add_settings, build_settings
from flows.composition import Composition
from flows.index.indexing import IndexReport, index_archive
from storage.disk.layout import StoreLayout


def main() -> None:
    """Indexes as the command does."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lengths.trial", description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("store", type=Path)
    add_settings(parser)
    options = parser.parse_args()
    settings = build_settings(options.settings, options.fps)
    began, used = time.perf_counter(), _cpu_seconds()
    report = index_archive(Composition(settings), StoreLayout(options.store), options.archive)
    took = {"seconds": time.perf_counter() - began, "cpu_seconds": _cpu_seconds() - used}
    print(json.dumps({**took, **count(report)}))


def _cpu_seconds() -> float:
    """Of this process and its children that have ended."""
    return sum(os.times()[:4])


def count(report: IndexReport) -> dict[str, Any]:
    """Gives what was indexed."""
    return {
        "video_seconds": report.total("video_seconds"),
        "videos": int(report.total("num_videos")),
        "shards": len(report.units),
        "frames": sum(unit.counts.frames for unit in report.units),
        "frames_detected": sum(unit.counts.frames_detected for unit in report.units),
        "crops": int(report.total("num_crops")),
        "lost": [f"{item.path}: {item.reason}" for item in report.unreadable],
    }


if __name__ == "__main__":
    main()
