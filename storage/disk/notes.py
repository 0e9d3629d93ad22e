"""Notes: JSON files that hold one record each, written completely or not at all, and checked when they are read."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AwareDatetime, TypeAdapter, ValidationError

from anomalylmm.errors import StoreError
from storage.disk.files import create_directories, digest_json, guarded, replace_file
from storage.disk.layout import StoreLayout

Record = TypeVar("Record")


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("it is outside of the years 1 to 9999 in UTC") from error


Utc = Annotated[AwareDatetime, AfterValidator(_to_utc)]  # a time without a zone is refused


def to_json(content: Any) -> bytes:
    """The text of a note: a record, or plain values."""
    plain = asdict(content) if hasattr(content, "__dataclass_fields__") else content
    return json.dumps(plain, default=datetime.isoformat, indent=1).encode()


def seal(content: Any) -> str:
    """The text of a manifest: its content with a checksum of itself."""
    plain = json.loads(to_json(content))
    return json.dumps({**plain, "checksum": digest_json(plain)}, indent=1, sort_keys=True) + "\n"


def write_note(layout: StoreLayout, path: Path, content: Any) -> None:
    """Writes a note (see ``write_file``).

    Raises:
        StoreError: If it can't be written.
    """
    write_file(layout, path, to_json(content))


def write_file(layout: StoreLayout, path: Path, content: bytes) -> None:
    """Writes a file of the store durably, completely or not at all; creates its folder if it is missing.

    Raises:
        StoreError: If it can't be written.
    """
    create_directories(path.parent, layout.temporary)
    replace_file(path, content, scratch=layout.temporary)


def read_note(path: Path, kind: TypeAdapter[Record]) -> Record:
    """Reads a note; unknown fields, which a later version may have written, are left out.

    Raises:
        StoreError: If it can't be read or is damaged.
    """
    with guarded("read", path):
        content = path.read_bytes()
    try:
        return revive(json.loads(content), kind)
    except (ValueError, RecursionError, StoreError) as error:
        raise StoreError(f"{path} is damaged: {error}.") from error


def find_note(path: Path, kind: TypeAdapter[Record]) -> Record | None:
    """Reads a note; None if it is missing or damaged."""
    try:
        return read_note(path, kind)
    except StoreError:
        return None


def revive(content: object, kind: TypeAdapter[Record]) -> Record:
    """Builds a record from the plain values of a JSON file.

    Raises:
        StoreError: If a field is missing or wrong; the message names it.
    """
    try:
        return kind.validate_python(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise StoreError(f"{'.'.join(map(str, first['loc'])) or 'content'}: {first['msg']}") from error
