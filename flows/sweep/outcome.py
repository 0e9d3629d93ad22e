"""What came of a sweep, as commands and flows report it."""

from dataclasses import dataclass, field

from storage.hits.rows import HitRecord
from storage.hits.runs import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryTally:
    """What one query found in one sweep."""

    query_name: str
    num_shards: int
    num_candidates: int
    num_judged: int
    num_hits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """What came of a sweep."""

    sweep_id: str
    state: str
    queries: tuple[QueryTally, ...]
    num_hits: int
    num_incidents: int
    num_calls: int
    num_cached: int
    seconds: float
    warnings: tuple[str, ...]
    report_path: str
    top_hits: tuple[HitRecord, ...] = field(default=(), repr=False)
    num_open: int = 0  # candidates left to the next sweep
    num_damaged: int = 0  # shards that could not be read
    run: RunRecord | None = None
