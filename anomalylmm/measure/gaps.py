"""Finds what is missing between recordings of a camera that normally records regularly; knows no store."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median_low
from typing import Literal

GapKind = Literal["hole", "silent", "camera gone", "archive empty"]
JITTER = timedelta(minutes=1)  # pauses that differ by this much are alike,
SPREAD = 0.2  # or by this share
LONGER = 1.5  # times the usual pause, from which one is unusual
MIN_PAUSES = 3  # fewer do not show what is usual
USUAL_SHARE = 2 / 3  # of the pauses nearby must be alike, or the camera does not record regularly
NEARBY = 20  # pauses on each side
SAME_TIME = timedelta(minutes=15)  # of day, and in length: pauses so alike belong to a schedule
SCHEDULED_TIMES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """When a camera recorded."""

    camera: str
    start_utc: datetime
    stop_utc: datetime | None  # None if the length is not known: as long as the camera's others


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time without a recording."""

    camera: str
    kind: GapKind
    start_utc: datetime
    stop_utc: datetime | None  # None: it lasts


@dataclass(frozen=True, slots=True)
class _Pause:
    start_utc: datetime
    stop_utc: datetime

    @property
    def length(self) -> timedelta:
        return max(self.stop_utc - self.start_utc, timedelta())


def find_gaps(recordings: Iterable[Recording], *, min_gap: timedelta, now_utc: datetime) -> tuple[Gap, ...]:
    """Finds holes between recordings, and cameras that are silent while others go on, by camera and start.

    A pause is a hole if it is longer than ``min_gap`` and than what is usual nearby. Pauses that recur at the same time
    of day are a schedule, and a camera with pauses of all lengths (such as one that records on motion) has no holes.

    Args:
        recordings: All known recordings, in any order.
        min_gap: Shorter pauses are never gaps.
        now_utc: Recordings that end later have a wrong clock and do not show that a camera is silent.
    """
    cameras: dict[str, list[Recording]] = {}
    for item in recordings:
        cameras.setdefault(item.camera, []).append(item)
    spans = {camera: _span(items) for camera, items in sorted(cameras.items())}
    latest = {camera: max(stop for _, stop in own) for camera, own in spans.items()}
    horizon = max((stop for stop in latest.values() if stop <= now_utc), default=now_utc)
    found = []
    for camera, own in spans.items():
        pauses = _pauses(own)
        found += [
            Gap(camera=camera, kind="hole", start_utc=pause.start_utc, stop_utc=pause.stop_utc)
            for place, pause in enumerate(pauses)
            if pause.length > min_gap and _is_unusual(pauses, place) and not _is_scheduled(pauses, pause)
        ]
        usual_length = median_low(stop - start for start, stop in own)
        if latest[camera] + usual_length < horizon and _is_silent(pauses, latest[camera], horizon, min_gap):
            found.append(Gap(camera=camera, kind="silent", start_utc=latest[camera], stop_utc=None))
    return tuple(found)


def _span(recordings: Sequence[Recording]) -> list[tuple[datetime, datetime]]:
    """Start and stop of each recording, in time order."""
    lengths = [item.stop_utc - item.start_utc for item in recordings if item.stop_utc]
    usual = median_low(lengths) if lengths else timedelta()
    return sorted((item.start_utc, item.stop_utc or item.start_utc + usual) for item in recordings)


def _pauses(spans: Sequence[tuple[datetime, datetime]]) -> list[_Pause]:
    latest = spans[0][1]
    pauses = []
    for (_, stop), (start, _) in pairwise(spans):
        latest = max(latest, stop)
        pauses.append(_Pause(latest, start))
    return pauses


def _is_unusual(pauses: Sequence[_Pause], place: int) -> bool:
    """Whether a pause is longer than those nearby, which are alike."""
    nearby = [pause.length for pause in pauses[max(0, place - NEARBY) : place + NEARBY + 1]]
    usual = median_low(nearby)
    alike = sum(abs(length - usual) <= JITTER + SPREAD * usual for length in nearby)
    is_regular = len(nearby) >= MIN_PAUSES and alike >= USUAL_SHARE * len(nearby)
    return is_regular and pauses[place].length > LONGER * usual + JITTER


def _is_silent(pauses: Sequence[_Pause], start: datetime, horizon: datetime, min_gap: timedelta) -> bool:
    last = _Pause(start, horizon)
    is_over_night = sum(
        _differ_by_day(pause.start_utc, start) <= SAME_TIME and pause.length >= last.length for pause in pauses
    )
    return last.length > min_gap and _is_unusual([*pauses, last], len(pauses)) and is_over_night < SCHEDULED_TIMES - 1


def _is_scheduled(pauses: Sequence[_Pause], pause: _Pause) -> bool:
    same = sum(
        _differ_by_day(other.start_utc, pause.start_utc) <= SAME_TIME and abs(other.length - pause.length) <= SAME_TIME
        for other in pauses
    )
    return same >= SCHEDULED_TIMES


def _differ_by_day(one: datetime, other: datetime) -> timedelta:
    """How far apart two times of day are."""
    apart = (one - other) % timedelta(days=1)
    return min(apart, timedelta(days=1) - apart)
