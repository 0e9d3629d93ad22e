"""The result of a sweep."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.runs.recording import list_reasons
from storage.hits.rows import HitRecord
from storage.hits.runs import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryTally:
    """The counts of one query in one sweep."""

    query_name: str
    num_shards: int
    num_candidates: int
    num_judged: int
    num_hits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """The result of a sweep."""

    sweep_id: str
    state: str
    queries: tuple[QueryTally, ...]
    num_hits: int
    num_new: int  # hits of events that no earlier sweep reported
    num_incidents: int
    num_calls: int
    num_cached: int
    seconds: float
    warnings: tuple[str, ...]
    report_path: str
    top_hits: tuple[HitRecord, ...] = field(default=(), repr=False)  # of the new ones
    num_open: int = 0  # candidates left for the next sweep
    num_without_moment: int = 0  # judged by stored crops although moments were asked for
    num_damaged: int = 0  # shards that could not be read
    run: RunRecord | None = None

    @property
    def events(self) -> tuple[str, ...]:
        """The events that a notification is about."""
        happened = {"hits": self.num_new > 0, "degraded": self.state == "Degraded"}
        return tuple(event for event, has_happened in happened.items() if has_happened)

    @property
    def notification(self) -> dict[str, Any]:
        """The values that a notification contains."""
        return {
            "sweep_id": self.sweep_id,
            "num_hits": self.num_hits,
            "num_new": self.num_new,
            "num_incidents": self.num_incidents,
            "warnings": list(self.warnings),
            "report": self.report_path,
            "hits": [_describe_hit(hit, Path(self.report_path).parent) for hit in self.top_hits],
        }

    @property
    def figures(self) -> dict[str, Any]:
        """The values that the run's record contains."""
        return {
            "state": self.state,
            "sweep_id": self.sweep_id,
            "reasons": list_reasons(
                candidates_not_judged=self.num_open,
                candidates_judged_without_their_moment=self.num_without_moment,
                shards_not_read=self.num_damaged,
            ),
            "num_candidates": sum(tally.num_candidates for tally in self.queries),
            "num_judged": sum(tally.num_judged for tally in self.queries),
            "num_calls": self.num_calls,
            "num_cached": self.num_cached,
            "num_hits": self.num_hits,
        }


def _describe_hit(hit: HitRecord, reports: Path) -> dict[str, Any]:
    names = ("hit_id", "camera", "time_zone", "best_seconds", "confidence", "reason")
    return {
        **{name: getattr(hit, name) for name in names},
        "query": hit.query_name,
        "best_utc": hit.best_utc.isoformat(),
        "video": hit.video_path,
        "picture": str(reports / hit.picture_path),
    }
