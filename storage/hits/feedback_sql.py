"""Joins feedback to the hits it is about; the same SQL reads the writer's and the published database."""

from collections.abc import Iterable
from datetime import UTC

from storage.hits.rows import FeedbackRecord, ReviewRecord
from storage.hits.tables import Reader
from storage.shards.schema import clean_text

NEWEST_SQL = (
    "SELECT hit_id, nullif(verdict, 'clear') AS feedback FROM feedback "
    "QUALIFY row_number() OVER (PARTITION BY hit_id ORDER BY created_utc DESC, verdict) = 1"
)
_FEEDBACK_SQL = """
SELECT hit_id, verdict, who, created_utc, note FROM feedback
WHERE verdict IN ('confirm', 'reject', 'unsure', 'clear') ORDER BY created_utc, feedback_id
"""
_FACTS = ("confidence", "judge_id", "query_name", "text", "masked")
_HITS_SQL = f"""
SELECT hit_id, {", ".join(_FACTS)}
FROM hits JOIN (SELECT query_version, text, masked FROM queries) USING (query_version)
WHERE hit_id IN (SELECT unnest(?::VARCHAR[]))
"""  # noqa: S608 - names are our own
_KNOWN_SQL = "SELECT hit_id FROM hits WHERE hit_id IN (SELECT unnest(?::VARCHAR[]))"


def read_reviews(read: Reader, waiting: Iterable[FeedbackRecord] = ()) -> list[ReviewRecord]:
    """All feedback with its hits, oldest first; feedback on hits that no longer exist is left out.

    ``waiting`` is feedback that is not in the database yet.
    """
    saved = [
        FeedbackRecord(hit_id=hit_id, verdict=verdict, who=who, created_utc=created.replace(tzinfo=UTC), note=note)
        for hit_id, verdict, who, created, note in read(_FEEDBACK_SQL, [])
    ]
    feedback = {record.feedback_id: record for record in (*saved, *waiting)}.values()
    rows = read(_HITS_SQL, [sorted({clean_text(record.hit_id) for record in feedback})])
    hits = {hit_id: dict(zip(_FACTS, facts, strict=True)) for hit_id, *facts in rows}
    return [ReviewRecord(feedback=record, **hits[record.hit_id]) for record in feedback if record.hit_id in hits]


def known_hits(read: Reader, hit_ids: Iterable[str]) -> set[str]:
    """The ids among ``hit_ids`` that belong to hits."""
    return {hit_id for (hit_id,) in read(_KNOWN_SQL, [sorted({clean_text(hit_id) for hit_id in hit_ids})])}
