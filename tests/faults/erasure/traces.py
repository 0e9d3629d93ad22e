"""Pieces of what is to be erased, and the search for them in every file of a store."""

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from storage.disk.layout import CROPS_FILE, StoreLayout
from storage.hits.analyst import run_sql
from storage.shards.manifest import iter_shard_dirs
from storage.shards.quarantine import read_quarantine

PIECE_BYTES = 32
_PICTURES_SQL = "SELECT video_id, picture_path FROM hits"
_NAMES_SQL = "SELECT video_id, path FROM videos"


def list_traces(layout: StoreLayout, video_ids: frozenset[str]) -> list[bytes]:
    """Pieces of the JPEGs of the crops and of the hits' pictures, as bytes and as text, vectors, and file names."""
    kept = b"".join(data for video_id, data in _iter_pictures(layout) if video_id not in video_ids)
    pieces = {
        piece
        for video_id, data in _iter_pictures(layout)
        if video_id in video_ids
        for piece in _cut(data)
        if piece not in kept  # the tables of JPEGs are all the same
    }
    names = {Path(path).name.encode() for video_id, path in run_sql(layout, _NAMES_SQL)[1] if video_id in video_ids}
    names |= {Path(entry.path).name.encode() for entry in read_quarantine(layout) if entry.video_id in video_ids}
    texts = {base64.b64encode(data)[200:240] for data in _iter_page_pictures(layout, video_ids)}
    return sorted(pieces | names | texts)


def find_traces(root: Path, traces: Sequence[bytes]) -> list[str]:
    """The files below a folder that hold a piece, or whose own path does, one entry a piece."""
    found = []
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        place = path.relative_to(root).as_posix()
        data = path.read_bytes() + place.encode()
        found += [place for trace in traces if trace in data]
    return found


def _iter_pictures(layout: StoreLayout) -> Iterator[tuple[str, bytes]]:
    for directory in iter_shard_dirs(layout):
        for row in pq.read_table(directory / CROPS_FILE, columns=["video_id", "jpeg", "vector"]).to_pylist():
            yield row["video_id"], row["jpeg"]
    for video_id, place in run_sql(layout, _PICTURES_SQL)[1]:
        yield video_id, (layout.reports / place).read_bytes()


def _iter_page_pictures(layout: StoreLayout, video_ids: frozenset[str]) -> Iterator[bytes]:
    """What the page of a search holds inline: pictures as the hits' own ones."""
    for video_id, place in run_sql(layout, _PICTURES_SQL)[1]:
        if video_id in video_ids:
            yield (layout.reports / place).read_bytes()


def _cut(data: bytes) -> Iterator[bytes]:
    for start in range(len(data) // 2, len(data) - PIECE_BYTES, max(1, len(data) // 3)):
        yield data[start : start + PIECE_BYTES]
