"""Scores hits on labeled clips: events found, hits right, akin or false, normal clips flagged. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["right", "akin", "false"]
VERDICTS: tuple[Verdict, ...] = ("right", "akin", "false")
SLACK_SECONDS = 1.5  # labels are set by eye, and a tracklet's hit begins and ends with its crops
# what a query may name in another word for the same event: the fall and the lying that follows it
GRAVE_FAMILIES = (
    frozenset(("falling", "lying", "collapsing", "crawling")),
    frozenset(("fighting", "pushing", "kicking", "punching", "beaten", "dragging")),
)
EVERYDAY_FAMILIES = (frozenset(("walking", "running")), frozenset(("sitting", "crouching", "bending")))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipEvent:
    """One behavior that a clip shows, in some seconds of it or (None) somewhere."""

    file: str
    behavior: str  # canonical word of the lexicon
    start_seconds: float | None = None
    stop_seconds: float | None = None

    def overlaps(self, hit: "ClipHit") -> bool:
        """Returns whether a hit lies in this clip and, give or take the slack, in these seconds."""
        begins = 0.0 if self.start_seconds is None else self.start_seconds - SLACK_SECONDS
        ends = float("inf") if self.stop_seconds is None else self.stop_seconds + SLACK_SECONDS
        return hit.file == self.file and hit.stop_seconds >= begins and hit.start_seconds <= ends


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipHit:
    """The part of a hit that is compared with the labels."""

    hit_id: str
    query: str
    file: str
    start_seconds: float
    stop_seconds: float
    confidence: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryScore:
    """How well one query did."""

    query: str
    events: int  # labeled events of its behaviors
    found: int
    right: int
    akin: int
    false: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipScores:
    """How well the hits on some clips agree with the labels."""

    found: tuple[ClipEvent, ...]
    missed: tuple[ClipEvent, ...]
    unasked: tuple[ClipEvent, ...]  # events for which no query asks
    verdicts: tuple[tuple[ClipHit, Verdict], ...]
    queries: tuple[QueryScore, ...]
    normal: tuple[str, ...]  # clips in which nothing happens that is asked for
    anomalous: tuple[str, ...]
    flagged: frozenset[str]  # clips with a hit of any kind
    seconds: float

    def count(self, verdict: Verdict) -> int:
        """Counts the hits of a verdict."""
        return sum(own == verdict for _, own in self.verdicts)

    @property
    def false_per_hour(self) -> float | None:
        """False hits in an hour of footage; None without footage."""
        return round(self.count("false") * 3600 / self.seconds, 1) if self.seconds else None

    def figures(self) -> dict[str, Any]:
        """Returns the numbers of a report."""
        return {
            "events": len(self.found) + len(self.missed),
            "events_found": len(self.found),
            "events_not_asked_for": len(self.unasked),
            "hits": len(self.verdicts),
            **{f"hits_{verdict}": self.count(verdict) for verdict in VERDICTS},
            "anomalous_clips": len(self.anomalous),
            "anomalous_clips_flagged": len(self.flagged.intersection(self.anomalous)),
            "normal_clips": len(self.normal),
            "normal_clips_flagged": len(self.flagged.intersection(self.normal)),
            "footage_seconds": round(self.seconds, 1),
            "false_hits_per_hour": self.false_per_hour,
        }


def akin_to(behaviors: Iterable[str], families: Iterable[frozenset[str]]) -> frozenset[str]:
    """Returns the behaviors themselves and all that share a family with one of them."""
    own = frozenset(behaviors)
    return own.union(*(family for family in families if family & own))


def judge_hit(hit: ClipHit, behaviors: Iterable[str], events: Iterable[ClipEvent]) -> Verdict:
    """Compares a hit with the labels; ``behaviors`` are those that its query asks for."""
    own = frozenset(behaviors)
    seen = {event.behavior for event in events if event.overlaps(hit)}
    if seen & own:
        return "right"
    return "akin" if seen & akin_to(own, (*GRAVE_FAMILIES, *EVERYDAY_FAMILIES)) else "false"


def score_clips(
    events: Sequence[ClipEvent],
    hits: Iterable[ClipHit],
    queries: Mapping[str, frozenset[str]],
    seconds_by_file: Mapping[str, float],
) -> ClipScores:
    """Scores the hits of some queries on labeled clips.

    A clip is normal if no query asks for what happens in it. For falls and fights another word of the family counts
    as asked for; for everyday behavior it does not, else a query for running would leave no clip of walkers normal.

    Args:
        events: What the clips show, by label.
        hits: Of these queries and clips; others are left out.
        queries: The behaviors that each query asks for, by its name.
        seconds_by_file: All clips with their lengths, those without an event too.
    """
    kept = [hit for hit in hits if queries.get(hit.query) and hit.file in seconds_by_file]
    verdicts = tuple((hit, judge_hit(hit, queries[hit.query], events)) for hit in kept)
    asked = frozenset().union(*queries.values())
    wanted = [event for event in events if event.behavior in asked]
    found = {event for event in wanted if _is_found(event, verdicts, queries)}
    grave = akin_to(asked, GRAVE_FAMILIES)
    anomalous = {event.file for event in events if event.behavior in grave}
    return ClipScores(
        found=tuple(event for event in wanted if event in found),
        missed=tuple(event for event in wanted if event not in found),
        unasked=tuple(event for event in events if event.behavior not in asked),
        verdicts=verdicts,
        queries=tuple(_score_query(name, words, wanted, verdicts) for name, words in queries.items() if words),
        normal=tuple(file for file in seconds_by_file if file not in anomalous),
        anomalous=tuple(file for file in seconds_by_file if file in anomalous),
        flagged=frozenset(hit.file for hit in kept),
        seconds=sum(seconds_by_file.values()),
    )


def _is_found(
    event: ClipEvent, verdicts: Iterable[tuple[ClipHit, Verdict]], queries: Mapping[str, frozenset[str]]
) -> bool:
    return any(event.overlaps(hit) and event.behavior in queries[hit.query] for hit, _ in verdicts)


def _score_query(
    name: str, behaviors: frozenset[str], events: Sequence[ClipEvent], verdicts: Sequence[tuple[ClipHit, Verdict]]
) -> QueryScore:
    own = [(hit, verdict) for hit, verdict in verdicts if hit.query == name]
    wanted = [event for event in events if event.behavior in behaviors]
    counts = {verdict: sum(item == verdict for _, item in own) for verdict in VERDICTS}
    return QueryScore(
        query=name,
        events=len(wanted),
        found=sum(any(event.overlaps(hit) for hit, _ in own) for event in wanted),
        right=counts["right"],
        akin=counts["akin"],
        false=counts["false"],
    )
