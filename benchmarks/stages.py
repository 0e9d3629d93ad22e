"""Where the processor's time of indexing goes: python -m benchmarks.stages busy=FOLDER still=FOLDER --out stages.png.

Each stage works by itself on what the stage before gives, in one process, after the models are loaded; so the bars
are CPU seconds an hour of video, without loading. Memory grows with the archive: give minutes, not hours.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers.side import cpu_seconds
from flows.composition import Composition
from flows.index.indexing import build_plan
from flows.index.planning import Unit
from flows.index.units.cropping import CropStream, build_row, join_vector
from flows.index.units.streams import iter_frames
from flows.settings.model import load_settings
from storage.disk.layout import StoreLayout

STAGES = ("decoding", "gate", "detector", "joints", "tracks and crops", "encoder and pictures")
COLORS = ("#20344d", "#8d99ae", "#7a9cc6", "#c67a7a", "#d9b26f", "#7fae8a")
HOUR_SECONDS = 3600


class Clock:
    """Adds up the processor's time of each stage."""

    def __init__(self) -> None:
        """Begins at nothing."""
        self.spent = dict.fromkeys(STAGES, 0.0)

    def run(self, stage: str, work: Callable[..., Any], *given: Any) -> Any:
        """Does some work of a stage."""
        began = cpu_seconds()
        result = work(*given)
        self.spent[stage] += cpu_seconds() - began
        return result


class Timed:
    """A model whose calls are counted as a stage."""

    def __init__(self, model: Any, method: str, clock: Clock, stage: str) -> None:
        """Takes the place of the model."""
        self._model = model
        work = getattr(model, method)
        setattr(self, method, lambda *given: clock.run(stage, work, *given))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def measure(composition: Composition, archive: Path) -> dict[str, float]:
    """Gives the CPU seconds of each stage an hour of an archive's video."""
    clock, video_seconds = Clock(), 0.0
    with tempfile.TemporaryDirectory(prefix="stages-") as scratch:
        layout = StoreLayout(Path(scratch))
        layout.create()
        for unit in build_plan(composition, layout, archive).units:
            video_seconds += _index(composition, archive, unit, clock)
    return {stage: spent * HOUR_SECONDS / video_seconds for stage, spent in clock.spent.items()}


def _index(composition: Composition, archive: Path, unit: Unit, clock: Clock) -> float:
    """Indexes a unit stage by stage; gives its seconds of video."""
    settings = composition.settings
    detector = Timed(composition.detector, "detect", clock, "detector")
    bodies = Timed(composition.bodies, "read", clock, "joints") if composition.bodies else None
    stream = CropStream(settings, detector, composition.build_tracker, bodies)  # type: ignore[arg-type] - stands in for both
    frames = clock.run(
        "decoding", lambda: list(iter_frames(unit.videos, archive, composition.source, settings.decode.sample_fps))
    )
    inner = ("detector", "joints")
    before = sum(clock.spent[stage] for stage in inner)
    looks = clock.run("gate", lambda: [stream.look(piece) for piece in frames])
    clock.spent["gate"] -= sum(clock.spent[stage] for stage in inner) - before
    found = clock.run("tracks and crops", lambda: [crop for look in looks for crop in stream.follow(look).crops])
    clock.run("encoder and pictures", _encode, composition, unit, found)
    return sum(piece.end.report.seconds_decoded for piece in frames if piece.end and piece.end.report)


def _encode(composition: Composition, unit: Unit, crops: list[Any]) -> None:
    settings, videos = composition.settings, {video.video_id: video for video in unit.videos}
    for start in range(0, len(crops), settings.encoder.batch_size):
        batch = crops[start : start + settings.encoder.batch_size]
        vectors = composition.encoder.encode_images([crop.image for crop in batch])
        for crop, vector in zip(batch, vectors, strict=True):
            row = join_vector(vector, crop, composition.dimension)
            build_row(videos[crop.video_id], crop, row, settings.shards.jpeg_quality)


def draw(path: Path, measured: Mapping[str, Mapping[str, float]]) -> None:
    """Draws one stacked bar an archive."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 1.2 + 0.5 * len(measured)), layout="constrained")
    left = [0.0] * len(measured)
    for stage, color in zip(STAGES, COLORS, strict=True):
        values = [spent[stage] for spent in measured.values()]
        axes.barh(list(measured), values, left=left, color=color, label=stage)
        left = [a + b for a, b in zip(left, values, strict=True)]
    for place, total in enumerate(left):
        axes.text(total, place, f" {total:.0f}", va="center")
    axes.set_xlabel("CPU seconds an hour of video")
    axes.set_xlim(0, 1.1 * max(left))
    axes.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main() -> None:
    """Measures the archives, prints a table and writes a picture with its numbers beside it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__)
    parser.add_argument("archives", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--settings", type=Path, help="TOML file that overrides the profile")
    parser.add_argument("--out", type=Path, default=Path("stages.png"))
    options = parser.parse_args()
    composition = Composition(load_settings("pocket", options.settings))
    composition.load_indexing_models()
    measured = {}
    for name, folder in (given.split("=", 1) for given in options.archives):
        measured[name] = measure(composition, Path(folder))
        print(name, *(f"{stage} {spent:.0f}" for stage, spent in measured[name].items()), sep=", ")
    options.out.with_suffix(".json").write_text(json.dumps(measured, indent=1), encoding="utf-8")
    draw(options.out, measured)


if __name__ == "__main__":
    main()
