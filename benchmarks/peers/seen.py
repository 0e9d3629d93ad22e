"""Which events of a rendered archive a side has embedded at all: speed must not be bought with blindness. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.rendered.scoring import Box, Event, overlap

MIN_OVERLAP = 0.5
SLACK_SECONDS = 0.2  # boxes of the truth stand for moments a sixth of a second apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One person embedded: which video, when and where."""

    video: str
    pts_seconds: float
    box: Box


def sees(look: Look, event: Event) -> bool:
    """Tells whether a look shows an event's person during the event."""
    if look.video != event.video:
        return False
    if not event.start_seconds - SLACK_SECONDS <= look.pts_seconds <= event.stop_seconds + SLACK_SECONDS:
        return False
    box = event.box_at(look.pts_seconds)
    return box is not None and overlap(look.box, box) >= MIN_OVERLAP


def count_seen(events: Sequence[Event], looks: Iterable[Look]) -> tuple[int, int]:
    """Counts the anomalies, and all events, of which at least one moment was embedded."""
    kept = list(looks)
    seen = [event for event in events if any(sees(look, event) for look in kept)]
    return sum(event.anomaly for event in seen), len(seen)
