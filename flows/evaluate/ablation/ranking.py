"""The coarse search over a benchmark, computed once for all variants: scores, ranks and candidates."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomalylmm.measure.metrics import order_by_score, positive_ranks
from anomalylmm.posture.vector import asked_part, score_part
from anomalylmm.query.coarse import background, z_scores
from anomalylmm.records import Candidate, Floats, Query
from anomalylmm.rerank.gate import CoarseHint
from flows.composition import Composition
from flows.evaluate.ablation.kept_arrays import compute_once
from flows.evaluate.ablation.postures import read_postures
from flows.evaluate.benchmark.records import Benchmark, BenchmarkQuery, read_picture
from flows.runs.progress import Listener
from flows.sweep.coarse_search import encode_views, mean_views

QUERY_BLOCK = 64  # queries whose scores are in memory at once
DECIMALS = 6  # of cosines, so that equal pictures tie however a matrix product is divided
BACKGROUND = 4096  # pictures, spread evenly, from which center and spread of the scores are estimated


@dataclass(frozen=True, slots=True, kw_only=True)
class CoarseList:
    """The coarse order of one query."""

    query: BenchmarkQuery
    places: tuple[int, ...]  # of the best pictures, best first
    cosines: tuple[float, ...] = field(repr=False)
    z_scores: tuple[float, ...] = field(repr=False)
    ranks: tuple[int, ...]  # 0-based, of the positives among all pictures
    hints: Mapping[str, CoarseHint] = field(repr=False)  # by tracklet id


class CoarseSearch:
    """The pictures of a benchmark with their vectors and posture scores."""

    def __init__(self, composition: Composition, benchmark: Benchmark, folder: Path, listener: Listener) -> None:
        """Encodes the pictures, or reads what an earlier run stored in the folder.

        Raises:
            ArchiveError: A picture can't be read.
            StoreError: The folder can't be written.
        """
        encoder, self._composition, self._benchmark = composition.encoder, composition, benchmark
        self._vectors = compute_once(  # (N, D)
            benchmark.images,
            lambda pictures: encoder.encode_images(pictures).astype(np.float32),
            width=encoder.dimension,
            folder=folder,
            model_id=encoder.model_id,
            suffix=".npy",
            stage="encode",
            listener=listener,
        )
        self._postures = read_postures(composition, benchmark.images, folder, listener)  # (N, P)
        self.seconds = 0.0  # spent on searching so far

    def iter_lists(self, queries: Sequence[Query], depth: int) -> Iterator[CoarseList]:
        """Yields the coarse order of each query: its best ``depth`` pictures, and the ranks of its positives."""
        for start in range(0, len(queries), QUERY_BLOCK):
            began = time.perf_counter()
            block = queries[start : start + QUERY_BLOCK]
            views = encode_views(self._composition.encoder, self._composition.lexicon, block)
            scores, standing = self._score(block, mean_views(views))
            asked = self._benchmark.queries[start : start + QUERY_BLOCK]
            found = [self._rank(*row, depth) for row in zip(asked, scores, standing, views, strict=True)]
            self.seconds += time.perf_counter() - began
            yield from found

    def _score(self, queries: Sequence[Query], texts: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores all pictures for Q queries with text vectors (Q, D): (Q, N) as a search does, and as z-scores."""
        sample = np.unique(np.linspace(0, len(self._vectors) - 1, min(BACKGROUND, len(self._vectors))).astype(int))
        scores = (texts @ self._vectors.T).astype(np.float64)
        center, spread = background(np.round(scores[:, sample], DECIMALS))
        weight = self._composition.settings.coarse.posture_weight
        if self._postures is not None and weight:
            asked = np.stack([asked_part(query.cloze) for query in queries]) @ score_part(self._postures).T
            scores = scores + weight * spread[:, None] * asked
        scores = np.round(scores, DECIMALS)
        return scores, z_scores(scores, center, spread)

    def _rank(
        self,
        query: BenchmarkQuery,
        scores: NDArray[np.float64],
        standing: NDArray[np.float64],
        views: Floats,
        depth: int,
    ) -> CoarseList:
        """Sorts the pictures; the hints hold each picture's cosines with the query's views (V, D), as in a sweep."""
        order = order_by_score(scores)
        best = order[:depth]
        liked = self._vectors[best] @ views.T  # (K, V)
        hints = {
            str(place): CoarseHint(view_cosines=tuple(row.tolist()), vector=self._vectors[place])
            for place, row in zip(best.tolist(), liked, strict=True)
        }
        return CoarseList(
            query=query,
            places=tuple(best.tolist()),
            cosines=tuple(scores[best].tolist()),
            z_scores=tuple(standing[best].tolist()),
            ranks=positive_ranks(order, query.positives),
            hints=hints,
        )

    def build_candidates(self, coarse: CoarseList) -> list[Candidate]:
        """Builds one candidate per picture; each picture is a tracklet of its own."""
        images, postures = self._benchmark.images, self._postures
        return [
            Candidate(
                tracklet_id=str(place),
                video_id=images[place].image_id,
                camera="",
                crop_ids=(str(place),),
                best_crop_id=str(place),
                shard_id="",
                cosine=coarse.cosines[rank],
                z_score=coarse.z_scores[rank],
                rank=rank,
                images=(read_picture(images[place].path),),
                posture_scores=None if postures is None else postures[place][None],
            )
            for rank, place in enumerate(coarse.places)
        ]


def new_ranks(coarse: CoarseList, places: Sequence[int]) -> tuple[int, ...]:
    """Returns the ranks of the positives after the first places were re-ordered; the other ranks stay."""
    moved = {place: rank for rank, place in enumerate(places)}
    first = [moved[place] for place in coarse.query.positives if place in coarse.places]
    return tuple(sorted((*first, *(rank for rank in coarse.ranks if rank >= len(coarse.places)))))
