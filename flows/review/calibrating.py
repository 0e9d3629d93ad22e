"""The acceptance threshold of each query, from what people said of its hits: for a sweep, and to look at."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from operator import attrgetter

from anomalylmm.measure.calibration import Calibration, ReviewedHit, calibrate, keep
from anomalylmm.records import Query
from storage.disk.layout import StoreLayout
from storage.hits.analyst import open_snapshot
from storage.hits.feedback_sql import read_reviews
from storage.hits.inbox import read_waiting
from storage.hits.rows import FeedbackRecord, ReviewRecord, ThresholdRecord

QUERIES_SQL = """
select * from queries where enabled
qualify row_number() over (partition by query_name order by created_utc desc) = 1 order by query_name
"""
JUDGE_SQL = "select judge_id from sweeps order by finished_utc desc limit 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryThreshold:
    """One saved query with the threshold that its next sweep uses."""

    query_name: str
    calibration: Calibration


def calibrate_queries(
    queries: Iterable[Query], reviews: Sequence[ReviewRecord], judge_id: str
) -> dict[str, Calibration]:
    """Finds each query's threshold, by query version.

    Feedback counts for all versions and queries of the same text and masks, but for one judge only: the confidences of
    another are on another scale.
    """
    groups = _group(reviews)
    return {
        query.version: _calibrate(
            query.accept, query.calibrate, groups.get((query.text, query.cloze.masked, judge_id), [])
        )
        for query in queries
    }


def apply_thresholds(queries: Iterable[Query], calibrated: Mapping[str, Calibration]) -> list[Query]:
    """Replaces each query's own threshold by the calibrated one; its version stays."""
    return [replace(query, accept=calibrated[query.version].threshold) for query in queries]


def build_thresholds(
    queries: Iterable[Query], calibrated: Mapping[str, Calibration], judge_id: str, now: datetime
) -> tuple[ThresholdRecord, ...]:
    """Builds the rows that say which thresholds a sweep used."""
    return tuple(
        ThresholdRecord(
            query_version=query.version,
            query_name=query.name,
            judge_id=judge_id,
            created_utc=now,
            **asdict(calibrated[query.version]),
        )
        for query in queries
    )


def read_thresholds(layout: StoreLayout) -> list[QueryThreshold]:
    """Finds the thresholds that the next sweep uses, from the published feedback and from what waits.

    Raises:
        StoreError: No sweep has published yet.
    """
    waiting = read_waiting(layout, FeedbackRecord)
    with open_snapshot(layout) as snapshot:
        groups = _group(read_reviews(snapshot.read, waiting))
        queries = snapshot.select(QUERIES_SQL)
        judge_id = next((row["judge_id"] for row in snapshot.select(JUDGE_SQL)), "")
    return [
        QueryThreshold(
            query_name=row["query_name"],
            calibration=_calibrate(
                row["accept"],
                row.get("calibrate") is not False,  # not there, or empty, in stores of an earlier version
                groups.get((row["text"], row["masked"], judge_id), []),
            ),
        )
        for row in queries
    ]


def _group(reviews: Iterable[ReviewRecord]) -> dict[tuple[str, str, str], list[ReviewedHit]]:
    """Gathers what was said by text, masked text and judge; a hit whose newest verdict decides nothing is left out."""
    groups: dict[tuple[str, str, str], list[ReviewedHit]] = defaultdict(list)
    reviews = list(reviews)
    ordered = sorted(reviews, key=attrgetter("feedback.created_utc", "feedback.verdict"))
    newest = {review.feedback.hit_id: review.feedback for review in ordered}
    for review in reviews:
        if newest[review.feedback.hit_id].verdict not in ("confirm", "reject"):
            continue
        hit = ReviewedHit(
            hit_id=review.feedback.hit_id,
            confidence=review.confidence,
            confirmed=review.feedback.verdict == "confirm",
            given_utc=review.feedback.created_utc,
        )
        groups[review.text, review.masked, review.judge_id].append(hit)
    return groups


def _calibrate(accept: float, is_wanted: bool, reviewed: Sequence[ReviewedHit]) -> Calibration:
    return calibrate(accept, reviewed) if is_wanted else keep(accept)
