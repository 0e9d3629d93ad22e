"""The saved queries as the desk shows them: masks, versions, and what another threshold would do."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from anomalylmm.errors import StoreError
from anomalylmm.measure.calibration import Calibration
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.records import Query, SlotKind
from flows.desk.searches import LAST_DAY
from flows.desk.sentences import Word, split_words
from flows.review.calibrating import read_thresholds
from flows.sweep.query_file import SavedQuery, default_query_file, read_saved
from storage.disk.layout import StoreLayout
from storage.hits.analyst import open_snapshot
from storage.hits.board import Board
from storage.hits.board_filter import BoardFilter

BINS = 100  # of the curve: thresholds are shown to a hundredth
JUDGED_SQL = """
SELECT judgements.confidence, hits.hit_id FROM judgements
LEFT JOIN (SELECT hit_id, query_version, tracklet_id, pipeline FROM hits) AS hits
USING (query_version, tracklet_id, pipeline)
WHERE query_version = $1
AND judge_id = (SELECT arg_max(judge_id, created_utc) FROM judgements WHERE query_version = $1)
"""
VERSIONS_SQL = """
SELECT query_version, text, masked, accept, enabled, created_utc,
(SELECT count(*) FROM hits WHERE hits.query_version = queries.query_version) AS num_hits
FROM queries WHERE query_name = ? ORDER BY created_utc DESC
"""
Outcome = Literal["confirmed", "rejected", "open", "below"]
OUTCOMES: tuple[Outcome, ...] = ("confirmed", "rejected", "open", "below")


class MaskForm(BaseModel):
    """One mask as the page sends it."""

    word: str = Field(min_length=1, max_length=200)
    kind: SlotKind
    means: str = Field("", max_length=40)
    contrasts: list[str] = Field(default_factory=list, max_length=50)


class QueryForm(BaseModel):
    """What the page changes of a query."""

    digest: str = Field(max_length=64)
    accept: float = Field(ge=0, le=1)
    enabled: bool
    calibrate: bool
    cameras: list[str] = Field(max_length=5000)
    start: date | None = Field(None, le=LAST_DAY)
    stop: date | None = Field(None, le=LAST_DAY)
    daily: tuple[str, str] | None = None
    masks: list[MaskForm] | None = Field(None, max_length=20)  # None: by the lexicon


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownQuery:
    """One query of the file, with what the store knows of it."""

    saved: SavedQuery
    num_new: int
    num_confirmed: int
    num_rejected: int
    calibration: Calibration | None  # None before the first sweep

    @property
    def query(self) -> Query:
        """The query."""
        return self.saved.query

    @property
    def words(self) -> tuple[Word, ...]:
        """Its sentence with its masks."""
        return words_of(self.query)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """How many judged candidates have which confidence, by what people said of them; (BINS + 1) numbers each."""

    counts: Mapping[Outcome, tuple[int, ...]]

    def at(self, threshold: float) -> dict[Outcome, int]:
        """What would be hits from a threshold on."""
        first = math.ceil(threshold * BINS - 1e-9)
        return {outcome: sum(numbers[first:]) for outcome, numbers in self.counts.items()}

    @property
    def total(self) -> int:
        """All judged candidates."""
        return sum(map(sum, self.counts.values()))


def words_of(query: Query) -> tuple[Word, ...]:
    """A query's sentence with its masks."""
    return split_words(query.text, query.cloze.slots)


def read_shown(layout: StoreLayout, board: Board, path: Path | None, lexicon: Lexicon) -> list[ShownQuery]:
    """Reads the queries of a file, those that are swept first.

    Raises:
        ConfigurationError: The file is wrong.
        QueryError: A query of it is.
    """
    board.refresh()
    saved = read_saved(path or default_query_file(), lexicon)
    try:
        calibrated = {item.query_name: item.calibration for item in read_thresholds(layout)}
    except StoreError:
        calibrated = {}
    shown = [_show(item, board, calibrated.get(item.query.name)) for item in saved]
    return sorted(shown, key=lambda item: not item.query.enabled)


def _show(saved: SavedQuery, board: Board, calibration: Calibration | None) -> ShownQuery:
    states = board.counts(BoardFilter(queries=(saved.query.name,)))["state"]
    return ShownQuery(
        saved=saved,
        num_new=states.get("new", 0) + states.get("unsure", 0),
        num_confirmed=states.get("confirmed", 0),
        num_rejected=states.get("rejected", 0),
        calibration=calibration,
    )


def read_curve(layout: StoreLayout, board: Board, query: Query) -> Curve:
    """Reads what was judged of a query's version; no judge is asked."""
    rows: Sequence[tuple[Any, ...]] = ()
    if layout.snapshot.exists():
        with open_snapshot(layout) as snapshot:
            rows = snapshot.read(JUDGED_SQL, [query.version])
    states = dict(board.read("SELECT hit_id, state FROM hits WHERE query_version = ?", [query.version]))
    counts = {outcome: [0] * (BINS + 1) for outcome in OUTCOMES}
    for confidence, hit_id in rows:
        if confidence is not None and math.isfinite(confidence):
            place = min(BINS, max(0, math.floor(confidence * BINS + 1e-9)))
            counts[_outcome(states.get(hit_id) if hit_id else None)][place] += 1
    return Curve(counts={outcome: tuple(numbers) for outcome, numbers in counts.items()})


def _outcome(state: str | None) -> Outcome:
    if state is None:
        return "below"
    return "confirmed" if state == "confirmed" else "rejected" if state == "rejected" else "open"


def list_changes(form: QueryForm, saved: SavedQuery) -> dict[str, Any]:
    """The keys of the file that a form changes; what it leaves as it is stays as it is written."""
    query = saved.query
    window = [value.date() if value else None for value in (query.start_utc, query.stop_utc)]
    daily = (query.daily_start, query.daily_stop) if query.daily_start else None
    asked: list[tuple[str, Any, Any]] = [
        ("accept", round(form.accept, 4), query.accept),
        ("enabled", form.enabled, query.enabled),
        ("calibrate", form.calibrate, query.calibrate),
        ("cameras", sorted(form.cameras) or None, list(query.cameras) or None),
        ("start", form.start, window[0]),
        ("stop", form.stop, window[1]),
        ("daily", list(form.daily) if form.daily else None, list(daily) if daily else None),
    ]
    changes = {key: wanted for key, wanted, now in asked if wanted != now}
    own = [describe_mask(word) for word in words_of(query) if word.kind] if saved.made_by == "user" else None
    wanted = [mask.model_dump() for mask in form.masks] if form.masks is not None else None
    return changes | ({"masks": wanted} if wanted != own else {})


def describe_mask(word: Word) -> dict[str, Any]:
    """A mask as the page sends it."""
    return {"word": word.text, "kind": word.kind, "means": word.means, "contrasts": list(word.contrasts)}
