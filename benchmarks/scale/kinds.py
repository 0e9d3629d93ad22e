"""What kinds of FAISS index cost and find on the same vectors: `python -m benchmarks.scale.kinds --crops 300000`.

Recall is of the 100 best by exact scores among so many candidates of the index, since candidates are scored again.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import faiss
import numpy as np

from anomalylmm.records import Floats
from benchmarks.scale.filling import Filling
from benchmarks.scale.vectors import World

K, QUERIES = 100, 100
DEPTHS = (100, 200, 2000)  # candidates taken from the index
PRODUCT = faiss.METRIC_INNER_PRODUCT
KINDS: dict[str, Callable[[int], Any]] = {
    "flat": faiss.IndexFlatIP,
    "scalar, 8 bits": lambda d: faiss.IndexScalarQuantizer(d, faiss.ScalarQuantizer.QT_8bit, PRODUCT),
    "scalar, 16 bits": lambda d: faiss.IndexScalarQuantizer(d, faiss.ScalarQuantizer.QT_fp16, PRODUCT),
    "fast scan, 4 bits for two dimensions": lambda d: faiss.IndexPQFastScan(d, d // 2, 4, PRODUCT),
    "fast scan, 4 bits a dimension": lambda d: faiss.IndexPQFastScan(d, d, 4, PRODUCT),
    "RaBitQ fast scan": lambda d: faiss.IndexRaBitQFastScan(d, PRODUCT),
}


def main() -> None:
    """Builds each kind and prints a table row for it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale.kinds", description=__doc__)
    parser.add_argument("--crops", type=float, default=3e5)
    parser.add_argument("--dimension", type=int, default=208, help="even; scalar kinds are slow unless 8 divides it")
    options = parser.parse_args()
    filling = Filling(rows=int(options.crops), dimension=options.dimension, rows_per_shard=10_000)
    crops = np.concatenate([filling.vectors(number) for number in range(filling.num_shards)])
    queries = World(options.dimension).texts(QUERIES)
    truth = np.argsort(-(queries @ crops.T), axis=1)[:, :K]
    print(f"| index | built, CPU s | 1 query, CPU ms | {QUERIES} queries, CPU s | recall among {DEPTHS} |")
    for name, make in KINDS.items():
        print(measure(name, make(options.dimension), crops, queries, truth), flush=True)


def measure(name: str, index: Any, crops: Floats, queries: Floats, truth: np.ndarray) -> str:
    """Gives the table row of one kind."""
    began = time.process_time()
    index.train(crops[:: max(1, len(crops) // 16_384)])
    index.add(crops)
    built, began = time.process_time() - began, time.process_time()
    index.search(queries[:1], max(DEPTHS))
    one, began = time.process_time() - began, time.process_time()
    found = index.search(queries, max(DEPTHS))[1]
    many = time.process_time() - began
    recalls = [
        np.mean([len(set(own[:depth]) & set(best)) / K for own, best in zip(found, truth, strict=True)])
        for depth in DEPTHS
    ]
    return f"| {name} | {built:.1f} | {1000 * one:.0f} | {many:.2f} | {', '.join(f'{r:.4f}' for r in recalls)} |"


if __name__ == "__main__":
    main()
