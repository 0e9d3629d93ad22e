"""Whether the maps of where a behavior shows point at the person: python -m benchmarks.maps CROPS_SHARD.

A shard of rendered crops says where the person is (box in 0..1). For each map the peak's cell is inside the box or
not; the share of cells inside is what a blind guess reaches. Figures are rendered figures.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from anomalylmm.protocols import PatchTextMapper
from anomalylmm.records import Floats
from benchmarks.rendered.captions import ANSWERS
from flows.composition import Composition
from flows.settings.model import load_settings


def cells_inside(box: list[float], rows: int, columns: int) -> Floats:
    """Tells which cells of a map have their middle in a box (x0, y0, x1, y1) of 0..1; shape (rows, columns)."""
    x0, y0, x1, y1 = box
    down, right = ((np.arange(count) + 0.5) / count for count in (rows, columns))
    return np.outer((down >= y0) & (down <= y1), (right >= x0) & (right <= x1))


def peaks_inside(mapper: PatchTextMapper, shard: Path, limit: int) -> tuple[list[bool], list[float]]:
    """Gives for each crop whether the map's peak is on the person, and the share of cells that are."""
    images = np.load(shard / "images.npy", mmap_mode="r")
    hits, shares = [], []
    for number, line in enumerate((shard / "rows.jsonl").read_text(encoding="utf-8").splitlines()[:limit]):
        row = json.loads(line)
        text = f"a person {ANSWERS.get(row['behavior'], row['behavior'])}"
        patch_map = mapper.patch_maps([np.array(images[number])], text)[0]
        inside = cells_inside(row["box"], *patch_map.shape)
        hits.append(bool(inside[np.unravel_index(int(patch_map.argmax()), patch_map.shape)]))
        shares.append(float(inside.mean()))
    return hits, shares


def main() -> None:
    """Measures the encoder's maps and the judge's."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.maps", description=__doc__)
    parser.add_argument("shard", type=Path, help="folder with images.npy and rows.jsonl")
    parser.add_argument("--limit", type=int, default=300)
    options = parser.parse_args()
    settings = load_settings("pocket", None)
    asked = settings.model_copy(update={"judge": settings.judge.model_copy(update={"maps": True})})
    for name, mapper in (("encoder", Composition(settings).mapper), ("judge", Composition(asked).mapper)):
        hits, shares = peaks_inside(mapper, options.shard, options.limit)
        print(f"{name}: peak on the person {np.mean(hits):.3f}, blind guess {np.mean(shares):.3f}, {len(hits)} crops")


if __name__ == "__main__":
    main()
