"""What is a gap: holes in regular recordings and silent cameras, but neither schedules nor motion-triggered pauses."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import numpy as np

from anomalylmm.measure.gaps import Recording, find_gaps

NIGHT = datetime(2026, 3, 14, 22, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LATER = NIGHT + 1000 * DAY


def record(starts: Iterable[datetime], length: timedelta | None, camera: str = "gate") -> list[Recording]:
    return [Recording(camera=camera, start_utc=start, stop_utc=start + length if length else None) for start in starts]


def every(step: timedelta, number: int, without: Iterable[int] = (), start: datetime = NIGHT) -> list[datetime]:
    return [start + place * step for place in range(number) if place not in set(without)]


def find(recordings: Iterable[Recording], minutes: float = 5) -> list[tuple[str, str, datetime, datetime | None]]:
    gaps = find_gaps(recordings, min_gap=minutes * MINUTE, now_utc=LATER)
    return [(gap.camera, gap.kind, gap.start_utc, gap.stop_utc) for gap in gaps]


def test_a_missing_file_of_a_camera_that_records_through_is_a_hole() -> None:
    recordings = record(every(10 * MINUTE, 40, without=[20]), 10 * MINUTE)
    assert find(recordings) == [("gate", "hole", NIGHT + 200 * MINUTE, NIGHT + 210 * MINUTE)]
    assert find(reversed(recordings)) == find(recordings)
    assert find(recordings, minutes=15) == []


def test_a_missing_clip_of_a_camera_that_records_a_clip_every_hour_is_a_hole() -> None:
    found = find(record(every(HOUR, 6, without=[3]), 4 * timedelta(seconds=1)))
    assert [(kind, start.hour) for _, kind, start, _ in found] == [("hole", 0)]


def test_a_whole_missing_night_of_a_camera_that_records_at_night_is_a_hole() -> None:
    recordings = record(every(DAY, 9, without=[6]), 8 * HOUR)
    assert find(recordings) == [("gate", "hole", NIGHT + 5 * DAY + 8 * HOUR, NIGHT + 7 * DAY)]


def test_the_days_of_a_camera_that_records_at_night_only_are_no_holes() -> None:
    nights = [start for day in range(5) for start in every(HOUR, 8, start=NIGHT + day * DAY)]
    assert find(record(nights, HOUR)) == []


def test_pauses_of_all_lengths_are_no_holes() -> None:
    pauses = np.random.default_rng(1).exponential(3600, 300)
    starts = [NIGHT + timedelta(seconds=float(seconds)) for seconds in np.cumsum(pauses + 20)]
    assert find(record(starts, timedelta(seconds=20))) == []


def test_few_recordings_do_not_show_what_is_usual() -> None:
    assert find(record(every(HOUR, 4, without=[2]), HOUR)) == []


def test_overlapping_recordings_leave_no_hole() -> None:
    through = record(every(10 * MINUTE, 30, without=[10]), 10 * MINUTE)
    assert find([*through, *record([NIGHT + 95 * MINUTE], 20 * MINUTE)]) == []


def test_a_file_that_is_there_but_not_indexed_fills_its_hole() -> None:
    recordings = record(every(10 * MINUTE, 40, without=[20]), 10 * MINUTE)
    assert find([*recordings, *record([NIGHT + 200 * MINUTE], None)]) == []


def test_a_camera_that_stops_while_others_go_on_is_silent() -> None:
    gate, yard = record(every(HOUR, 8), HOUR), record(every(HOUR, 20), HOUR, "yard")
    assert find([*gate, *yard]) == [("gate", "silent", NIGHT + 8 * HOUR, None)]
    assert find([*record(every(HOUR, 19), HOUR), *yard]) == []  # its last file may not be closed yet


def test_a_camera_that_is_off_by_day_is_not_silent_at_noon() -> None:
    nights = [start for day in range(4) for start in every(HOUR, 8, start=NIGHT + day * DAY)]
    through = record(every(HOUR, 3 * 24 + 14), HOUR, "yard")
    assert find([*record(nights, HOUR), *through]) == []


def test_a_recording_from_the_future_makes_no_camera_silent() -> None:
    gate, yard = record(every(HOUR, 8), HOUR), record(every(HOUR, 8, start=LATER + DAY), HOUR, "yard")
    assert find([*gate, *yard]) == []
