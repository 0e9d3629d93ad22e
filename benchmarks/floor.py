"""How near indexing comes to its slowest stage alone: python -m benchmarks.floor --runs 5 --out floor.json.

Each stage is run by itself on what the stage before gives, held in memory, with all threads to itself; then the whole
pipeline, all in one process and in turn, so that the machine's noise falls on all of them alike.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks.peers.plots import draw_bars
from flows.composition import Composition
from flows.cropping import CropStream, VideoCrops, VideoEnd, VideoFrames, VideoLooks, build_row, iter_decoded
from flows.indexing import build_plan, index_archive
from flows.planning import Unit
from flows.settings import load_settings
from storage.layout import StoreLayout

WHOLE, STAGES = "whole", ("decode", "detect", "track", "encode")
Frames = list[VideoFrames | VideoEnd]


Item = TypeVar("Item")


class Floor:
    """The stages of one archive, each to be timed alone."""

    def __init__(self, composition: Composition, archive: Path, scratch: Path) -> None:
        self._composition, self._archive, self._scratch = composition, archive, scratch
        layout = StoreLayout(scratch / "plan")
        layout.create()
        self._units: Sequence[Unit] = build_plan(composition, layout, archive).units
        self._decoded: list[Frames] = []
        self._looks: list[list[VideoLooks | VideoEnd]] = []
        self._crops: list[list[VideoCrops | VideoEnd]] = []

    def decode(self) -> None:
        """Decodes all videos."""
        fps = self._composition.settings.decode.sample_fps
        self._decoded = [
            list(iter_decoded(unit.videos, self._archive, self._composition.source, fps)) for unit in self._units
        ]

    def detect(self) -> None:
        """Gates and detects, from decoded frames."""
        self._looks = [list(self._stream().iter_detected(_generate(unit))) for unit in self._decoded]

    def track(self) -> None:
        """Links, and chooses the crops."""
        self._crops = [list(self._stream().iter_tracked(_generate(unit))) for unit in self._looks]

    def _stream(self) -> CropStream:
        composition = self._composition
        return CropStream(composition.settings, composition.detector, composition.build_tracker)

    def encode(self) -> None:
        """Embeds crops and writes their pictures, as rows that nothing keeps."""
        encoder, settings = self._composition.encoder, self._composition.settings
        for unit in self._crops:
            crops = [(item.video, crop) for item in unit if isinstance(item, VideoCrops) for crop in item.crops]
            for start in range(0, len(crops), settings.encoder.batch_size):
                batch = crops[start : start + settings.encoder.batch_size]
                vectors = encoder.encode_images([crop.image for _, crop in batch])
                for (video, crop), vector in zip(batch, vectors, strict=True):
                    build_row(video, crop, vector, settings.shards.jpeg_quality)

    def whole(self) -> None:
        """Indexes into a fresh store."""
        store = self._scratch / "store"
        shutil.rmtree(store, ignore_errors=True)
        index_archive(self._composition, StoreLayout(store), self._archive)


def _generate(items: Sequence[Item]) -> Generator[Item, None, None]:
    yield from items


def measure(floor: Floor, runs: int) -> dict[str, list[float]]:
    """Times every stage alone and the whole, in turn; the first round, which loads models, does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in (*STAGES, WHOLE)}
    for number in range(runs + 1):
        for name, mine in seconds.items():
            began = time.perf_counter()
            getattr(floor, name)()
            if number:
                mine.append(time.perf_counter() - began)
    return seconds


def main() -> None:
    """Measures and prints; writes JSON and a picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor", description=__doc__)
    parser.add_argument("--archive", type=Path, default=Path("configs/demo_archive"))
    parser.add_argument("--settings", type=Path, default=Path("configs/demo_archive/settings.toml"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("floor.json"), help="the picture is written beside it")
    options = parser.parse_args()
    composition = Composition(load_settings("pocket", options.settings))
    with tempfile.TemporaryDirectory(prefix="floor-") as scratch:
        seconds = measure(Floor(composition, options.archive, Path(scratch)), options.runs)
    medians = {name: statistics.median(mine) for name, mine in seconds.items()}
    slowest = max(STAGES, key=medians.__getitem__)
    ratios = {
        f"over {name} alone": statistics.median(map(float.__truediv__, seconds[WHOLE], seconds[name]))
        for name in dict.fromkeys(("decode", slowest))
    }
    options.out.write_text(json.dumps({"seconds": seconds, "ratios": ratios}, indent=1), encoding="utf-8")
    print("\n".join(f"{name}: {value:.2f} s" for name, value in medians.items()))
    print("\n".join(f"whole {name}: {value:.2f}" for name, value in ratios.items()))
    draw_bars(options.out.with_suffix(".png"), seconds, "seconds")


if __name__ == "__main__":
    main()
