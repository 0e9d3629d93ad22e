"""What a search is asked for, and its result."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from anomalylmm.records import Box, SlotVerdict
from flows.runs.recording import list_reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """What to search for and where: a sentence, a picture, or both."""

    text: str = ""
    like: str = ""  # a crop id of the gallery, an image file, or VIDEO@TIME
    box: Box | None = None  # where the person is in the frame of VIDEO@TIME, in pixels; None: the largest
    cameras: tuple[str, ...] = ()
    start_utc: datetime | None = None
    stop_utc: datetime | None = None
    limit: int = 10
    judged: int = 40
    archive: Path | None = None  # where the videos are, if not where they were indexed
    who: str = ""  # asks; empty: the user who is logged in

    @property
    def is_judged(self) -> bool:
        """Whether the judge is asked: it is asked about sentences only."""
        return bool(self.text) and self.judged > 0

    @property
    def description(self) -> str:
        """One line that says what to search for."""
        like = f"like {Path(self.like).name}" if self.like else ""
        return " ".join(part for part in (self.text, f"({like})" if self.text and like else like) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One tracklet of the final ranking."""

    tracklet_id: str
    camera: str
    when: str
    video: str
    moment: str
    cosine: float
    z_score: float
    judged: bool
    accepted: bool
    score: float
    confidence: float
    reason: str
    slots: tuple[SlotVerdict, ...]
    evidence: str = ""  # what the judge was shown
    description: str = ""  # of it, in the judge's own words
    crop_id: str = ""  # the best one
    shard_id: str = ""
    video_id: str = ""
    start_seconds: float = 0.0  # media time of the tracklet
    stop_seconds: float = 0.0
    best_seconds: float = 0.0  # of the best crop
    picture: bytes = field(repr=False, default=b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchReport:
    """The result of a search."""

    text: str
    cloze: str
    results: tuple[Result, ...]
    warnings: tuple[str, ...]
    num_crops: int
    num_candidates: int
    num_calls: int
    seconds: float
    page_path: str
    reference: str = ""  # whom the reference of VIDEO@TIME shows
    num_shards: int = 0
    num_judged: int = 0
    num_cached: int = 0
    num_open: int = 0  # candidates that should have been judged but got no answer
    num_without_moment: int = 0  # judged by stored crops although moments were asked for

    @property
    def state(self) -> str:
        """Completed, or Degraded if candidates got no answer from the judge or were judged without their moment."""
        return "Degraded" if self.num_open or self.num_without_moment else "Completed"

    @property
    def accepted(self) -> list[Result]:
        """The results that the judge accepted."""
        return [result for result in self.results if result.accepted]

    @property
    def events(self) -> tuple[str, ...]:
        """The events that a notification is about."""
        happened = {"search_hits": bool(self.accepted), "degraded": self.state == "Degraded"}
        return tuple(event for event, has_happened in happened.items() if has_happened)

    @property
    def notification(self) -> dict[str, Any]:
        """The values that a notification contains."""
        names = ("tracklet_id", "camera", "when", "video", "moment", "confidence", "reason")
        return {
            "text": self.text,
            "num_results": len(self.results),
            "num_accepted": len(self.accepted),
            "warnings": list(self.warnings),
            "report": self.page_path,
            "results": [{name: getattr(result, name) for name in names} for result in self.accepted],
        }

    @property
    def figures(self) -> dict[str, Any]:
        """The values that the run's record contains."""
        return {
            "state": self.state,
            "reasons": list_reasons(
                candidates_not_judged=self.num_open, candidates_judged_without_their_moment=self.num_without_moment
            ),
            "num_shards": self.num_shards,
            "num_candidates": self.num_candidates,
            "num_judged": self.num_judged,
            "num_calls": self.num_calls,
            "num_cached": self.num_cached,
            "num_hits": len(self.accepted),
        }
