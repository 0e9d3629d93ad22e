"""Reads the file of saved queries: ``configs/queries.toml`` or the user's own."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from anomalylmm.errors import ConfigurationError, QueryError
from anomalylmm.query.judged_masks import JudgeMasker
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.query.masking import Mask, Masking, MaskMaker, mask_by_lexicon, mask_words
from anomalylmm.query.negation import Span, find_negated
from anomalylmm.records import Cloze, Query, SlotKind
from anomalylmm.rerank.evidence import JudgementCache
from flows.composition import Composition
from flows.settings.model import configs_folder
from flows.settings.own_files import parse_toml, read_own_file, show_value
from storage.shards.schema import clean_text

MAX_QUERIES = 10_000
MAX_NAMED = 5  # duplicate names listed in a message
MaskWay = Callable[[str], Masking]
Word = Annotated[str, Field(pattern=r"^[^\W\d_][^,;\[\]\r\n]{0,39}$")]


class MaskRow(BaseModel):
    """One mask from the user: words of the query and what they ask for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    word: str = Field(min_length=1, max_length=200)
    kind: SlotKind
    means: Word | None = None
    contrasts: tuple[Word, ...] = Field((), max_length=50)

    def to_mask(self) -> Mask:
        """Returns the mask."""
        return Mask(word=self.word, kind=self.kind, means=self.means or "", contrasts=self.contrasts)


class QueryRow(BaseModel):
    """One ``[[query]]`` of the file."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    text: str = Field(min_length=1, max_length=1000)
    cameras: tuple[str, ...] = ()
    start: datetime | date | None = None
    stop: datetime | date | None = None
    daily: tuple[str, str] | None = None
    floor: float = Field(2.0, ge=-10, le=20)
    accept: float = Field(0.6, ge=0, le=1)
    calibrate: bool = True
    top_n: int = Field(40, ge=1, le=10_000)
    enabled: bool = True
    masks: tuple[MaskRow, ...] | None = Field(None, max_length=20)

    @field_validator("daily")
    @classmethod
    def _daily_is_time(cls, value: tuple[str, str] | None) -> tuple[str, str] | None:
        for part in value or ():
            if time.fromisoformat(part).tzinfo is not None:
                raise ValueError("times of day are in the camera's time zone; leave out the offset")
        return value

    @field_validator("cameras")
    @classmethod
    def _camera_is_text(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(clean_text, value))  # as indexing does with folder names that are not UTF-8

    @field_validator("start", "stop", mode="before")
    @classmethod
    def _moment_is_date(cls, value: object) -> object:
        if value is not None and not isinstance(value, date):
            raise ValueError("write a day or moment like 2026-03-14 or 2026-03-14T22:00:00, without quotes")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedQuery:
    """A query of the file, who chose its masks, and problems with them."""

    query: Query
    made_by: MaskMaker
    problems: tuple[str, ...] = ()


def choose_mask_way(composition: Composition, cache: JudgementCache | None) -> MaskWay | None:
    """Returns the masking function chosen in the settings; None for the lexicon."""
    if composition.settings.rerank.masking == "lexicon":
        return None
    return JudgeMasker(composition.judge, composition.lexicon, cache).mask


def mask_row(row: QueryRow, lexicon: Lexicon, way: MaskWay | None = None) -> Masking:
    """Masks a row's text with the user's masks, otherwise with ``way``, otherwise with the lexicon.

    Raises:
        QueryError: The text can't be used, or a mask does not occur in it.
    """
    if row.masks is not None:
        cloze = mask_words(row.text, [mask.to_mask() for mask in row.masks], lexicon)
        return Masking(cloze=cloze, made_by="user")
    return way(row.text) if way else mask_by_lexicon(row.text, lexicon)


def build_query(row: QueryRow, lexicon: Lexicon, cloze: Cloze | None = None) -> Query:
    """Builds a query and its version; without a cloze, the row's text is masked.

    Raises:
        QueryError: The text contains no word.
    """
    cloze = cloze or mask_row(row, lexicon).cloze
    daily = row.daily or ("", "")
    start, stop = _moment(row.start), _moment(row.stop, end=True)
    return Query(
        name=row.name,
        text=row.text,
        cloze=cloze,
        version=_version(row, cloze, start, stop, find_negated(row.text, lexicon)),
        cameras=tuple(sorted(set(row.cameras))),
        start_utc=start,
        stop_utc=stop,
        daily_start=daily[0],
        daily_stop=daily[1],
        floor_z=row.floor,
        accept=row.accept,
        calibrate=row.calibrate,
        top_n=row.top_n,
        enabled=row.enabled,
    )


def _moment(value: datetime | date | None, *, end: bool = False) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime):
        value = datetime.combine(value, time.max if end else time.min)
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError as error:
        raise QueryError(f"the moment {value.isoformat()} is outside the years 1 to 9999 in UTC; correct it") from error


def _version(
    row: QueryRow, cloze: Cloze, start: datetime | None, stop: datetime | None, negated: Sequence[Span]
) -> str:
    decides: list[Any] = [
        row.text,
        [[slot.start, slot.stop, slot.word, slot.kind, slot.contrasts] for slot in cloze.slots],
        sorted(set(row.cameras)),
        str(start),
        str(stop),
        row.daily,
        *([negated] if negated else []),  # so that queries without negation keep their versions
    ]
    return hashlib.sha256(json.dumps(decides, ensure_ascii=False).encode()).hexdigest()[:16]


def default_query_file() -> Path:
    """Returns the path of the shipped queries."""
    return configs_folder() / "queries.toml"


def read_queries(path: Path, lexicon: Lexicon, way: MaskWay | None = None) -> list[Query]:
    """Reads all queries of a file, including disabled ones; see ``read_saved``.

    Raises:
        ConfigurationError: The file is missing, malformed (the line is named) or empty.
        QueryError: A row is wrong; the message names the file, line and key, and what to do.
    """
    return [saved.query for saved in read_saved(path, lexicon, way)]


def read_saved(path: Path, lexicon: Lexicon, way: MaskWay | None = None) -> list[SavedQuery]:
    """Reads all queries of a file and who chose their masks. ``way`` masks rows that have no masks.

    Raises:
        ConfigurationError: The file is missing, malformed (the line is named) or empty.
        QueryError: A row is wrong; the message names the file, line and key, and what to do.
    """
    return parse_saved(read_own_file(path, "TOML").decode("utf-8", "surrogateescape"), path, lexicon, way)


def parse_saved(text: str, path: Path, lexicon: Lexicon, way: MaskWay | None = None) -> list[SavedQuery]:
    """Reads the text of a file of queries; see ``read_saved``.

    Raises:
        ConfigurationError: The text is malformed (the line is named) or empty.
        QueryError: A row is wrong; the message names the file, line and key, and what to do.
    """
    content = parse_toml(text, path)
    rows = content.pop("query", None)
    if content or not isinstance(rows, list) or not rows:
        found = show_value(", ".join(sorted(content)) or "none")
        raise ConfigurationError(f"{path} must contain [[query]] tables and nothing else; found keys: {found}")
    if len(rows) > MAX_QUERIES:
        raise ConfigurationError(
            f"{path} contains {len(rows)} queries, but at most {MAX_QUERIES} are allowed in one file"
        )
    heads = _find_heads(text)
    places = [
        f"{path}, line {heads[index] if index < len(heads) else 1}, query {index + 1}" for index in range(len(rows))
    ]
    saved = [_read_row(place, row, lexicon, way) for place, row in zip(places, rows, strict=True)]
    queries = [item.query for item in saved]
    _refuse_double_names(path, queries)
    _refuse_equal_questions(path, queries)
    return saved


def _read_row(where: str, row: object, lexicon: Lexicon, way: MaskWay | None) -> SavedQuery:
    try:
        checked = QueryRow.model_validate(row)
        masking = mask_row(checked, lexicon, way)
        query = build_query(checked, lexicon, masking.cloze)
        return SavedQuery(query=query, made_by=masking.made_by, problems=masking.problems)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "query"
        raise QueryError(
            f"{where}: {key}: {first['msg']} (given: {show_value(first['input'])}); correct that key"
        ) from error
    except QueryError as error:
        raise QueryError(f"{where}: {error}") from error


def _find_heads(text: str) -> list[int]:
    """Returns the line numbers at which queries begin."""
    lines = enumerate(text.split("\n"), 1)
    return [number for number, line in lines if line.strip().replace(" ", "").startswith("[[query]]")]


def _refuse_double_names(path: Path, queries: list[Query]) -> None:
    double = sorted(name for name, number in Counter(query.name for query in queries).items() if number > 1)
    if double:
        named = ", ".join(double[:MAX_NAMED]) + (f" and {len(double) - MAX_NAMED} more" if double[MAX_NAMED:] else "")
        raise QueryError(f"{path} uses the name {named} more than once; each query needs its own name")


def _refuse_equal_questions(path: Path, queries: list[Query]) -> None:
    first: dict[str, str] = {}
    for query in queries:
        other = first.setdefault(query.version, query.name)
        if other != query.name:
            raise QueryError(
                f"{path}: {other} and {query.name} ask the same (text, masks, cameras, time); keep one of them"
            )
