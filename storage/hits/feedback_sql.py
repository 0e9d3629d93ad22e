"""Feedback beside the hits it is about, read by the same SQL from the writer's database and from the published one."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC
from typing import Any

from storage.hits.rows import FeedbackRecord, ReviewRecord
from storage.shards.schema import clean_text

Reader = Callable[[str, Sequence[object]], list[Any]]  # SQL and its values to rows
NEWEST_SQL = (
    "SELECT hit_id, verdict AS feedback FROM feedback "
    "QUALIFY row_number() OVER (PARTITION BY hit_id ORDER BY created_utc DESC, verdict) = 1"
)
_FEEDBACK_SQL = "SELECT hit_id, verdict, who, created_utc, note FROM feedback WHERE verdict IN ('confirm', 'reject')"
_HITS_SQL = """
SELECT hit_id, confidence, judge_id, query_name, text, masked
FROM hits JOIN (SELECT query_version, text, masked FROM queries) USING (query_version)
WHERE hit_id IN (SELECT unnest(?::VARCHAR[]))
"""
_KNOWN_SQL = "SELECT hit_id FROM hits WHERE hit_id IN (SELECT unnest(?::VARCHAR[]))"


def read_feedback(read: Reader) -> list[FeedbackRecord]:
    """All feedback that the database holds, oldest first."""
    rows = read(f"{_FEEDBACK_SQL} ORDER BY created_utc, feedback_id", [])
    return [
        FeedbackRecord(hit_id=hit_id, verdict=verdict, who=who, created_utc=created.replace(tzinfo=UTC), note=note)
        for hit_id, verdict, who, created, note in rows
    ]


def read_reviews(read: Reader, waiting: Iterable[FeedbackRecord] = ()) -> list[ReviewRecord]:
    """All feedback with its hit; what is about a hit that is gone is left out.

    Args:
        read: Runs SQL on the writer's or the published database.
        waiting: Feedback that the database does not hold yet.
    """
    feedback = {record.feedback_id: record for record in (*read_feedback(read), *waiting)}.values()
    rows = read(_HITS_SQL, [sorted({clean_text(record.hit_id) for record in feedback})])
    hits = {hit_id: facts for hit_id, *facts in rows}
    return [_join(record, hits[record.hit_id]) for record in feedback if record.hit_id in hits]


def known_hits(read: Reader, hit_ids: Iterable[str]) -> set[str]:
    """Those of the ids that are hits."""
    return {hit_id for (hit_id,) in read(_KNOWN_SQL, [sorted({clean_text(hit_id) for hit_id in hit_ids})])}


def _join(feedback: FeedbackRecord, facts: Sequence[Any]) -> ReviewRecord:
    confidence, judge_id, query_name, text, masked = facts
    return ReviewRecord(
        feedback=feedback, confidence=confidence, judge_id=judge_id, query_name=query_name, text=text, masked=masked
    )
