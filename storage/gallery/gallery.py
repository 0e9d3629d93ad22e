"""All searchable crops of one pipeline: its valid shards, searched together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import PipelineMismatchError, ShapeError, ShardError, StoreError
from anomalylmm.records import CropRow, Floats
from storage.disk.layout import StoreLayout
from storage.gallery.compacted import ROW_COLUMNS, CompactedIndex, open_indexes
from storage.gallery.facts import GalleryShard
from storage.gallery.opening import InvalidShard, open_shards
from storage.gallery.parts import CompactedPart, Part, ShardPart, scan
from storage.gallery.scope import Scope
from storage.gallery.shortlist import Shortlist
from storage.shards.manifest import ShardManifest, read_manifest
from storage.shards.reading import load_crops, load_tracklet
from storage.shards.vectors import check_queries, open_or_rebuild, read_vectors

_WHOLE = Scope()
_VECTORS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """The best crops for one query, best first; equal ones in order of their ids. K entries each."""

    crop_ids: tuple[str, ...]
    tracklet_ids: tuple[str, ...]
    video_ids: tuple[str, ...]
    cameras: tuple[str, ...]
    shard_ids: tuple[str, ...]
    pts_seconds: NDArray[np.float64] = field(repr=False)  # (K,)
    wall_clock_utc: tuple[datetime, ...] = field(repr=False)
    cosines: Floats = field(repr=False)  # (K,), falling

    def __len__(self) -> int:
        """Number of crops."""
        return len(self.crop_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSummary:
    """What the store holds of one pipeline."""

    pipeline_digest: str
    encoder_id: str
    dimension: int
    num_shards: int
    num_videos: int
    num_crops: int
    newest_utc: datetime  # when its newest shard was made


class Gallery:
    """The valid shards of one pipeline at the moment of opening."""

    def __init__(
        self,
        shards: Sequence[GalleryShard],
        invalid: Sequence[InvalidShard] = (),
        indexes: Sequence[CompactedIndex] = (),
    ) -> None:
        """Joins shards of one encoder.

        Args:
            shards: The valid ones.
            invalid: Those that are left out.
            indexes: Compacted indexes of some of the valid ones, each shard in one at most.

        Raises:
            PipelineMismatchError: If their vectors can't be compared.
        """
        self.shards = tuple(sorted(shards, key=_place))
        self.invalid = tuple(invalid)
        makes = {(shard.facts.encoder_id, shard.facts.dimension) for shard in self.shards}
        if len(makes) > 1:
            raise PipelineMismatchError(
                f"Shards of {len(makes)} encoders are mixed: {sorted(makes)}. "
                "Keep each pipeline's shards under its own digest, or index the archive again."
            )
        self.encoder_id, self.dimension = next(iter(makes), ("", 0))
        self._by_id = {shard.shard_id: shard for shard in self.shards}
        self._firsts = np.cumsum([0, *(shard.facts.rows for shard in self.shards)])  # rows of the gallery
        self.indexes = tuple(indexes)
        self._parts = self._divide()

    @classmethod
    def open(cls, layout: StoreLayout, pipeline_digest: str, *, cataloged: bool = True) -> Self:
        """Lists the shards of a pipeline; invalid ones are named in ``invalid`` and left out.

        A missing or cut index does not make a shard invalid, since it is built again when needed.

        Args:
            layout: The store.
            pipeline_digest: The pipeline.
            cataloged: False: read every manifest, which gives the same and takes longer.

        Raises:
            PipelineMismatchError: If shards of different encoders lie under this digest.
        """
        opened = open_shards(layout, pipeline_digest, cataloged=cataloged)
        indexes = open_indexes(layout, pipeline_digest, (shard.facts for shard in opened.valid))
        return cls(opened.valid, opened.invalid, indexes)

    @property
    def num_crops(self) -> int:
        """Number of searchable crops."""
        return sum(shard.facts.rows for shard in self.shards)

    @property
    def shard_ids(self) -> tuple[str, ...]:
        """Ids of the valid shards, by camera, date and id."""
        return tuple(shard.shard_id for shard in self.shards)

    @property
    def video_ids(self) -> frozenset[str]:
        """The videos that a valid shard holds: what need not be indexed again."""
        return frozenset(video_id for shard in self.shards for video_id in shard.video_ids)

    def search(self, queries: Floats, k: int, scope: Scope = _WHOLE) -> tuple[SearchResult, ...]:
        """The ``k`` best crops in scope for each query, by exact cosine.

        Args:
            queries: (Q, D), unit length.
            k: Crops wanted for each query; fewer come where fewer are in scope.
            scope: What may be found.

        Raises:
            ShapeError: If the queries are not (Q, D).
            ShardError: If a shard can't be read.
        """
        self._check_queries(queries)
        wanted = np.ascontiguousarray(queries, dtype=np.float32)
        shortlist = Shortlist(len(wanted), min(k, self.num_crops), partial(self._score_exactly, wanted))
        scan(tuple(dict.fromkeys(self._parts)), wanted, scope, shortlist)
        return self._describe(*shortlist.best())

    def background_scores(self, queries: Floats, max_crops: int = 4096) -> Floats:
        """Cosines of the queries with crops spread evenly over the gallery, (Q, B); always the same ones.

        Raises:
            ShapeError: If the queries are not (Q, D).
            ShardError: If a shard can't be read.
        """
        self._check_queries(queries)
        number = min(max_crops, self.num_crops)
        rows = ((np.arange(number) + 0.5) * (self.num_crops / max(1, number))).astype(np.int64)
        scores = [np.zeros((len(queries), 0), np.float32)]
        scores += [queries @ vectors.T for _, vectors in self._read_vectors(rows)]
        return np.concatenate(scores, axis=1)

    def crops(self, shard_id: str, crop_ids: Sequence[str]) -> list[CropRow]:
        """Crops of one shard by id, in the order asked for.

        Raises:
            ShardError: If the gallery has no such shard, or the shard no such crop.
        """
        return load_crops(self.shard(shard_id).directory, crop_ids)

    def tracklet_crops(self, shard_id: str, tracklet_id: str) -> list[CropRow]:
        """All crops of one tracklet, in time order.

        Raises:
            ShardError: If the gallery has no such shard, or it can't be read.
        """
        return load_tracklet(self.shard(shard_id).directory, tracklet_id)

    def shard(self, shard_id: str) -> GalleryShard:
        """One shard by id.

        Raises:
            ShardError: If the gallery has none of this id.
        """
        if shard_id not in self._by_id:
            raise ShardError(f"The gallery has no valid shard {shard_id}. Run: anomalylmm verify")
        return self._by_id[shard_id]

    def _check_queries(self, queries: Floats) -> None:
        if queries.ndim != 2:
            raise ShapeError.of("queries", "(Q, D)", queries.shape)
        if self.shards:
            check_queries(queries, self.dimension)

    def _divide(self) -> tuple[Part, ...]:
        """The part that each shard is scanned in."""
        numbers = {shard.shard_id: number for number, shard in enumerate(self.shards)}
        parts: list[Part] = [
            ShardPart(shard, int(first)) for shard, first in zip(self.shards, self._firsts, strict=False)
        ]
        for index in self.indexes:
            own = [numbers[shard.shard_id] for shard in index.manifest.shards]
            whole = CompactedPart(index, [self.shards[number] for number in own], self._firsts[own].tolist())
            for number in own:
                parts[number] = whole
        return tuple(parts)

    def _locate(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, slice]]:
        """The number of each shard that has some of the rows, which ascend, and where among them its own are."""
        stops = np.searchsorted(rows, self._firsts)
        for number in np.flatnonzero(np.diff(stops)).tolist():
            yield number, slice(int(stops[number]), int(stops[number + 1]))

    def _read_vectors(self, rows: NDArray[np.int64]) -> Iterator[tuple[slice, Floats]]:
        """The exact vectors of ascending rows of the gallery, some at a time."""
        for number, own in self._locate(rows):
            shard = self.shards[number]
            index = open_or_rebuild(shard.directory, shard.facts.rows, shard.facts.dimension)
            for start in range(own.start, own.stop, _VECTORS_AT_ONCE):
                some = slice(start, min(start + _VECTORS_AT_ONCE, own.stop))
                yield some, read_vectors(index, rows[some] - self._firsts[number])

    def _score_exactly(self, queries: Floats, numbers: NDArray[np.int64], rows: NDArray[np.int64]) -> Floats:
        """Cosines from the exact vectors in double precision, (M,); they depend on the two vectors alone."""
        order = np.argsort(rows, kind="stable")
        cosines = np.empty(len(rows), np.float32)
        for some, vectors in self._read_vectors(rows[order]):
            with np.errstate(invalid="ignore"):  # of vectors without sense
                products = vectors.astype(np.float64) * queries[numbers[order[some]]]
                cosines[order[some]] = products.sum(axis=1)
        return np.where(np.isfinite(cosines), cosines, np.float32(-np.inf))

    def _describe(self, cosines: Floats, rows: NDArray[np.int64]) -> tuple[SearchResult, ...]:
        found = self._look_up(np.unique(rows[rows >= 0]))
        results = []
        for own_cosines, own_rows in zip(cosines.tolist(), rows.tolist(), strict=True):
            pairs = [(cosine, row) for cosine, row in zip(own_cosines, own_rows, strict=True) if row >= 0]
            results.append(_to_result(sorted((-cosine, *found[row]) for cosine, row in pairs)))
        return tuple(results)

    def _look_up(self, rows: NDArray[np.int64]) -> dict[int, tuple[object, ...]]:
        """What a result tells of each row of the gallery."""
        found: dict[int, tuple[object, ...]] = {}
        for number, own in self._locate(rows):
            shard = self.shards[number]
            table = self._parts[number].read_table(shard, rows[own] - self._firsts[number])
            columns = [table.column(name).to_pylist() for name in ROW_COLUMNS]
            for row, values in zip(rows[own].tolist(), zip(*columns, strict=True), strict=True):
                found[row] = (*values, shard.shard_id)
        return found


def iter_shard_dirs(layout: StoreLayout, pipeline_digest: str | None = None) -> Iterator[Path]:
    """The directories where shards lie, valid or not, of one pipeline or of all, in order."""
    top = layout.shards if pipeline_digest is None else layout.pipeline_dir(pipeline_digest)
    pattern = "*/*/*/*" if pipeline_digest is None else "*/*/*"
    yield from sorted(path for path in top.glob(pattern) if path.is_dir())


def pipelines(layout: StoreLayout) -> tuple[PipelineSummary, ...]:
    """What the store holds of each pipeline, newest first; shards without a readable manifest do not count."""
    manifests: dict[str, list[ShardManifest]] = {}
    for directory in iter_shard_dirs(layout):
        try:
            manifest = read_manifest(directory)
        except StoreError:
            continue  # verify_store names it
        manifests.setdefault(manifest.key.pipeline_digest, []).append(manifest)
    summaries = [_summarize(digest, group) for digest, group in manifests.items()]
    return tuple(sorted(summaries, key=lambda summary: summary.newest_utc, reverse=True))


def _summarize(digest: str, manifests: Sequence[ShardManifest]) -> PipelineSummary:
    return PipelineSummary(
        pipeline_digest=digest,
        encoder_id=manifests[0].encoder_id,
        dimension=manifests[0].dimension,
        num_shards=len(manifests),
        num_videos=sum(len(manifest.videos) for manifest in manifests),
        num_crops=sum(manifest.rows for manifest in manifests),
        newest_utc=max(manifest.created_utc for manifest in manifests),
    )


def _place(shard: GalleryShard) -> tuple[str, str, str]:
    facts = shard.facts
    return facts.camera, facts.date, facts.shard_id


def _to_result(entries: list[tuple[object, ...]]) -> SearchResult:
    columns = list(zip(*entries, strict=True)) or [()] * (len(ROW_COLUMNS) + 2)
    negated, crop_ids, tracklet_ids, video_ids, cameras, pts_seconds, moments, shard_ids = columns
    return SearchResult(
        crop_ids=crop_ids,
        tracklet_ids=tracklet_ids,
        video_ids=video_ids,
        cameras=cameras,
        shard_ids=shard_ids,
        pts_seconds=np.asarray(pts_seconds, np.float64),
        wall_clock_utc=tuple(moment.astimezone(UTC) for moment in moments),
        cosines=-np.asarray(negated, np.float32),
    )
