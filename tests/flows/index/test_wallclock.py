"""Wall-clock time and camera from paths."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalylmm.errors import ConfigurationError
from flows.index.wallclock import build_patterns, clock_of, compile_pattern, read_path
from flows.settings.sections import CameraSettings

BERLIN = build_patterns((), "Europe/Berlin")


@pytest.mark.parametrize(
    "path",
    [
        "gate/2026-03-14/21-05-09.mp4",
        "gate/2026-03-14_21-05-09.mkv",
        "gate/20260314_210509.avi",
        "gate_20260314_210509.ts",
    ],
)
def test_usual_paths_give_camera_and_utc_start(path: str) -> None:
    clock = read_path(path, BERLIN)
    assert clock is not None
    assert (clock.camera, clock.source) == ("gate", "path_pattern")
    assert clock.start_utc == datetime(2026, 3, 14, 20, 5, 9, tzinfo=UTC)


def test_summer_time_is_two_hours_ahead() -> None:
    clock = read_path("gate/2026-07-01/12-00-00.mp4", BERLIN)
    assert clock is not None
    assert clock.start_utc == datetime(2026, 7, 1, 10, 0, 0, tzinfo=UTC)


def test_an_impossible_date_is_ignored() -> None:
    assert read_path("gate/2026-02-31/12-00-00.mp4", BERLIN) is None


def test_container_time_comes_before_file_time() -> None:
    container = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    clock = clock_of("yard/clip.mp4", BERLIN, container_utc=container, modified=0.0, time_zone="UTC")
    assert (clock.camera, clock.source, clock.start_utc) == ("yard", "container", container)
    clock = clock_of("clip.mp4", BERLIN, container_utc=None, modified=3600.0, time_zone="UTC")
    assert (clock.camera, clock.source) == ("default", "file_time")
    assert clock.start_utc == datetime(1970, 1, 1, 1, tzinfo=UTC)


def test_a_users_pattern_has_its_own_time_zone() -> None:
    patterns = build_patterns(
        (CameraSettings(pattern="{camera}-{any}/{year}{month}{day}T{hour}{minute}", time_zone="Asia/Tokyo"),), "UTC"
    )
    clock = read_path("door-rec7/20260314T0900.mp4", patterns)
    assert clock is not None
    assert clock.camera == "door"
    assert clock.start_utc == datetime(2026, 3, 14, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "zone", "named"), [("{kamera}", "UTC", "kamera"), ("{camera}", "Mars/X", "Mars/X")]
)
def test_a_wrong_pattern_or_zone_is_named(pattern: str, zone: str, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        compile_pattern(pattern, zone)


@given(st.text(max_size=60))
def test_any_path_is_read_without_an_error(text: str) -> None:
    clock = read_path(f"x/{text}.mp4", BERLIN)
    assert clock is None or clock.camera


def test_a_pattern_that_would_take_hours_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at most 4"):
        compile_pattern("{any}" * 5 + "{camera}", "UTC")
