"""Reads JSON files of rows with the line on which each row begins, and checks ids and captions."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomalylmm.errors import ArchiveError, ConfigurationError, QueryError
from anomalylmm.query.masking import check_text

_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One value of a file and its position."""

    value: Any
    file: Path
    line: int  # 1-based, the line on which it begins

    @property
    def where(self) -> str:
        """File and line, for messages."""
        return f"{self.file}, line {self.line}"


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
    return [Row(value=line.strip(), file=path, line=number) for number, line in lines if line.strip()]


def read_values(path: Path) -> list[Row]:
    """Reads the values of a JSON list, or of JSON Lines; a value may span several lines.

    Raises:
        ArchiveError: The file is missing or can't be read.
        ConfigurationError: It is empty or not JSON; the message names the file and the line.
    """
    text = read_text(path)
    if not text.strip():
        raise ConfigurationError(f"{path} is empty; expected JSON rows, one per line or in one list")
    return list(_iter_values(path, text))


def read_objects(path: Path) -> list[Row]:
    """Reads the rows of a file like ``read_values``; each must be a JSON object.

    Raises:
        ArchiveError: The file is missing or can't be read.
        ConfigurationError: It is empty, not JSON or holds something else; the message names the file and the line.
    """
    rows = read_values(path)
    for row in rows:
        if not isinstance(row.value, dict):
            found = json.dumps(row.value)[:60]
            raise ConfigurationError(f"{row.where}: expected an object with the row's keys, found {found}")
    return rows


def _iter_values(path: Path, text: str) -> Iterator[Row]:
    """Decodes one value after the other, so that the line of each is known."""
    decoder, position, line, counted = json.JSONDecoder(), _skip(text, 0), 1, 0
    is_list = text[position] == "["
    end = "]" if is_list else ""
    position = _skip(text, position + is_list)
    while text[position : position + 1] != end:
        line, counted = line + text.count("\n", counted, position), position
        try:
            value, stop = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            # Numbers of thousands of digits and deep nesting raise other errors than JSONDecodeError.
            raise ConfigurationError(
                f"{path}, line {line}: not JSON ({str(error)[:120]}); fix or remove the row that begins there"
            ) from error
        yield Row(value=value, file=path, line=line)
        position = _skip(text, stop)
        if is_list and text[position : position + 1] not in {",", "]"}:
            raise ConfigurationError(f"{path}, line {line}: expected a comma or ] after the row that begins there")
        if is_list and text[position] == ",":
            position = _skip(text, position + 1)
    after = _skip(text, position + 1)
    if after < len(text):
        line = 1 + text.count("\n", 0, after)
        raise ConfigurationError(f"{path}, line {line}: expected nothing after the list's ]; remove what follows")


def _skip(text: str, position: int) -> int:
    """Position of the next character that is not white space."""
    found = _SPACE.match(text, position)
    return found.end() if found else position


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
