"""All searchable crops of one pipeline: its valid shards, searched together."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from threading import Lock
from typing import Self

import numpy as np

from anomalylmm.errors import PipelineMismatchError, ShapeError, ShardError
from anomalylmm.records import CropRow, Floats
from storage.disk.layout import StoreLayout
from storage.gallery.index_files import ROW_COLUMNS, CompactedIndex, open_indexes
from storage.gallery.opening import GalleryShard, InvalidShard, open_shards
from storage.gallery.scope import Scope
from storage.gallery.search import Rows, ShardRows, search_rows
from storage.shards.manifest import Footage, iter_manifests
from storage.shards.reading import load_tracklets, read_rows

KEPT_TRACKLETS = 512  # whose crops are kept, tens of kilobytes each: the queries of a sweep often find the same ones
Place = tuple[str, str]  # ids of a shard and of a tracklet in it
_WHOLE = Scope()
_PLACE = attrgetter("manifest.key.camera", "manifest.key.date", "manifest.key.shard_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCrop:
    """A crop that fits a query."""

    cosine: float
    crop_id: str
    tracklet_id: str
    video_id: str
    camera: str
    shard_id: str


class Gallery:
    """The valid shards of one pipeline at the moment of opening; ``open`` reads them."""

    def __init__(
        self,
        shards: Sequence[GalleryShard],
        invalid: Sequence[InvalidShard],
        pending: Sequence[GalleryShard],
        indexes: Sequence[CompactedIndex],
    ) -> None:
        self.shards = tuple(sorted(shards, key=_PLACE))
        self.invalid = tuple(invalid)  # left out
        self.pending = tuple(pending)  # left out until the shards with the shorter versions of their videos are gone
        makes = {(shard.manifest.encoder_id, shard.manifest.dimension) for shard in self.shards}
        if len(makes) > 1:
            raise PipelineMismatchError(
                f"Shards of {len(makes)} encoders are mixed: {sorted(makes)}. "
                "Keep each pipeline's shards under its own digest, or index the archive again."
            )
        self.encoder_id, self.dimension = next(iter(makes), ("", 0))
        self._by_id = {shard.shard_id: shard for shard in self.shards}
        self._placed = ShardRows(self.shards, np.cumsum([0, *(shard.manifest.rows for shard in self.shards)]))
        self.indexes = tuple(indexes)  # compacted ones of some of the valid shards, each in one at most
        self._index_of = {shard_id: index for index in indexes for shard_id in index.manifest.shard_ids}
        self._tracklets: dict[Place, list[CropRow]] = {}
        self._turn = Lock()  # of those who read tracklets

    @classmethod
    def open(cls, layout: StoreLayout, pipeline_digest: str) -> Self:
        """Reads the manifests of a pipeline's shards; invalid ones are named in ``invalid`` and left out.

        Raises:
            PipelineMismatchError: If shards of different encoders lie under this digest.
        """
        valid, invalid = open_shards(layout, pipeline_digest)
        present = frozenset[str]().union(*(shard.manifest.video_ids for shard in valid))
        shards, pending = list[GalleryShard](), list[GalleryShard]()
        for shard in valid:
            is_pending = any(not present.isdisjoint(video.grown_from) for video in shard.manifest.videos)
            (pending if is_pending else shards).append(shard)
        return cls(shards, invalid, pending, open_indexes(layout, pipeline_digest, shards))

    @property
    def num_crops(self) -> int:
        """Number of searchable crops."""
        return int(self._placed.firsts[-1])

    @property
    def shard_ids(self) -> tuple[str, ...]:
        """Ids of the valid shards, by camera, date and id."""
        return tuple(shard.shard_id for shard in self.shards)

    @property
    def videos(self) -> tuple[Footage, ...]:
        """The videos of all valid shards, including pending ones; those stored last come first."""
        newest = sorted((*self.shards, *self.pending), key=attrgetter("manifest.created_utc"), reverse=True)
        return tuple(video for shard in newest for video in shard.manifest.footage)

    @property
    def video_ids(self) -> frozenset[str]:
        """The videos that need not be indexed again: valid shards hold them, maybe as the beginning of longer ones."""
        return frozenset[str]().union(*(video.ids for video in self.videos))

    def search(self, queries: Floats, k: int, scope: Scope = _WHOLE) -> tuple[list[FoundCrop], ...]:
        """The ``k`` best crops in scope for each query, best first, equal ones by their ids, with exact cosines.

        Shards that are not compacted are searched exactly. Of compacted indexes, the best approximate rows are scored
        again, so that a crop can be missed only if it is not among them.

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
        cosines, rows = search_rows(self._placed, self.indexes, wanted, min(k, self.num_crops), scope)
        known = self._look_up(np.unique(rows))
        return tuple(
            sorted(
                (FoundCrop(cosine=cosine, **known[row]) for cosine, row in zip(*pair, strict=True) if row >= 0),
                key=lambda crop: (-crop.cosine, crop.crop_id, crop.shard_id),
            )
            for pair in zip(cosines.tolist(), rows.tolist(), strict=True)
        )

    def background_scores(self, queries: Floats, max_crops: int = 4096) -> Floats:
        """Cosines of the queries with crops spread evenly over the gallery, (Q, B); always the same ones.

        Raises:
            ShapeError: If the queries are not (Q, D).
            ShardError: If a shard can't be read.
        """
        self._check_queries(queries)
        number = min(max_crops, self.num_crops)
        if not number:
            return np.zeros((len(queries), 0), np.float32)
        rows = ((np.arange(number) + 0.5) * (self.num_crops / number)).astype(np.int64)
        return np.asarray(queries @ self._placed.read_vectors(rows).T)

    def tracklet_crops(self, shard_id: str, tracklet_id: str) -> list[CropRow]:
        """All crops of one tracklet, in time order; those of the last ones asked for are kept.

        Raises:
            ShardError: If the gallery has no such shard, or it can't be read.
        """
        return self.read_tracklets([(shard_id, tracklet_id)])[shard_id, tracklet_id]

    def read_tracklets(self, places: Iterable[Place]) -> dict[Place, list[CropRow]]:
        """All crops of several tracklets, as by ``tracklet_crops``; each shard is read once.

        Raises:
            ShardError: If the gallery has no such shard, or one can't be read.
        """
        with self._turn:
            wanted = dict.fromkeys(places)
            missing: dict[str, list[str]] = defaultdict(list)
            for shard_id, tracklet_id in wanted:
                if (shard_id, tracklet_id) not in self._tracklets:
                    missing[shard_id].append(tracklet_id)
            found = {place: self._tracklets.pop(place) for place in wanted if place in self._tracklets}
            for shard_id, names in missing.items():
                read = load_tracklets(self.shard(shard_id).directory, names)
                found |= {(shard_id, name): crops for name, crops in read.items()}
            self._tracklets |= {place: found[place] for place in wanted}  # the last ones asked for are at the end
            for place in list(self._tracklets)[:-KEPT_TRACKLETS]:
                del self._tracklets[place]
        return {place: list(found[place]) for place in wanted}

    def shard(self, shard_id: str) -> GalleryShard:
        """One shard by id.

        Raises:
            ShardError: If the gallery has none of this id.
        """
        if shard_id not in self._by_id:
            raise ShardError(f"The gallery has no valid shard {shard_id}. Run: anomalylmm verify")
        return self._by_id[shard_id]

    def _check_queries(self, queries: Floats) -> None:
        if queries.ndim != 2 or (self.shards and queries.shape[1] != self.dimension):
            raise ShapeError.of("queries", f"(Q, {self.dimension or 'D'})", queries.shape)

    def _look_up(self, rows: Rows) -> dict[int, dict[str, str]]:
        """What is known of the crop in each row, which ascend."""
        found: dict[int, dict[str, str]] = {}
        for number, own in self._placed.locate(rows):
            shard, places = self.shards[number], rows[own] - self._placed.firsts[number]
            index = self._index_of.get(shard.shard_id)
            table = index.read_rows(shard.shard_id, places) if index else None
            table = read_rows(shard.directory, places, ROW_COLUMNS) if table is None else table
            for row, entry in zip(rows[own].tolist(), table.to_pylist(), strict=True):
                found[row] = {**entry, "camera": shard.manifest.key.camera, "shard_id": shard.shard_id}
        return found


def count_crops(layout: StoreLayout) -> dict[str, int]:
    """Number of crops by pipeline digest, newest pipeline first."""
    counts = Counter[str]()
    manifests = (manifest for _, manifest in iter_manifests(layout))
    for manifest in sorted(manifests, key=attrgetter("created_utc"), reverse=True):
        counts[manifest.key.pipeline_digest] += manifest.rows
    return counts
