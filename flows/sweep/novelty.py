"""Tells new hits from events that earlier sweeps have reported, perhaps under another name, version or pipeline."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC

from anomalylmm.records import Query
from storage.hits.rows import HitRecord
from storage.hits.tables import Reader

_QUERIES_SQL = "SELECT query_version, query_name, cloze FROM queries"
_FIRST_SQL = """
SELECT min(coalesce(first_found_utc, created_utc)) FROM hits
WHERE camera = ? AND list_contains(?::VARCHAR[], query_version) AND stop_utc >= ? AND start_utc <= ?
"""


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
    return tuple(_date_hit(hit, sorted(kin[hit.query_version]), read) for hit in hits)


def _date_hit(hit: HitRecord, versions: Sequence[str], read: Reader) -> HitRecord:
    span = [moment.astimezone(UTC).replace(tzinfo=None) for moment in (hit.start_utc, hit.stop_utc)]
    ((first,),) = read(_FIRST_SQL, [hit.camera, versions, *span])
    return replace(hit, first_found_utc=first.replace(tzinfo=UTC)) if first else hit


def _asked(slots: Sequence[Mapping[str, str]]) -> frozenset[tuple[str, str]]:
    return frozenset((slot["word"], slot["kind"]) for slot in slots)
