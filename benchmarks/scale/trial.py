"""One search in a process of its own: what it takes, what it holds in memory, and what it finds.

Usage: python -m benchmarks.scale.trial STORE PIPELINE DIMENSION QUERIES K; gives one JSON document.
"""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.scale.vectors import World
from storage.disk.layout import StoreLayout
from storage.gallery.gallery import Gallery

_SAMPLE_SECONDS = 0.01


def main() -> None:
    """Searches once and prints what it took."""
    root, pipeline, *numbers = sys.argv[1:]
    dimension, num_queries, k = map(int, numbers)
    layout = StoreLayout(Path(root))
    queries = World(dimension).texts(num_queries)
    with _watched() as memory:
        began = time.perf_counter()
        gallery = Gallery.open(layout, pipeline)
        opened, used = time.perf_counter(), time.process_time()
        results = gallery.search(queries, k)
        searched, used = time.perf_counter(), time.process_time() - used
    print(
        json.dumps(
            {
                "crops": gallery.num_crops,
                "shards": len(gallery.shards),
                "indexes": len(gallery.indexes),
                "loose": len(gallery.shards) - sum(len(index.manifest.shards) for index in gallery.indexes),
                "gallery_open_seconds": opened - began,
                "seconds": searched - opened,
                "cpu_seconds": used,
                **memory,
                "found": [[crop.crop_id for crop in result] for result in results],
            }
        )
    )


@contextmanager
def _watched() -> Iterator[dict[str, float]]:
    """The most memory held meanwhile, in MiB: own, and mapped pages of files, and both as the system counted."""
    most = {"own_mib": 0.0, "mapped_mib": 0.0, "resident_mib": 0.0}
    done = threading.Event()

    def look() -> None:
        while not done.wait(_SAMPLE_SECONDS):
            now = read_memory()
            for name, field in (("own_mib", "RssAnon"), ("mapped_mib", "RssFile")):
                most[name] = max(most[name], now[field])

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        done.set()
        thread.join()
        most["resident_mib"] = read_memory()["VmHWM"]


def read_memory() -> dict[str, float]:
    """What the system says of this process, in MiB."""
    pairs = (line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return {name: int(value.split()[0]) / 1024 for name, value in pairs if name in {"RssAnon", "RssFile", "VmHWM"}}


if __name__ == "__main__":
    main()
