"""All that the page of one incident shows: its hits with what the judge saw, the person's crops, and what is near."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anomalylmm.errors import ConfigurationError
from anomalylmm.protocols import PatchTextMapper
from anomalylmm.records import CropRow
from anomalylmm.rerank.saliency import overlay
from flows.desk.clips import read_track
from flows.desk.sentences import Word, read_slots, split_words
from flows.export.choice import Choice, Evidence, gather
from flows.index.units.cropping import read_jpeg, write_jpeg
from flows.report.pictures import draw_box
from storage.disk.layout import StoreLayout
from storage.hits.board import Board

MAX_HITS = 200  # of one incident that its page shows
MAX_CROPS = 24  # of a strip
NEAR_SECONDS = 120.0
MAX_NEIGHBORS = 12
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One incident, as its page shows it."""

    incident: Row
    hits: tuple[Evidence, ...]  # best first
    states: Mapping[str, Row]  # what people say of each hit now
    words: tuple[Word, ...]  # the query's sentence, with its masks
    strip: tuple[CropRow, ...]
    remarks: tuple[Row, ...]  # newest first
    neighbors: tuple[Row, ...]

    @property
    def best(self) -> Evidence:
        """The hit that the judge was surest of."""
        return self.hits[0]


def read_moment(layout: StoreLayout, board: Board, incident_id: str) -> Moment | None:
    """Reads one incident; None if it is not in the store (any more).

    Raises:
        StoreError: The store can't be read.
    """
    board.refresh()
    found, hits = board.incidents([incident_id]), board.hits([incident_id])[:MAX_HITS]
    if not found or not hits:
        return None
    ids = [hit["hit_id"] for hit in hits]
    try:
        evidence = gather(layout, Choice(hit_ids=tuple(ids)), most=MAX_HITS)
    except ConfigurationError:
        return None  # erased a moment ago
    return Moment(
        incident=found[0],
        hits=tuple(evidence),
        states={hit["hit_id"]: hit for hit in hits},
        words=_words(board, hits[0]["query_version"]),
        strip=tuple(choose(read_track(layout, evidence[0]))),
        remarks=tuple(board.remarks(ids)),
        neighbors=tuple(board.neighbors(found[0], NEAR_SECONDS, MAX_NEIGHBORS)),
    )


def _words(board: Board, query_version: str) -> tuple[Word, ...]:
    text, cloze = board.query(query_version)
    return split_words(text, read_slots(cloze))


def read_evidence(layout: StoreLayout, hit_id: str) -> Evidence | None:
    """Reads one hit; None if it is not in the store (any more).

    Raises:
        StoreError: The store can't be read.
    """
    try:
        return gather(layout, Choice(hit_ids=(hit_id,)), most=1)[0]
    except ConfigurationError:
        return None


def choose(crops: Sequence[CropRow]) -> list[CropRow]:
    """At most ``MAX_CROPS`` of a person's crops, evenly spread, the first and the last among them."""
    if len(crops) <= MAX_CROPS:
        return list(crops)
    step = (len(crops) - 1) / (MAX_CROPS - 1)
    return [crops[round(number * step)] for number in range(MAX_CROPS)]


def draw_crop(crop: CropRow, mapper: PatchTextMapper | None, text: str) -> bytes:
    """Draws a crop's JPEG with the person's box; with a mapper, over it where the words apply."""
    image = read_jpeg(crop.jpeg)
    if mapper is not None:
        image = overlay(image, mapper.patch_maps([image], text)[0])
    return write_jpeg(draw_box(image.copy(), crop), 85)
