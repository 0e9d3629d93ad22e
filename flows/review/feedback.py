"""What people say of hits: single, from a CSV file or by SQL; checked whole, then left for the next writer."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any, cast

from anomalylmm.errors import ConfigurationError
from flows.settings.own_files import read_own_file
from storage.disk.layout import StoreLayout
from storage.hits.analyst import SqlLimits, open_snapshot, run_sql
from storage.hits.feedback_sql import known_hits, read_reviews
from storage.hits.inbox import leave_feedback, read_waiting
from storage.hits.rows import FeedbackRecord, FeedbackVerdict, ReviewRecord

VERDICTS = ("confirm", "reject", "unsure", "clear")
REQUIRED, OPTIONAL = ("hit_id", "verdict"), ("note", "by")
MAX_CHARACTERS = 4000  # of a note or a name
SQL_LIMITS = SqlLimits(seconds=300, memory_bytes=4_000_000_000, rows=1_000_000)
MAX_NAMED = 5  # unknown hits that one message names


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What a person wrote on one hit, and where, before it is checked."""

    place: str  # "review.csv, line 3"; empty for a single one
    hit_id: str
    verdict: str
    note: str = ""
    who: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """How many verdicts were left for the next sweep."""

    num_confirmed: int
    num_rejected: int
    num_unsure: int = 0
    num_cleared: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One piece of feedback with its hit."""

    review: ReviewRecord
    is_waiting: bool  # for the next sweep to take it in


def note_remarks(
    layout: StoreLayout,
    remarks: Sequence[Remark],
    now: datetime,
    find_known: Callable[[Iterable[str]], set[str]] | None = None,
) -> Noted:
    """Checks all remarks, then leaves all of them for the next writer, or none.

    A later one of the same call counts as newer. ``find_known`` returns the ids that belong to hits; without it, the
    published database is opened for that.

    Raises:
        ConfigurationError: A verdict, a note or a hit is wrong; the message names its place.
        StoreError: No sweep has published yet, or nothing can be noted.
    """
    records = [_check(remark, now + timedelta(microseconds=index)) for index, remark in enumerate(remarks)]
    _refuse_contradictions(remarks, records)
    _refuse_unknown_hits(remarks, (find_known or partial(_find_published, layout))(remark.hit_id for remark in remarks))
    leave_feedback(layout, *records)
    said = Counter(record.verdict for record in records)
    return Noted(
        num_confirmed=said["confirm"],
        num_rejected=said["reject"],
        num_unsure=said["unsure"],
        num_cleared=said["clear"],
    )


def read_csv(path: Path, who: str) -> list[Remark]:
    """Reads remarks from a CSV file with the columns hit_id, verdict and, where wanted, note and by.

    Commas or semicolons divide; the text is UTF-8. ``who`` stands where a line names nobody.

    Raises:
        ConfigurationError: The file can't be read, or a line is wrong; the message names file and line.
    """
    text = _read_text(path)
    first = text.split("\n", 1)[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.DictReader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        _check_columns(str(path), reader.fieldnames or ())
        return [_build_remark(f"{path}, line {reader.line_num}", row, who) for row in reader]
    except csv.Error as error:
        raise ConfigurationError(f"{path}, line {reader.reader.line_num}: {error}; correct that line") from error


def read_sql(layout: StoreLayout, sql: str, who: str) -> list[Remark]:
    """Reads remarks from one SELECT over the published hits, with the columns of ``read_csv``.

    Raises:
        QueryError: It is not one SELECT, or DuckDB refuses it.
        ConfigurationError: A column or a row is wrong.
        StoreError: No sweep has published yet.
    """
    columns, rows = run_sql(layout, sql, limits=SQL_LIMITS)
    _check_columns("the SQL", columns)
    cells = [
        {name: "" if value is None else str(value) for name, value in zip(columns, row, strict=True)} for row in rows
    ]
    return [_build_remark(f"row {number} of the SQL", row, who) for number, row in enumerate(cells, 1)]


def list_feedback(layout: StoreLayout) -> list[Listed]:
    """Lists what is published and what waits, newest first.

    What a running sweep has taken in is in neither until the sweep publishes.

    Raises:
        StoreError: No sweep has published yet.
    """
    waiting = read_waiting(layout, FeedbackRecord)
    ids = {record.feedback_id for record in waiting}
    with open_snapshot(layout) as snapshot:
        reviews = read_reviews(snapshot.read, waiting)
    listed = [Listed(review=review, is_waiting=review.feedback.feedback_id in ids) for review in reviews]
    return sorted(listed, key=lambda item: item.review.feedback.created_utc, reverse=True)


def _read_text(path: Path) -> str:
    try:
        return read_own_file(path, "CSV").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}, line {line}: this is not UTF-8; save the file as UTF-8") from error


def _check_columns(place: str, columns: Sequence[str]) -> None:
    missing = [name for name in REQUIRED if name not in columns]
    unknown = [repr(name) for name in columns if name not in (*REQUIRED, *OPTIONAL)]
    if missing or unknown or len(set(columns)) < len(columns):
        given = ", ".join(map(str, columns)) or "none"
        raise ConfigurationError(
            f"{place} must have the columns {', '.join(REQUIRED)} and may have {', '.join(OPTIONAL)}, each once and no "
            f"others, but has {given}; " + (f"add {', '.join(missing)}" if missing else "leave the others out")
        )


def _build_remark(place: str, row: Mapping[Any, Any], who: str) -> Remark:
    if None in row:
        raise ConfigurationError(f"{place}: there are more cells than columns; put cells that hold commas in quotes")
    cells = {name: str(value or "") for name, value in row.items()}
    return Remark(
        place=place,
        hit_id=cells["hit_id"].strip(),
        verdict=cells["verdict"],
        note=cells.get("note", ""),
        who=cells.get("by", "").strip() or who,
    )


def _check(remark: Remark, now: datetime) -> FeedbackRecord:
    verdict = remark.verdict.strip().lower()
    if verdict not in VERDICTS:
        raise ConfigurationError(
            f"{_at(remark)}a verdict is one of {', '.join(VERDICTS)}, but {remark.verdict!r} was given"
        )
    for name, text in (("note", remark.note), ("name", remark.who)):
        if len(text) > MAX_CHARACTERS:
            raise ConfigurationError(
                f"{_at(remark)}the {name} has {len(text)} characters, at most {MAX_CHARACTERS} are kept; shorten it"
            )
    return FeedbackRecord(
        hit_id=remark.hit_id,
        verdict=cast("FeedbackVerdict", verdict),
        who=remark.who,
        created_utc=now,
        note=remark.note,
    )


def _refuse_contradictions(remarks: Iterable[Remark], records: Iterable[FeedbackRecord]) -> None:
    said: dict[tuple[str, str], tuple[str, str]] = {}
    for remark, record in zip(remarks, records, strict=True):
        verdict, place = said.setdefault((record.hit_id, record.who), (record.verdict, remark.place))
        if verdict != record.verdict:
            raise ConfigurationError(
                f"{_at(remark)}{record.who} says {record.verdict} of hit {record.hit_id!r}, but {verdict} in {place}; "
                "remove one of the two"
            )


def _find_published(layout: StoreLayout, hit_ids: Iterable[str]) -> set[str]:
    with open_snapshot(layout) as snapshot:
        return known_hits(snapshot.read, hit_ids)


def _refuse_unknown_hits(remarks: Sequence[Remark], known: set[str]) -> None:
    unknown = [remark for remark in remarks if remark.hit_id not in known]
    if unknown:
        raise ConfigurationError(
            f"{'; '.join(_name_unknown(unknown))}; nothing was noted. The ids of hits are "
            'on the report and in the table hits: anomalylmm sql "from hits"'
        )


def _name_unknown(unknown: Sequence[Remark]) -> Iterator[str]:
    for remark in unknown[:MAX_NAMED]:
        yield f"{_at(remark)}no published hit has the id {remark.hit_id!r}"
    if len(unknown) > MAX_NAMED:
        yield f"and {len(unknown) - MAX_NAMED} more like these"


def _at(remark: Remark) -> str:
    return f"{remark.place}: " if remark.place else ""
