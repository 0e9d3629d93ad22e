"""Command line: `python -m benchmarks.real persons|crops|clips DATA_FOLDER --part validation`."""

import argparse
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from benchmarks.real.footage import PARTS
from benchmarks.real.harder import WAYS
from benchmarks.real.measuring import (
    MIN_CONFIDENCE,
    measure_clips,
    measure_colors,
    measure_crops,
    measure_persons,
    read_by_joints,
    read_by_texts,
)
from flows.composition import Composition
from flows.evaluate.clips.report import say_event, say_figures
from flows.settings.model import load_settings


def main() -> int:
    """Measures one kind on the parts asked for, prints tables and writes JSON."""
    options = read_options()
    if options.one_core and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
        cv2.setNumThreads(1)
    results = {}
    groups = [options.part] if options.kind == "clips" and options.together else [[part] for part in options.part]
    for parts in groups:
        name = " + ".join(parts)
        results[name] = MEASURES[options.kind](options, parts if options.kind == "clips" else parts[0])
        print(f"\n{options.kind}, {name}:")
        for line in describe(results[name]):
            print(line)
    if options.out:
        options.out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def read_options() -> argparse.Namespace:
    """Reads what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real", description=__doc__)
    parser.add_argument("kind", choices=sorted(MEASURES), help="persons: boxes; crops: postures and colors; clips: all")
    parser.add_argument("data", type=Path, help="folder that holds real/ and street.avi; see README.md")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=["validation"], help="choose by validation only")
    parser.add_argument("--profile", help="pocket, cpu or gpu")
    parser.add_argument("--settings", type=Path, help="TOML file that overrides the profile")
    parser.add_argument("--weights", help="persons: another detector's weights")
    parser.add_argument("--family", help="persons: their family")
    parser.add_argument("--image-size", type=int, help="persons: longer side of the detector's input")
    parser.add_argument("--confidence", type=float, help="persons: threshold of recall and false boxes")
    parser.add_argument("--queries", type=Path, help="clips: your own queries.toml")
    parser.add_argument("--together", action="store_true", help="clips: all parts in one store, not one after another")
    parser.add_argument("--harder", choices=WAYS, help="clips: measure copies made harder in this way")
    parser.add_argument("--report", type=Path, help="clips: folder of the report with pictures")
    parser.add_argument(
        "--all-cores", dest="one_core", action="store_false", help="do not hold the process to one core"
    )
    parser.add_argument("--out", type=Path, help="write JSON here")
    return parser.parse_args()


def _measure_persons(options: argparse.Namespace, part: Any) -> dict[str, Any]:
    given = {
        "weights": options.weights,
        "family": options.family,
        "image_size": options.image_size,
        "confidence": options.confidence,
    }
    detector = {key: value for key, value in given.items() if value is not None}
    settings = load_settings(options.profile, options.settings, detector=detector)
    least = min(MIN_CONFIDENCE, settings.detector.confidence)
    low = settings.model_copy(update={"detector": settings.detector.model_copy(update={"confidence": least})})
    return measure_persons(Composition(low).detector, options.data, part, settings.detector.confidence)


def _measure_crops(options: argparse.Namespace, part: Any) -> dict[str, Any]:
    composition = Composition(load_settings(options.profile, options.settings))
    readers = {"texts": read_by_texts} | ({"joints": read_by_joints} if composition.bodies else {})
    figures = {name: measure_crops(partial(read, composition), options.data, part) for name, read in readers.items()}
    return {**figures, "colors": measure_colors(composition, options.data, part)}


def _measure_clips(options: argparse.Namespace, parts: Any) -> dict[str, Any]:
    composition = Composition(load_settings(options.profile, options.settings))
    with tempfile.TemporaryDirectory() as folder:
        out = options.report / "-".join(parts) if options.report else Path(folder)
        return measure_clips(composition, options.data, parts, out, options.queries, options.harder)


def describe(document: Mapping[str, Any], indent: str = "  ") -> Sequence[str]:
    """Writes figures as indented lines; of clips the sentences of their report."""
    if "events" in document and "figures" in document:
        missed = [f"missed: {say_event(event)}" for event in document["events"] if not event["found"]]
        false = [f"false: {hit['query']} in {hit['file']}" for hit in document["hits"] if hit["verdict"] == "false"]
        empty = [f"no person found in {file}" for file in document["clips_without_person"]]
        return [indent + line for line in (*say_figures(document["figures"]), *missed, *false, *empty)]
    lines = []
    for key, value in document.items():
        if isinstance(value, Mapping) and any(isinstance(item, Mapping) for item in value.values()):
            lines += [f"{indent}{key}:", *describe(value, indent + "  ")]
        else:
            text = ", ".join(f"{name} {item}" for name, item in value.items()) if isinstance(value, Mapping) else value
            lines.append(f"{indent}{key}: {text}")
    return lines


MEASURES = {"persons": _measure_persons, "crops": _measure_crops, "clips": _measure_clips}

if __name__ == "__main__":
    raise SystemExit(main())
