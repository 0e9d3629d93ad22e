"""The coarse search over a benchmark, computed once for all variants: picture vectors on disk, ranks, candidates."""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomalylmm.measure.metrics import order_by_score, positive_ranks
from anomalylmm.posture.vector import asked_part, score_part
from anomalylmm.protocols import ImageEncoder, TextEncoder
from anomalylmm.query.coarse import background, z_scores
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.records import Candidate, Floats, Query
from anomalylmm.rerank.gate import CoarseHint
from flows.evaluate.benchmark.records import Benchmark, BenchmarkQuery, GalleryImage, read_picture
from flows.runs.progress import Listener
from flows.sweep.coarse_search import encode_views, mean_views
from storage.disk.files import replace_file

CHUNK = 256  # pictures encoded, and kept, at once
QUERY_BLOCK = 64  # queries whose scores are in memory at once
DECIMALS = 6  # of cosines, so that equal pictures tie however a matrix product is divided
BACKGROUND = 4096  # pictures that tell what is usual, spread evenly


@dataclass(frozen=True, slots=True, kw_only=True)
class CoarseList:
    """The coarse order of one query."""

    query: BenchmarkQuery
    places: tuple[int, ...]  # of the best pictures, best first
    cosines: tuple[float, ...] = field(repr=False)
    z_scores: tuple[float, ...] = field(repr=False)
    ranks: tuple[int, ...]  # 0-based, of the positives among all pictures
    hints: Mapping[str, CoarseHint] = field(default_factory=dict, repr=False)  # by tracklet id


def encode_gallery(encoder: ImageEncoder, images: Sequence[GalleryImage], folder: Path, listener: Listener) -> Floats:
    """Encodes all pictures; shape (N, D). Each chunk is kept in the folder, so a second run encodes nothing.

    Raises:
        ArchiveError: A picture can't be read.
        StoreError: The folder can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    listener.start("encode", len(images))
    parts = []
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK]
        parts.append(_encode_chunk(encoder, chunk, folder))
        listener.advance("encode", len(chunk))
    return np.concatenate(parts)


def _encode_chunk(encoder: ImageEncoder, images: Sequence[GalleryImage], folder: Path) -> Floats:
    path = folder / f"{digest_images(images, encoder.model_id)}.npy"
    known = read_vectors(path, (len(images), encoder.dimension))
    if known is not None:
        return known
    vectors = encoder.encode_images([read_picture(image.path) for image in images]).astype(np.float32)
    content = io.BytesIO()
    np.save(content, vectors)
    replace_file(path, content.getvalue(), scratch=folder)
    return vectors


def digest_images(images: Sequence[GalleryImage], model_id: str = "") -> str:
    """Digests which pictures these are, by name, size and time of change."""
    stats = [(image.name, image.path.stat()) for image in images]
    parts = [model_id, [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


def read_vectors(path: Path, shape: tuple[int, int]) -> Floats | None:
    """Reads kept vectors; none where there are none, or damaged ones."""
    try:
        vectors = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return vectors if vectors.shape == shape else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """What the coarse search knows of a benchmark's N pictures."""

    vectors: Floats = field(repr=False)  # (N, D)
    postures: Floats | None = field(repr=False)  # (N, P); None where no poses are estimated
    posture_weight: float  # standard deviations that a posture surely shown is worth

    def score(self, queries: Sequence[Query], texts: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores all pictures for Q queries with text vectors (Q, D): (Q, N) as a search does, and as z-scores."""
        sample = np.unique(np.linspace(0, len(self.vectors) - 1, min(BACKGROUND, len(self.vectors))).astype(int))
        scores = (texts @ self.vectors.T).astype(np.float64)
        center, spread = background(np.round(scores[:, sample], DECIMALS))
        if self.postures is not None and self.posture_weight:
            asked = np.stack([asked_part(query.cloze) for query in queries]) @ score_part(self.postures).T
            scores = scores + self.posture_weight * spread[:, None] * asked
        scores = np.round(scores, DECIMALS)
        return scores, z_scores(scores, center, spread)


def iter_coarse(
    benchmark: Benchmark,
    queries: Sequence[Query],
    pictures: Pictures,
    encoder: TextEncoder,
    lexicon: Lexicon,
    depth: int,
) -> Iterator[CoarseList]:
    """Yields the coarse order of each query: its best ``depth`` pictures, and the ranks of its positives."""
    for start in range(0, len(queries), QUERY_BLOCK):
        block = queries[start : start + QUERY_BLOCK]
        views = encode_views(encoder, lexicon, block)
        scores, standing = pictures.score(block, mean_views(views))
        for number, query in enumerate(benchmark.queries[start : start + QUERY_BLOCK]):
            found = _rank(query, scores[number], standing[number], depth)
            yield replace(found, hints=_build_hints(found.places, views[number], pictures.vectors))


def _build_hints(places: Sequence[int], views: Floats, vectors: Floats) -> dict[str, CoarseHint]:
    """Tells how each view (V, D) of the query likes each picture, and its vector; as a sweep knows them."""
    liked = vectors[list(places)] @ views.T  # (K, V)
    return {
        str(place): CoarseHint(view_cosines=tuple(row.tolist()), vector=vectors[place])
        for place, row in zip(places, liked, strict=True)
    }


def _rank(query: BenchmarkQuery, scores: NDArray[np.floating], standing: NDArray[np.float64], depth: int) -> CoarseList:
    order = order_by_score(scores)
    best = order[:depth]
    return CoarseList(
        query=query,
        places=tuple(best.tolist()),
        cosines=tuple(scores[best].tolist()),
        z_scores=tuple(standing[best].tolist()),
        ranks=positive_ranks(order, query.positives),
    )


def build_candidates(benchmark: Benchmark, coarse: CoarseList, postures: Floats | None = None) -> list[Candidate]:
    """Builds a candidate of each picture, which is the only one of its tracklet."""
    return [
        _build_candidate(
            benchmark.images[place], place, rank, coarse, None if postures is None else postures[place][None]
        )
        for rank, place in enumerate(coarse.places)
    ]


def _build_candidate(
    image: GalleryImage, place: int, rank: int, coarse: CoarseList, postures: Floats | None
) -> Candidate:
    return Candidate(
        tracklet_id=str(place),
        video_id=image.image_id,
        camera="",
        crop_ids=(str(place),),
        best_crop_id=str(place),
        shard_id="",
        cosine=coarse.cosines[rank],
        z_score=coarse.z_scores[rank],
        rank=rank,
        images=(read_picture(image.path),),
        posture_scores=postures,
    )


def new_ranks(coarse: CoarseList, places: Sequence[int]) -> tuple[int, ...]:
    """Gives the positives' ranks after the first places were put in another order; the tail stays."""
    moved = {place: rank for rank, place in enumerate(places)}
    before = {place: rank for rank, place in enumerate(coarse.places)}
    first = [moved[place] for place in coarse.query.positives if place in before]
    return tuple(sorted((*first, *(rank for rank in coarse.ranks if rank >= len(coarse.places)))))
