"""What other kinds of index cost and find on the same vectors, beside blocks of codes with a certain shortlist.

Usage: python -m benchmarks.scale.indexes [--crops N] [--dimension D]
"""

import argparse
import time
from collections.abc import Callable

import faiss
import numpy as np

from anomalylmm.records import Floats
from benchmarks.scale.vectors import World
from storage.gallery.quantizing import Scale, coded_form
from storage.gallery.shortlist import Shortlist

K = 100
BLOCK = 10_000


def main() -> None:
    """Builds each kind once, then searches with one query and with a hundred."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale.indexes", description=__doc__)
    parser.add_argument("--crops", type=float, default=3e5)
    parser.add_argument("--dimension", type=int, default=192)
    options = parser.parse_args()
    world = World(options.dimension)
    crops = np.concatenate([world.crops(BLOCK, stream) for stream in range(int(options.crops) // BLOCK)])
    queries = world.texts(100)
    truth = np.argsort(-(queries @ crops.T), axis=1)[:, :K]
    print(f"{len(crops):,} crops x {options.dimension}, k = {K}; CPU milliseconds a query, recall@{K}\n")
    print("| index | build, CPU s | one query | of a hundred | recall |\n|---|---|---|---|---|")
    for name in ("Flat", "SQ8", "IVF1024,SQ8"):
        _try_faiss(name, crops, queries, truth)
    _try_blocks(crops, queries, truth)


def _try_faiss(name: str, crops: Floats, queries: Floats, truth: np.ndarray) -> None:
    began = time.process_time()
    index = faiss.index_factory(crops.shape[1], name, faiss.METRIC_INNER_PRODUCT)
    index.train(crops[:: max(1, len(crops) // 60_000)])
    index.add(crops)
    built = time.process_time() - began
    for probes in (8, 32, 128, 1024) if name.startswith("IVF") else (0,):
        if probes:
            index.nprobe = probes
        _tell(
            f"FAISS {name}" + f", nprobe {probes}" * bool(probes),
            built,
            lambda few: index.search(few, K)[1],
            queries,
            truth,
        )


def _try_blocks(crops: Floats, queries: Floats, truth: np.ndarray) -> None:
    began = time.process_time()
    scale = Scale.between(crops.min(axis=0), crops.max(axis=0))
    coded = [scale.encode(piece) for piece in np.array_split(crops, len(crops) // BLOCK)]
    codes, error = np.concatenate([own for own, _ in coded]), max(wrong for _, wrong in coded)
    built = time.process_time() - began

    def search(few: Floats) -> np.ndarray:
        form = coded_form(few, scale, error)
        found = Shortlist(
            len(few), K, lambda numbers, rows: (crops[rows].astype(np.float64) * few[numbers]).sum(axis=1)
        )
        room = np.empty((1 << 18) // codes.shape[1] * codes.shape[1], np.float32).reshape(-1, codes.shape[1])
        for start in range(0, len(codes), len(room)):
            block = room[: len(codes) - start]
            np.copyto(block, codes[start : start + len(room)])
            rows = np.arange(start, start + len(block))
            found.add(0, form.weights @ block.T, form.offsets, form.slacks, rows)
        return found.best()[1]

    _tell("blocks of codes, exact", built, search, queries, truth)


def _tell(name: str, built: float, search: Callable[[Floats], np.ndarray], queries: Floats, truth: np.ndarray) -> None:
    costs = []
    for number in (1, 100):
        search(queries[:number])
        began = time.process_time()
        found = search(queries[:number])
        costs.append((time.process_time() - began) / number * 1000)
    shares = [len(np.intersect1d(own, best)) / K for own, best in zip(found, truth, strict=True)]
    print(f"| {name} | {built:.1f} | {costs[0]:.1f} | {costs[1]:.1f} | {np.mean(shares):.3f} |", flush=True)


if __name__ == "__main__":
    main()
