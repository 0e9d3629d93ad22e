"""Reads JSON files of rows with the place of each row, and checks ids and captions."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomalylmm.errors import ArchiveError, ConfigurationError, QueryError
from anomalylmm.query.masking import check_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One value of a file and its position."""

    value: Any
    file: Path
    place: str  # "line 3", or "row 3" of a JSON list

    @property
    def where(self) -> str:
        """File and place, for messages."""
        return f"{self.file}, {self.place}"


def read_text(path: Path) -> str:
    """Reads a UTF-8 file, with or without a byte order mark.

    Raises:
        ArchiveError: The file is missing or can't be read.
        ConfigurationError: It is not UTF-8; the message names the line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArchiveError(
            f"{path} can't be read: {error.strerror or error}; copy the benchmark's file there"
        ) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}, line {line}: not UTF-8 text; save the file as UTF-8") from error


def read_lines(path: Path) -> list[Row]:
    """Reads the lines of a text file that are not blank."""
    lines = enumerate(read_text(path).split("\n"), 1)
    return [Row(value=line.strip(), file=path, place=f"line {number}") for number, line in lines if line.strip()]


def read_values(path: Path) -> list[Row]:
    """Reads the values of a JSON list, or of JSON Lines; a single value is one row.

    Raises:
        ArchiveError: The file is missing or can't be read.
        ConfigurationError: It is empty or not JSON; the message names the file and the line.
    """
    text = read_text(path)
    if not text.strip():
        raise ConfigurationError(f"{path} is empty; expected JSON rows, one per line or in one list")
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits and deep nesting raise others
        if text.lstrip().startswith("["):
            raise _not_json(f"{path}, line {getattr(error, 'lineno', 1)}", error) from error
        return [Row(value=_parse(row), file=path, place=row.place) for row in read_lines(path)]
    values = whole if isinstance(whole, list) else [whole]
    return [Row(value=value, file=path, place=f"row {number}") for number, value in enumerate(values, 1)]


def _parse(row: Row) -> Any:
    try:
        return json.loads(row.value)
    except (ValueError, RecursionError) as error:
        raise _not_json(row.where, error) from error


def _not_json(where: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(f"{where}: not JSON ({str(error)[:120]}); fix or remove the row there")


def read_objects(path: Path) -> list[Row]:
    """Reads the rows of a file like ``read_values``; each must be a JSON object.

    Raises:
        ArchiveError: The file is missing or can't be read.
        ConfigurationError: It is empty, not JSON or holds something else; the message names the file and the place.
    """
    rows = read_values(path)
    for row in rows:
        if not isinstance(row.value, dict):
            found = json.dumps(row.value)[:60]
            raise ConfigurationError(f"{row.where}: expected an object with the row's keys, found {found}")
    return rows


def read_id(value: object, where: str, key: str) -> str:
    """Reads an id that is a number or a string; 7 and "7" are the same.

    Raises:
        ConfigurationError: It is neither.
    """
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).strip():
        raise ConfigurationError(f"{where}: {key}: expected a number or a string, found {value!r}")
    return str(value).strip()


def read_captions(value: object, where: str, key: str) -> tuple[str, ...]:
    """Reads a caption or a list of captions, each of which can be used as a query.

    Raises:
        ConfigurationError: It is neither, or there is no caption.
        QueryError: A caption can't be used as a query; the reason is given.
    """
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise ConfigurationError(f"{where}: {key}: expected a sentence or a list of sentences, found {value!r:.80}")
    for text in texts:
        try:
            check_text(text)
        except QueryError as error:
            raise QueryError(f"{where}: {key}: {error}") from error
    return tuple(texts)
