"""What a store says, without what differs from run to run, so that two stores can be compared row by row."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow.parquet as pq

from storage.disk.layout import CROPS_FILE, StoreLayout
from storage.hits.analyst import open_snapshot
from storage.hits.tables import PUBLISHED
from storage.shards.manifest import iter_shard_dirs, read_manifest

OF_THE_RUN = frozenset(  # when and by which run; numbers of calls fall where answers are remembered
    "sweep_id created_utc first_found_utc started_utc finished_utc first_utc last_utc "
    "seconds cached num_calls num_cached tries".split()
)
OF_THE_GALLERY = frozenset("z_score coarse_rank final_rank rank".split())  # differ where a sweep saw fewer shards
_NOT_COMPARED = ("archives/", "catalogs/", "claims/", "hits/working.duckdb", "locks/", "runs/", "temporary/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Rows that should be there and are not, and rows too many; a changed row is both."""

    lost: tuple[str, ...]
    doubled: tuple[str, ...]


def compare(expected: Iterable[str], found: Iterable[str]) -> Difference:
    """Compares two contents as bags of rows."""
    wanted, there = Counter(expected), Counter(found)
    return Difference(
        lost=tuple(sorted((wanted - there).elements())), doubled=tuple(sorted((there - wanted).elements()))
    )


def iter_wrong(expected: Iterable[str], found: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a store that a job examined: damage, leftovers, rows lost or doubled."""
    difference = compare(expected, found["content"])
    wrong = {
        "damaged": found["problems"],
        "left behind": found["left"],
        "lost": difference.lost,
        "doubled": difference.doubled,
    }
    yield from (f"{name}: {list(rows)[:3]}" for name, rows in wrong.items() if rows)


def read_content(layout: StoreLayout, *, skip: frozenset[str] = OF_THE_RUN, tables: Sequence[str] = ()) -> list[str]:
    """All rows of the store, each as one line: crops, videos, files, and the published tables."""
    return [*_iter_shards(layout), *_iter_files(layout), *_iter_published(layout, skip, tables)]


def _iter_shards(layout: StoreLayout) -> Iterator[str]:
    for directory in iter_shard_dirs(layout):
        manifest = read_manifest(directory)
        yield f"shard {manifest.key.shard_id}"
        for video in manifest.videos:
            yield f"video {_line(asdict(video))}"
        for row in pq.read_table(directory / CROPS_FILE).to_pylist():
            yield f"crop {_line(row)}"


def _iter_files(layout: StoreLayout) -> Iterator[str]:
    """Every other file by its path, pictures with their content: what a killed process strews would be seen."""
    for path in sorted(layout.root.rglob("*")):
        place = path.relative_to(layout.root).as_posix()
        if path.is_file() and not place.startswith(_NOT_COMPARED):
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.suffix == ".jpg" else ""
            yield f"file {place} {content}"


def _iter_published(layout: StoreLayout, skip: frozenset[str], tables: Sequence[str]) -> Iterator[str]:
    if not layout.snapshot.exists():
        return
    with open_snapshot(layout) as snapshot:
        for name in tables or [table.name for table in PUBLISHED]:
            columns, rows = snapshot.run(f"FROM {name}")
            for row in rows:
                kept = {key: value for key, value in zip(columns, row, strict=True) if key not in skip}
                yield f"{name} {_line(kept)}"


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True, default=_digest)


def _digest(value: object) -> str:
    return hashlib.sha256(value).hexdigest()[:16] if isinstance(value, bytes) else str(value)
