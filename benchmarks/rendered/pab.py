"""Writes crop shards in the layout of PAB, so that one reader serves both; every row says that it is rendered."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np

from benchmarks.rendered.behavior import NORMAL
from benchmarks.rendered.captions import write_caption

QUALITY = 95
SEED = 7


def write_pab(crops: Path, out: Path, split: str, seed: int = SEED) -> int:
    """Write all complete shards of a split as `<split>/0.jpg` ... and `annotation/<split>/attr.json`.

    The annotation is JSON Lines and written last, so a folder that has it is complete. Rows have PAB's keys (image,
    image_id, caption, scene, and normal or anomaly) and: twin (the image_id of the same person doing something
    else), held_out, behavior, captions_held_out (phrasings that training never sees), rendered.

    Args:
        crops: The folder of the shards.
        out: The root of the new layout.
        split: "train", "validation" or "test".
        seed: Decides the captions, with the crop's own id.

    Returns:
        The number of rows.
    """
    shards = sorted(path.parent for path in crops.glob(f"{split}-*/rows.jsonl"))
    if not shards:
        raise SystemExit(f"no complete shard of the {split} split under {crops}; render some first")
    crops_of = [_read_rows(shard) for shard in shards]
    numbers = {row["id"]: number for number, row in enumerate(row for rows in crops_of for row in rows)}
    (out / split).mkdir(parents=True, exist_ok=True)
    annotation = out / "annotation" / split
    annotation.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(build_row(row, split, numbers, seed)) + "\n" for rows in crops_of for row in rows]
    for shard, rows in zip(shards, crops_of, strict=True):
        _write_images(shard, rows, out / split, numbers)
    partial = annotation / "attr.partial"
    partial.write_text("".join(lines), encoding="utf-8")
    partial.replace(annotation / "attr.json")
    return len(lines)


def build_row(crop: Mapping[str, Any], split: str, numbers: Mapping[str, int], seed: int = SEED) -> dict[str, Any]:
    """Build one row of the annotation from one row of a shard; `numbers` gives the image_id of a crop's id."""
    number = numbers[crop["id"]]
    captions, held_out = (
        [write_caption(crop, Random(f"{seed} {crop['id']} {new}"), style="full", held_out=new).text]
        for new in (False, True)
    )
    return {
        "image": f"{split}/{number}.jpg",
        "image_id": number,
        "caption": captions,
        "captions_held_out": held_out,
        "scene": crop["place"],
        ("normal" if crop["behavior"] in NORMAL else "anomaly"): crop["behavior"],
        "twin": None if crop.get("twin") is None else numbers[crop["twin"]],
        "held_out": crop["held_out"],
        "behavior": crop["behavior"],
        "rendered": True,
    }


def _read_rows(shard: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (shard / "rows.jsonl").read_text(encoding="utf-8").splitlines() if line]


def _write_images(shard: Path, rows: Sequence[Mapping[str, Any]], out: Path, numbers: Mapping[str, int]) -> None:
    images = np.load(shard / "images.npy", mmap_mode="r")
    for row, jpeg in zip(rows, _iter_jpegs(images), strict=True):
        path = out / f"{numbers[row['id']]}.jpg"
        path.write_bytes(jpeg)


def _iter_jpegs(images: Sequence[Any]) -> Iterator[bytes]:
    for image in images:
        bgr = np.ascontiguousarray(np.asarray(image)[:, :, ::-1])
        yield cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
