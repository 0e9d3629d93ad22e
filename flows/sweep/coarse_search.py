"""Coarse search: encodes texts, finds the best tracklets above the floor, and loads their pictures."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from anomalylmm.posture.classes import CHANNELS
from anomalylmm.posture.vector import join_queries, pad
from anomalylmm.protocols import TextEncoder
from anomalylmm.query.coarse import background, best_tracklets
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.query.masking import leave_out_negated, paraphrases
from anomalylmm.records import Candidate, CropRow, Floats, Image, Query
from anomalylmm.rerank.gate import CoarseHint
from flows.index.units.cropping import read_jpeg
from storage.gallery.gallery import FoundCrop, Gallery
from storage.gallery.scope import Scope

CROPS_PER_CANDIDATE = 6  # crops to search for each wanted candidate, because a tracklet has several
MAX_IMAGES = 4  # maximum for one candidate


def scope_of(query: Query, shard_ids: frozenset[str] | None = None) -> Scope:
    """Returns the part of the gallery that a query searches."""
    return Scope(
        shard_ids=shard_ids,
        cameras=frozenset(query.cameras) or None,
        start_utc=query.start_utc,
        stop_utc=query.stop_utc,
        daily_start=query.daily_start,
        daily_stop=query.daily_stop,
    )


def encode_views(encoder: TextEncoder, lexicon: Lexicon, queries: Sequence[Query]) -> list[Floats]:
    """Encodes the views of each query (its text, then its paraphrases); Q arrays (V, D) with unit rows.

    Negated words are left out: an encoder places "without a bag" near "with a bag".
    """
    queries = [leave_out_negated(query, lexicon) for query in queries]
    views = [(query.text, *paraphrases(query.cloze, lexicon)) for query in queries]
    flat = encoder.encode_texts([text for texts in views for text in texts])
    stops = np.cumsum([len(texts) for texts in views])
    return [np.asarray(part, dtype=np.float32) for part in np.split(flat, stops[:-1])]


def mean_views(views: Sequence[Floats]) -> Floats:
    """Averages the views (V, D) of each query to one unit vector; shape (Q, D)."""
    means = np.stack([part.mean(axis=0) for part in views])
    return np.asarray(means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def build_hints(views: Floats, best: Mapping[str, CropRow]) -> dict[str, CoarseHint]:
    """Returns, by tracklet id, the best crop's vector without posture, (D,), and its cosines with the views (V, D)."""
    vectors = {tracklet_id: row.vector[: views.shape[1]] for tracklet_id, row in best.items()}
    return {
        tracklet_id: CoarseHint(view_cosines=tuple((views @ vector).tolist()), vector=vector)
        for tracklet_id, vector in vectors.items()
    }


def find_candidates(
    gallery: Gallery,
    vectors: Floats,
    queries: Sequence[Query],
    scopes: Sequence[Scope],
    posture_weight: float,
) -> list[tuple[Candidate, ...]]:
    """Finds each query's best tracklets in its scope and above its floor, without pictures.

    Args:
        gallery: The gallery to search.
        vectors: One unit row for each query, (Q, D).
        queries: The queries, with floors and numbers of candidates.
        scopes: One for each query; queries with equal scopes share one scan.
        posture_weight: Weight of a clearly shown posture, in standard deviations (see ``posture.coarse``).
    """
    means, stds = background(gallery.background_scores(pad(vectors, gallery.dimension)))
    clozes = [query.cloze for query in queries]
    vectors = join_queries(vectors, clozes, stds, posture_weight, gallery.dimension)
    found: list[tuple[Candidate, ...]] = [()] * len(queries)
    for scope, members in _group(scopes).items():
        k = CROPS_PER_CANDIDATE * max(queries[index].top_n for index in members)
        for index, result in zip(members, gallery.search(vectors[members], k, scope), strict=True):
            found[index] = _to_candidates(result, queries[index], float(means[index]), float(stds[index]))
    return found


def _group(scopes: Sequence[Scope]) -> dict[Scope, list[int]]:
    groups: dict[Scope, list[int]] = defaultdict(list)
    for index, scope in enumerate(scopes):
        groups[scope].append(index)
    return groups


def _to_candidates(found: Sequence[FoundCrop], query: Query, mean: float, std: float) -> tuple[Candidate, ...]:
    cosines, owners = np.array([crop.cosine for crop in found], np.float32), [crop.tracklet_id for crop in found]
    best = best_tracklets(cosines, owners, mean=mean, std=std, floor_z=query.floor_z, top_n=query.top_n)
    return tuple(
        Candidate(
            tracklet_id=item.tracklet_id,
            video_id=found[item.rows[0]].video_id,
            camera=found[item.rows[0]].camera,
            crop_ids=tuple(found[row].crop_id for row in item.rows),
            best_crop_id=found[item.rows[0]].crop_id,
            shard_id=found[item.rows[0]].shard_id,
            cosine=item.cosine,
            z_score=item.z_score,
            rank=rank,
        )
        for rank, item in enumerate(best)
    )


def load_images(
    gallery: Gallery,
    candidates: Sequence[Candidate],
    *,
    has_poses: bool = False,
    decode: Callable[[bytes], Image] = read_jpeg,
) -> tuple[list[Candidate], dict[str, CropRow]]:
    """Adds the pictures of each candidate, best first; also returns the row of its best crop by tracklet id.

    All pictures are of the video that has the best crop, so that a hit goes with that video when it is erased.
    If the gallery has poses, postures are added too, except for crops with uncertain joints.
    """
    loaded, best = [], {}
    found = gallery.read_tracklets((candidate.shard_id, candidate.tracklet_id) for candidate in candidates)
    for candidate in candidates:
        crops = found[candidate.shard_id, candidate.tracklet_id]
        rows = {row.crop_id: row for row in crops if row.video_id == candidate.video_id}
        ids = [name for name in dict.fromkeys((*candidate.crop_ids, *rows)) if name in rows][:MAX_IMAGES]
        images = tuple(decode(rows[crop_id].jpeg) for crop_id in ids)
        postures = [row.body.posture_scores for row in rows.values() if row.body is not None]
        scores = np.stack(postures or [np.zeros(len(CHANNELS), np.float32)])[: len(postures)] if has_poses else None
        loaded.append(replace(candidate, crop_ids=tuple(ids), images=images, posture_scores=scores))
        best[candidate.tracklet_id] = rows[candidate.best_crop_id]
    return loaded, best


def time_zone_of(gallery: Gallery, candidate: Candidate) -> str:
    """Returns the time zone of a candidate's camera."""
    videos = gallery.shard(candidate.shard_id).manifest.videos
    return next(video.time_zone for video in videos if video.video_id == candidate.video_id)
