"""The exact best crops of each query, found without anything that a search uses: Parquet, one product, one sort."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from anomalylmm.records import Floats
from benchmarks.scale.filling import Filling
from storage.disk.layout import CROPS_FILE, StoreLayout
from storage.shards.schema import table_vectors


def find_exactly(root: Path, filling: Filling, queries: Floats, k: int) -> list[list[str]]:
    """The ids of the ``k`` best crops of each query, best first."""
    best: list[list[tuple[float, str]]] = [[] for _ in queries]
    for number in range(filling.num_shards):
        path = StoreLayout(root).shard_dir(filling.key(number)) / CROPS_FILE
        table = pq.read_table(path, columns=["crop_id", "vector"])
        vectors, ids = table_vectors(table), table.column("crop_id")
        scores = queries @ vectors.T
        few = np.argpartition(-scores, min(k, len(vectors) - 1), axis=1)[:, :k]
        for query, (rows, known) in enumerate(zip(few, best, strict=True)):
            least = known[-1][0] if len(known) == k else -np.inf
            near = rows[scores[query, rows] >= least - 1e-4]
            exact = vectors[near].astype(np.float64) @ queries[query].astype(np.float64)
            known += [(float(score), ids[int(row)].as_py()) for score, row in zip(exact, near, strict=True)]
            best[query] = sorted(known, key=lambda pair: (-pair[0], pair[1]))[:k]
    return [[crop_id for _, crop_id in known] for known in best]
