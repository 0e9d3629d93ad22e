"""Changes a file of saved queries and keeps its comments; a change that would make the file wrong is not written."""

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Array, Table

from anomalylmm.errors import ConfigurationError, QueryError
from anomalylmm.query.lexicon import Lexicon
from flows.settings.own_files import read_own_file
from flows.sweep.query_file import SavedQuery, parse_saved
from storage.disk.files import digest_json, unique_name

Masks = list[dict[str, Any]]
_writing = threading.Lock()  # of this process; others are found by the digest


def read_text(path: Path) -> tuple[str, str]:
    """Reads a file of queries; returns its text and a digest of it, with which a change must come.

    Raises:
        ConfigurationError: The file can't be read.
    """
    text = read_own_file(path, "TOML").decode("utf-8", "surrogateescape")
    return text, digest_json(text.encode("utf-8", "surrogateescape").hex())[:16]


def change_query(path: Path, name: str, changes: Mapping[str, Any], digest: str, lexicon: Lexicon) -> list[SavedQuery]:
    """Changes keys of one query; None takes a key away. Returns the queries as they are now.

    Raises:
        QueryError: There is no such query, or the file would be wrong.
        ConfigurationError: The file has changed since its digest was taken, or can't be read or written.
    """
    with _writing:
        document, queries = _parse(path, digest)
        found = next((query for query in queries if query.get("name") == name), None)
        if found is None:
            raise QueryError(f"{path} has no query named {name!r} any more; load the page again")
        for key, value in changes.items():
            _set(found, key, value)
        return _write(path, document, lexicon)


def add_query(path: Path, row: Mapping[str, Any], lexicon: Lexicon) -> list[SavedQuery]:
    """Adds a query at the end. Returns the queries as they are now.

    Raises:
        QueryError: The file would be wrong, for example because the name is taken.
        ConfigurationError: The file can't be read or written.
    """
    with _writing:
        document, queries = _parse(path)
        added = tomlkit.table()
        for key, value in row.items():
            _set(added, key, value)
        queries.append(added)
        return _write(path, document, lexicon)


def _parse(path: Path, digest: str = "") -> tuple[tomlkit.TOMLDocument, AoT]:
    text, found = read_text(path)
    if digest and found != digest:
        raise ConfigurationError(
            f"{path} has changed since this page was loaded; load it again, then repeat your change"
        )
    try:
        document = tomlkit.parse(text)
    except (TOMLKitError, UnicodeEncodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}; correct it first") from error
    queries = document.get("query")
    if not isinstance(queries, AoT):
        raise ConfigurationError(f"{path} has no [[query]] tables; correct it first")
    return document, queries


def _set(table: Table, key: str, value: Any) -> None:
    if value is None:
        table.pop(key, None)
    elif key == "masks":
        table[key] = _array(value)
    else:
        table[key] = value


def _array(masks: Masks) -> Array:
    array = tomlkit.array()
    for mask in masks:
        inline = tomlkit.inline_table()
        inline.update({key: value for key, value in mask.items() if value})
        array.append(inline)
    return array


def _write(path: Path, document: tomlkit.TOMLDocument, lexicon: Lexicon) -> list[SavedQuery]:
    """Checks the new text as a sweep would, then replaces the file in one step; its mode and links stay."""
    text = tomlkit.dumps(document)
    saved = parse_saved(text, path, lexicon)
    target = path.resolve()
    building = target.with_name(f".{unique_name(target.name)}")
    try:
        building.write_text(text, encoding="utf-8", errors="surrogateescape")
        building.chmod(target.stat().st_mode & 0o777)
        with building.open("rb") as file:
            os.fsync(file.fileno())
        building.replace(target)
    except OSError as error:
        building.unlink(missing_ok=True)
        raise ConfigurationError(f"{path} can't be written: {error}; check the disk and who may write there") from error
    return saved
