"""Runs one side in this process, a fresh one: python -m benchmarks.peers.side SIDE ARCHIVE STORE [SETTINGS]."""

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.peers.seen import Look
from flows.composition import Composition
from flows.index.indexing import index_archive
from flows.settings.model import Settings, load_settings
from storage.disk.layout import StoreLayout
from storage.gallery.gallery import Gallery
from storage.shards.reading import read_columns

PROFILE = "pocket"


Told = dict[str, Any]


def _index_by(loop: str) -> "Side":
    def index(settings: Settings, archive: Path, store: Path) -> tuple[list[Look], Told]:
        from benchmarks.peers import loops  # loads torch, which our side does not

        return getattr(loops, loop)(settings, archive, store), {}

    return index


def index_ours(settings: Settings, archive: Path, store: Path) -> tuple[list[Look], Told]:
    """Indexes as the command does."""
    composition, layout = Composition(settings), StoreLayout(store)
    report = index_archive(composition, layout, archive)
    counts = [unit.counts for unit in report.units]
    told = {name: sum(getattr(item, name) for item in counts) for name in ("frames", "frames_detected")}
    gallery = Gallery.open(layout, composition.pipeline.digest)
    return [look for shard in gallery.shards for look in _read_looks(shard.directory)], told


def _read_looks(directory: Path) -> list[Look]:
    table = read_columns(directory, ["video_path", "pts_seconds", "box_xyxy_px"])
    return [
        Look(video=row["video_path"], pts_seconds=row["pts_seconds"], box=tuple(row["box_xyxy_px"]))
        for row in table.to_pylist()
    ]


def cpu_seconds() -> float:
    """Seconds of processor time that this process and its ended children have had."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


Side = Callable[[Settings, Path, Path], tuple[list[Look], Told]]
SIDES: Mapping[str, Side] = {
    "ours": index_ours,
    "every_frame": _index_by("index_every_frame"),
    "tuned": _index_by("index_tuned"),
    "same_models": _index_by("index_same_models"),
}


def main() -> None:
    """Indexes, and prints seconds and looks."""
    side, archive, store, own = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]
    settings = load_settings(PROFILE, Path(own[0]) if own else None)
    began = time.perf_counter()
    looks, told = SIDES[side](settings, archive, store)
    seconds = time.perf_counter() - began
    told |= {"seconds": seconds, "cpu_seconds": cpu_seconds(), "looks": [asdict(look) for look in looks]}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
