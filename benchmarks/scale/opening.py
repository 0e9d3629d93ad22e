"""What opening a gallery takes, with its catalog and without: `python -m benchmarks.scale.opening --shards 1000 10000`.

*Cold* means that the system has dropped the content of the manifests and of the catalog from its memory (what it knows
of directories and inodes stays, which nobody may drop without taking it from all others); a disk with a cache of its
own may still have it.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

from storage.gallery.catalog import catalog_path, read_stamp

from benchmarks.scale.filling import Filling, fill_store
from storage.disk.layout import CROPS_FILE, MANIFEST_FILE, StoreLayout
from storage.gallery import catalog
from storage.gallery.gallery import Gallery
from storage.gallery.opening import iter_shard_dirs

DIMENSION = 64  # one crop a shard: only their number matters
COLUMNS = ("shards", "way", "ms", "CPU ms", "CPU us a shard", "slowest ms")


def main() -> int:
    """Fills the stores that are not there yet, opens them in each way, and prints a table."""
    options = read_options()
    rows = [row for number in options.shards for row in measure(options.scratch / f"opening-{number}", number, options)]
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|")
    for row in rows:
        print("| " + " | ".join(str(value) for value in row) + " |")
    if options.out:
        options.out.write_text(json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows], indent=1) + "\n")
    return 0


def read_options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale.opening", description=__doc__)
    parser.add_argument("--shards", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--scratch", type=Path, default=Path(tempfile.gettempdir()) / "anomalylmm-scale", help="stores, kept"
    )
    parser.add_argument("--out", type=Path, help="write JSON here")
    return parser.parse_args()


def measure(root: Path, number: int, options: argparse.Namespace) -> list[tuple[object, ...]]:
    """All ways on one store."""
    filling = Filling(rows=number, dimension=DIMENSION, rows_per_shard=1)
    for _ in fill_store(root, filling):
        pass
    layout = StoreLayout(root)
    path = catalog_path(layout, filling.pipeline)
    time.sleep(catalog.SETTLE_SECONDS)
    directories = [str(directory) for directory in iter_shard_dirs(layout, filling.pipeline)]
    manifests = [Path(directory, MANIFEST_FILE) for directory in directories]

    def read() -> None:
        check(Gallery.open(layout, filling.pipeline, cataloged=False))

    def look_up() -> None:
        check(Gallery.open(layout, filling.pipeline))

    def plan() -> None:
        if len(Gallery.open(layout, filling.pipeline).video_ids) != 8 * number:
            raise ValueError("videos are missing")

    def check(gallery: Gallery) -> None:
        if len(gallery.shards) != number:
            raise ValueError(f"{len(gallery.shards)} shards of {number}")

    ways: tuple[tuple[str, Callable[[], object], Callable[[], object]], ...] = (
        ("every manifest", lambda: None, read),
        ("every manifest, cold", lambda: drop(manifests), read),
        ("the catalog, not there yet", lambda: path.unlink(missing_ok=True), look_up),
        ("the catalog, one shard changed", lambda: touch(manifests[number // 2]), look_up),
        ("the catalog", lambda: None, look_up),
        ("the catalog, cold", lambda: drop([path, *manifests]), look_up),
        ("the catalog, and all videos' ids", lambda: None, plan),
        ("listing the folders alone", lambda: None, lambda: walk(layout.pipeline_dir(filling.pipeline))),
        ("two stats a shard alone", lambda: None, lambda: stat(directories)),
    )
    settle_seconds, catalog.SETTLE_SECONDS = catalog.SETTLE_SECONDS, 0.0  # for the one that is touched
    rows = [(number, name, *measure_way(prepare, work, number, options.runs)) for name, prepare, work in ways]
    catalog.SETTLE_SECONDS = settle_seconds
    print(f"{number} shards: a catalog of {path.stat().st_size / 1e6:.1f} MB", flush=True)
    return rows


def measure_way(
    prepare: Callable[[], object], work: Callable[[], object], number: int, runs: int
) -> tuple[float, float, float, float]:
    """Medians of some runs after one that does not count."""
    seconds, cpu_seconds = [], []
    for _ in range(runs + 1):
        prepare()
        began, used = time.perf_counter(), time.process_time()
        work()
        seconds.append(time.perf_counter() - began)
        cpu_seconds.append(time.process_time() - used)
    milliseconds, cpu = 1e3 * median(seconds[1:]), 1e3 * median(cpu_seconds[1:])
    return round(milliseconds, 1), round(cpu, 1), round(1e3 * cpu / number, 1), round(1e3 * max(seconds[1:]), 1)


def drop(paths: Iterable[Path]) -> None:
    """Has the system forget what is in some files."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)  # what is not on the disk yet can't be dropped
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def touch(path: Path) -> None:
    """Writes a file anew, as it is."""
    building = shutil.copy(path, path.parents[5] / "temporary" / "touched")
    Path(building).replace(path)


def walk(top: Path) -> None:
    """Lists what is there, as an opening does."""
    for camera in sorted(os.listdir(top)):  # noqa: PTH208 - as an opening does
        for date in sorted(os.listdir(f"{top}/{camera}")):  # noqa: PTH208
            sorted(os.listdir(f"{top}/{camera}/{date}"))  # noqa: PTH208


def stat(directories: Iterable[str]) -> None:
    """Looks at the files that an opening looks at."""
    for directory in directories:
        os.stat(f"{directory}/{CROPS_FILE}")  # noqa: PTH116
        read_stamp(directory)


if __name__ == "__main__":
    raise SystemExit(main())
