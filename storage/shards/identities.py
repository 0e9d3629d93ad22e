"""The ids of an archive's videos as the last run knew them, so that unchanged remote files need not be read again.

They are derived: without them the files are read again.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from storage.disk.layout import StoreLayout, encode_name
from storage.disk.notes import write_file

_SCHEMA = pa.schema(
    [("path", pa.string()), ("size_bytes", pa.int64()), ("tag", pa.string()), ("video_id", pa.string())]
)


class Identity(NamedTuple):
    """A file as it was when it was read, and the id of its content."""

    size_bytes: int
    tag: str  # changes with the content
    video_id: str


def read_identities(layout: StoreLayout, archive: str) -> dict[str, Identity]:
    """Reads the files of an archive by path; none if nothing is noted or the note is damaged."""
    try:
        columns = pq.read_table(_path(layout, archive), schema=_SCHEMA).to_pydict()
    except (OSError, pa.ArrowException):
        return {}
    rows = zip(*(columns[name] for name in _SCHEMA.names), strict=True)
    return {path: Identity(size_bytes, tag, video_id) for path, size_bytes, tag, video_id in rows}


def write_identities(layout: StoreLayout, archive: str, files: Mapping[str, Identity]) -> None:
    """Notes the files of an archive by path.

    Raises:
        StoreError: If the note can't be written.
    """
    rows = [{"path": path, **identity._asdict()} for path, identity in files.items()]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), buffer)
    write_file(layout, _path(layout, archive), buffer.getvalue())


def _path(layout: StoreLayout, archive: str) -> Path:
    return layout.archives / f"{encode_name(archive)}.parquet"
