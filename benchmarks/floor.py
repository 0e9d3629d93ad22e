"""How near indexing comes to its slowest stage alone: python -m benchmarks.floor --runs 5 --out floor.json.

Each stage is run by itself on what the stage before gives, held in memory, with all threads to itself; then the whole
pipeline, all in one process and in turn, so that the machine's noise falls on all of them alike. Where the slowest
stage keeps all cores at work by itself, no pipeline comes near it; so the whole is also compared with the processor
time of all stages, shared among the cores, which is the least that any order of the work can take.

With ``--device-ms`` detector and encoder are stand-ins for models on a device of their own: they give what the models
gave before, after waiting so long for each picture, and take no core. So it shows how well stages overlap where not
all of them want the same cores.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from anomalylmm.records import Detections, Floats, Image
from benchmarks.peers.plots import draw_bars
from benchmarks.peers.side import cpu_seconds
from flows.composition import Composition
from flows.index.indexing import build_plan, index_archive
from flows.index.planning import Unit
from flows.index.units.cropping import Crops, CropStream, Looks, build_row
from flows.index.units.streams import Frames, iter_frames
from flows.settings.model import load_settings
from storage.disk.layout import StoreLayout

WHOLE, STAGES = "whole", ("decode", "detect", "track", "encode")


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What one stage took once."""

    seconds: float
    cpu_seconds: float  # of this process and of its children that have ended


class OnDevice:
    """Stands for a model on a device of its own: gives what the model gave, after a wait for each picture."""

    def __init__(self, model: Any, seconds: float) -> None:
        self._model, self._seconds = model, seconds
        self._known: dict[int, Any] = {}
        self._device = threading.Lock()  # it serves one batch at a time

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """As the detector did."""
        return self._answer(images, self._model.detect)

    def encode_images(self, images: Sequence[Image]) -> Floats:
        """As the encoder did."""
        return np.stack(self._answer(images, self._model.encode_images))

    def _answer(self, images: Sequence[Image], ask: Any) -> list[Any]:
        keys = [zlib.crc32(image[::4, ::4].tobytes()) for image in images]
        if any(key not in self._known for key in keys):
            self._known.update(zip(keys, ask(images), strict=True))
        else:
            with self._device:
                time.sleep(self._seconds * len(images))
        return [self._known[key] for key in keys]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


class Floor:
    """The stages of one archive, each to be timed alone."""

    def __init__(self, composition: Composition, archive: Path, scratch: Path) -> None:
        self._composition, self._archive, self._scratch = composition, archive, scratch
        layout = StoreLayout(scratch / "plan")
        layout.create()
        self._units: Sequence[Unit] = build_plan(composition, layout, archive).units
        self._decoded: list[list[Frames]] = []
        self._looks: list[list[Looks]] = []
        self._crops: list[list[Crops]] = []

    def decode(self) -> None:
        """Decodes all videos."""
        fps = self._composition.settings.decode.sample_fps
        self._decoded = [
            list(iter_frames(unit.videos, self._archive, self._composition.source, fps)) for unit in self._units
        ]

    def detect(self) -> None:
        """Gates, detects and finds joints, from decoded frames."""
        self._looks = [list(map(self._stream().look, unit)) for unit in self._decoded]

    def track(self) -> None:
        """Links, and chooses the crops."""
        self._crops = [list(map(self._stream().follow, unit)) for unit in self._looks]

    def _stream(self) -> CropStream:
        composition = self._composition
        return CropStream(composition.settings, composition.detector, composition.build_tracker, composition.bodies)

    def encode(self) -> None:
        """Embeds crops and writes their pictures, as rows that nothing keeps."""
        encoder, settings = self._composition.encoder, self._composition.settings
        for unit, made in zip(self._units, self._crops, strict=True):
            videos = {video.video_id: video for video in unit.videos}
            crops = [crop for item in made for crop in item.crops]
            for start in range(0, len(crops), settings.encoder.batch_size):
                batch = crops[start : start + settings.encoder.batch_size]
                vectors = encoder.encode_images([crop.image for crop in batch])
                for crop, vector in zip(batch, vectors, strict=True):
                    build_row(videos[crop.video_id], crop, vector, settings.shards.jpeg_quality)

    def whole(self) -> None:
        """Indexes into a fresh store."""
        store = self._scratch / "store"
        shutil.rmtree(store, ignore_errors=True)
        index_archive(self._composition, StoreLayout(store), self._archive)


def measure(floor: Floor, runs: int) -> dict[str, list[Took]]:
    """Times every stage alone and the whole, in turn; the first round, which loads models, does not count."""
    took: dict[str, list[Took]] = {name: [] for name in (*STAGES, WHOLE)}
    for number in range(runs + 1):
        for name, mine in took.items():
            began, cpu_began = time.perf_counter(), cpu_seconds()
            getattr(floor, name)()
            if number:
                mine.append(Took(seconds=time.perf_counter() - began, cpu_seconds=cpu_seconds() - cpu_began))
    return took


def compare(took: Mapping[str, Sequence[Took]], cores: int) -> dict[str, float]:
    """Gives the whole over decoding alone, over the slowest stage alone, and over all stages' work on all cores."""
    slowest = max(STAGES, key=lambda name: statistics.median(item.seconds for item in took[name]))
    rounds = list(zip(*(took[name] for name in (*STAGES, WHOLE)), strict=True))
    bounds = [sum(item.cpu_seconds for item in stages[:-1]) / cores for stages in rounds]
    wholes = [item.seconds for item in took[WHOLE]]
    ratios = {
        f"over {name} alone": [whole / item.seconds for whole, item in zip(wholes, took[name], strict=True)]
        for name in dict.fromkeys(("decode", slowest))
    }
    ratios["over the work of all stages on all cores"] = [a / b for a, b in zip(wholes, bounds, strict=True)]
    return {name: statistics.median(values) for name, values in ratios.items()}


def main() -> None:
    """Measures and prints; writes JSON and a picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor", description=__doc__)
    parser.add_argument("--archive", type=Path, default=Path("configs/demo_archive"))
    parser.add_argument("--settings", type=Path, default=Path("configs/demo_archive/settings.toml"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--device-ms", type=float, help="stand-ins that wait so long for a picture (see above)")
    parser.add_argument("--out", type=Path, default=Path("floor.json"), help="the picture is written beside it")
    options = parser.parse_args()
    composition = Composition(load_settings("pocket", options.settings))
    if options.device_ms:
        for name in ("detector", "encoder"):
            vars(composition)[name] = OnDevice(getattr(composition, name), options.device_ms / 1000)
    with tempfile.TemporaryDirectory(prefix="floor-") as scratch:
        took = measure(Floor(composition, options.archive, Path(scratch)), options.runs)
    ratios = compare(took, os.cpu_count() or 1)
    content = {name: [asdict(item) for item in mine] for name, mine in took.items()}
    options.out.write_text(json.dumps({"took": content, "ratios": ratios}, indent=1), encoding="utf-8")
    for name, mine in took.items():
        seconds, cpu = (statistics.median(getattr(item, part) for item in mine) for part in ("seconds", "cpu_seconds"))
        print(f"{name}: {seconds:.2f} s, {cpu:.2f} of the processor")
    print("\n".join(f"whole {name}: {value:.2f}" for name, value in ratios.items()))
    draw_bars(
        options.out.with_suffix(".png"), {name: [i.seconds for i in mine] for name, mine in took.items()}, "seconds"
    )


if __name__ == "__main__":
    main()
