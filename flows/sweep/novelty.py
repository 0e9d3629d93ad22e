"""Tells new hits from events that earlier sweeps have reported, perhaps under another name, version or pipeline."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from anomalylmm.records import Query
from storage.hits.rows import HitRecord
from storage.hits.tables import Reader

_QUERIES_SQL = "SELECT query_version, query_name, cloze FROM queries"
_HITS_SQL = """
SELECT query_version, camera, start_utc, stop_utc, coalesce(first_found_utc, created_utc) FROM hits
WHERE list_contains(?::VARCHAR[], camera) AND list_contains(?::VARCHAR[], query_version)
AND stop_utc >= ? AND start_utc <= ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reported:
    """An earlier hit."""

    version: str
    camera: str
    start_utc: datetime
    stop_utc: datetime
    first_found_utc: datetime

    def shows_same(self, hit: HitRecord) -> bool:
        """Whether it is at the same camera and overlaps in time."""
        return self.camera == hit.camera and self.start_utc <= hit.stop_utc and hit.start_utc <= self.stop_utc


def find_kin(queries: Sequence[Query], read: Reader) -> dict[str, frozenset[str]]:
    """Finds the earlier versions that asked the same as each query, by the query's version.

    These are versions with the same name and, because a query may have been renamed and reworded, versions that no
    query has any more and that mask the same words.
    """
    known = [(version, name, _asked(json.loads(cloze)["slots"])) for version, name, cloze in read(_QUERIES_SQL, [])]
    current = {query.version for query in queries}

    def is_kin(query: Query, version: str, name: str, asked: frozenset[tuple[str, str]]) -> bool:
        own = frozenset((slot.word, slot.kind) for slot in query.cloze.slots)
        was_replaced = version not in current and own == asked and bool(own)
        return name == query.name or version == query.version or was_replaced

    return {query.version: frozenset(row[0] for row in known if is_kin(query, *row)) for query in queries}


def date_hits(hits: Sequence[HitRecord], kin: Mapping[str, frozenset[str]], read: Reader) -> tuple[HitRecord, ...]:
    """Gives hits of known events the time at which these were first found; the others are new.

    An event is known if an earlier hit of the query's kin is at the same camera and overlaps in time. ``read`` must
    still see the hits that these replace.
    """
    if not hits:
        return ()
    versions = sorted(frozenset().union(*(kin[hit.query_version] for hit in hits)))
    span = min(hit.start_utc for hit in hits), max(hit.stop_utc for hit in hits)
    moments = [moment.astimezone(UTC).replace(tzinfo=None) for moment in span]
    found = read(_HITS_SQL, [sorted({hit.camera for hit in hits}), versions, *moments])
    earlier = [
        _Reported(
            version=version,
            camera=camera,
            start_utc=start.replace(tzinfo=UTC),
            stop_utc=stop.replace(tzinfo=UTC),
            first_found_utc=first.replace(tzinfo=UTC),
        )
        for version, camera, start, stop, first in found
    ]
    return tuple(_date_hit(hit, [item for item in earlier if item.version in kin[hit.query_version]]) for hit in hits)


def _date_hit(hit: HitRecord, earlier: Sequence[_Reported]) -> HitRecord:
    moments = [item.first_found_utc for item in earlier if item.shows_same(hit)]
    return replace(hit, first_found_utc=min(moments)) if moments else hit


def _asked(slots: Sequence[Mapping[str, str]]) -> frozenset[tuple[str, str]]:
    return frozenset((slot["word"], slot["kind"]) for slot in slots)
