"""Reads JSON files of rows, whole or by lines, and remembers on which line each row stands; knows no benchmark."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomalylmm.errors import ArchiveError, ConfigurationError

_SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One value of a file, and where it stands."""

    value: Any
    file: Path
    line: int  # 1-based, where it begins

    @property
    def where(self) -> str:
        """Names file and line."""
        return f"{self.file}, line {self.line}"


def read_text(path: Path) -> str:
    """Reads a UTF-8 file, with or without a byte order mark.

    Raises:
        ArchiveError: It is missing or can't be read.
        ConfigurationError: It is not UTF-8; the line is named.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArchiveError(
            f"{path} can't be read: {error.strerror or error}; put the benchmark's file there"
        ) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}, line {line}: not UTF-8 text; save the file as UTF-8") from error


def read_values(path: Path) -> list[Row]:
    """Reads the values of a file that is a whole-file list, one value a line (JSON Lines), or one object.

    Raises:
        ArchiveError: The file is missing or can't be read.
        ConfigurationError: It is empty or not JSON; the message names the file and the line.
    """
    text = read_text(path)
    if not text.strip():
        raise ConfigurationError(f"{path} is empty; expected JSON rows, one a line or in one list")
    if text.lstrip(_SPACE).startswith("["):
        return list(_iter_list(path, text))
    return [_read_object(path, text)] if _is_object_over_lines(text) else list(_iter_lines(path, text))


def read_objects(path: Path) -> list[Row]:
    """Reads the rows of a file like ``read_values``; each must be a JSON object.

    Raises:
        ArchiveError: The file is missing or can't be read.
        ConfigurationError: It is empty, not JSON or holds something else; the message names the file and the line.
    """
    rows = read_values(path)
    for row in rows:
        if not isinstance(row.value, dict):
            raise ConfigurationError(
                f"{row.where}: expected an object with the row's keys, found {json.dumps(row.value)[:60]}"
            )
    return rows


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_object_over_lines(text: str) -> bool:
    """Whether the first line is only the beginning of a value that goes on over several lines."""
    first = next(line for line in text.split("\n") if line.strip()).strip()
    return not _is_json(first) and (first == "{" or _is_json(text))


def _iter_lines(path: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield Row(value=json.loads(line), file=path, line=number)
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(
                f"{path}, line {number}: not JSON ({_explain(error)}); mend or remove that line"
            ) from error


def _read_object(path: Path, text: str) -> Row:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise ConfigurationError(f"{path}, line {line}: not JSON ({_explain(error)}); mend that line") from error
    return Row(value=value, file=path, line=1 + text[: len(text) - len(text.lstrip(_SPACE))].count("\n"))


def _iter_list(path: Path, text: str) -> Iterator[Row]:
    """Yields the elements of a whole-file list, decoded one by one so that each knows its line."""
    decoder, position, line, counted = json.JSONDecoder(), text.index("[") + 1, 1, 0
    while True:
        position = _skip(text, position)
        if text[position : position + 1] == "]":
            break
        line, counted = line + text.count("\n", counted, position), position
        try:
            value, stop = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            message = (
                f"{path}, line {line}: the row that begins here is not JSON ({_explain(error)}); mend or remove it"
            )
            raise ConfigurationError(message) from error
        yield Row(value=value, file=path, line=line)
        position = _skip(text, stop)
        if text[position : position + 1] not in {",", "]"}:
            raise ConfigurationError(f"{path}, line {line}: expected a comma or ] after the row that begins here")
        position += text[position] == ","
    after = _skip(text, position + 1)
    if after < len(text):
        line = 1 + text.count("\n", 0, after)
        raise ConfigurationError(f"{path}, line {line}: expected nothing after the list's ]; remove what follows")


def _explain(error: Exception) -> str:
    """Says what is wrong; numbers of thousands of digits and deep nesting are errors of Python's own."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    return str(error)[:120]


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in _SPACE:
        position += 1
    return position
