"""Which events of a rendered archive a side has embedded at all: speed must not be bought with blindness. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.rendered.scoring import Box, Event, overlap

MIN_OVERLAP = 0.5
STEP_SECONDS = 1.0  # a person is to be seen once in each span of this length
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


def share_seen(events: Sequence[Event], looks: Iterable[Look]) -> float:
    """Gives the share of all seconds of all events in which the event's person was embedded; 0 without events."""
    kept, spans, seen = list(looks), 0, 0
    for event in events:
        number = max(1, int((event.stop_seconds - event.start_seconds) / STEP_SECONDS))
        times = {int((look.pts_seconds - event.start_seconds) / STEP_SECONDS) for look in kept if sees(look, event)}
        spans, seen = spans + number, seen + len(times & set(range(number)))
    return seen / spans if spans else 0.0
