"""The saved queries' file: ``configs/queries.toml`` or the user's own, checked row by row."""

import hashlib
import json
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from anomalylmm.errors import ConfigurationError, QueryError
from anomalylmm.lexicon import Lexicon
from anomalylmm.masking import mask_query
from anomalylmm.records import Cloze, Query
from flows.settings import configs_folder, read_toml

MOST_QUERIES = 10_000


class QueryRow(BaseModel):
    """One ``[[query]]`` of the file."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    text: str = Field(min_length=1, max_length=1000)
    cameras: tuple[str, ...] = ()
    start: datetime | date | None = None
    stop: datetime | date | None = None
    daily: tuple[str, str] | None = None
    floor: float = Field(1.5, ge=-10, le=20)
    accept: float = Field(0.5, ge=0, le=1)
    top_n: int = Field(40, ge=1, le=10_000)
    enabled: bool = True

    @field_validator("daily")
    @classmethod
    def _daily_is_time(cls, value: tuple[str, str] | None) -> tuple[str, str] | None:
        for part in value or ():
            time.fromisoformat(part)
        return value


def build_query(row: QueryRow, lexicon: Lexicon, cloze: Cloze | None = None) -> Query:
    """Masks a row's text and gives the query its version.

    Raises:
        QueryError: The text holds no word.
    """
    cloze = cloze or mask_query(row.text, lexicon)
    daily = row.daily or ("", "")
    start, stop = _moment(row.start), _moment(row.stop, end=True)
    return Query(
        name=row.name,
        text=row.text,
        cloze=cloze,
        version=_version(row, cloze, start, stop),
        cameras=tuple(sorted(set(row.cameras))),
        start_utc=start,
        stop_utc=stop,
        daily_start=daily[0],
        daily_stop=daily[1],
        floor_z=row.floor,
        accept=row.accept,
        top_n=row.top_n,
        enabled=row.enabled,
    )


def _moment(value: datetime | date | None, *, end: bool = False) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime):
        value = datetime.combine(value, time.max if end else time.min)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _version(row: QueryRow, cloze: Cloze, start: datetime | None, stop: datetime | None) -> str:
    decides: list[Any] = [
        row.name, row.text, [[slot.start, slot.stop, slot.word, slot.kind, slot.contrasts] for slot in cloze.slots],
        sorted(set(row.cameras)), str(start), str(stop), row.daily, row.floor, row.accept, row.top_n,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(decides, ensure_ascii=False).encode()).hexdigest()[:16]


def default_query_file() -> Path:
    """Names the shipped queries."""
    return configs_folder() / "queries.toml"


def read_queries(path: Path, lexicon: Lexicon) -> list[Query]:
    """Reads all queries of a file, enabled or not.

    Raises:
        ConfigurationError: The file is missing, malformed (the line is named) or empty.
        QueryError: A row is wrong; the message names the file, the line, the key and the remedy.
    """
    content = read_toml(path)
    rows = content.pop("query", None)
    if content or not isinstance(rows, list) or not rows:
        found = ", ".join(sorted(content)) or "none"
        raise ConfigurationError(f"{path} must hold [[query]] tables and nothing else; found keys: {found}")
    if len(rows) > MOST_QUERIES:
        raise ConfigurationError(f"{path} holds {len(rows)} queries; at most {MOST_QUERIES} are swept from one file")
    queries = [_read_row(path, index, row, lexicon) for index, row in enumerate(rows)]
    _refuse_double_names(path, queries)
    return queries


def _read_row(path: Path, index: int, row: object, lexicon: Lexicon) -> Query:
    where = f"{path}, line {_line_of(path, index)}, query {index + 1}"
    try:
        return build_query(QueryRow.model_validate(row), lexicon)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "query"
        raise QueryError(f"{where}: {key}: {first['msg']} (given: {first['input']!r}); mend that key") from error
    except QueryError as error:
        raise QueryError(f"{where}: {error}") from error


def _line_of(path: Path, index: int) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    heads = [number for number, line in enumerate(lines, 1) if line.strip().replace(" ", "").startswith("[[query]]")]
    return heads[index] if index < len(heads) else 1


def _refuse_double_names(path: Path, queries: list[Query]) -> None:
    names = [query.name for query in queries]
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise QueryError(f"{path} names {', '.join(double)} twice; each query needs a name of its own")
