"""The benchmark of long videos and many cameras: what it makes is what it says, and its figures are of that."""

import sys
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.lengths.archives import check_plan, make_archive
from benchmarks.lengths.options import build_settings
from benchmarks.lengths.pieces import cut_video, write_table
from benchmarks.lengths.repeating import check_video, read_span, repeat
from benchmarks.lengths.report import compare_longest, draw, list_slopes, select, write_markdown
from benchmarks.watching import Watched, run_watched
from flows.index.listing.content import content_digest
from tests.faults.footage.clips import FPS, Clip, encode

CLIP = Clip(num_frames=20, bframes=2)  # 2.5 s, a key frame a second


def row(series: str, cameras: int, seconds: float, memory: float) -> dict[str, object]:
    return {
        "series": series,
        "cameras": cameras,
        "asked_seconds": seconds,
        "video_seconds": cameras * seconds,
        "seconds": cameras * seconds / 20,
        "cpu_seconds": cameras * seconds / 10,
        "per_video_hour": 180.0,
        "crops": 5 * cameras,
        "frames_detected": 1_234,
        "peak_mib": memory,
        "second_half_mib": memory / 2,
    }


ROWS = [
    row("length", 1, 3600, 1_500),
    row("length", 1, 600, 1_000),
    row("length", 1, 60, 1_000),
    row("cameras", 1, 40, 900),
    row("cameras", 10, 40, 900),
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.mp4"
    path.write_bytes(encode(CLIP))
    return path


def decode(path: Path) -> tuple[list[float], list[np.ndarray]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [frame.time for frame in frames], [frame.to_ndarray(format="gray") for frame in frames]


def test_a_repeated_video_is_the_same_pictures_again_at_rising_times(source: Path, tmp_path: Path) -> None:
    made = repeat(source, tmp_path / "long.mp4", 7.0)
    check_video(tmp_path / "long.mp4", made)
    times, images = decode(tmp_path / "long.mp4")
    assert made == 7.0
    assert times == pytest.approx([number / FPS for number in range(7 * FPS)])
    _, own = decode(source)
    assert all(np.array_equal(image, own[number % len(own)]) for number, image in enumerate(images))


def test_packets_are_in_the_order_of_decoding(source: Path, tmp_path: Path) -> None:
    repeat(source, tmp_path / "long.mp4", 9.0)
    with av.open(str(tmp_path / "long.mp4")) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert all(one.dts < two.dts for one, two in pairwise(packets))
    assert all(packet.dts <= packet.pts for packet in packets)
    assert any(one.pts > two.pts for one, two in pairwise(packets))  # there are B-frames


def test_a_length_is_rounded_up_to_the_next_key_frame(source: Path, tmp_path: Path) -> None:
    assert repeat(source, tmp_path / "long.mp4", 5.1) == 6.0
    assert repeat(source, tmp_path / "short.mp4", 0.2) == 1.0


def test_a_source_that_begins_late_is_repeated_without_gaps(tmp_path: Path) -> None:
    source = tmp_path / "late.mkv"
    source.write_bytes(encode(Clip(container="mkv", num_frames=16, start_frames=9)))
    assert repeat(source, tmp_path / "long.mp4", 6.0) == 6.0
    assert decode(tmp_path / "long.mp4")[0] == pytest.approx([number / FPS for number in range(48)], abs=0.002)


def test_a_source_without_pictures_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "sound.mp4"
    source.write_bytes(encode(Clip(num_sounds=1, has_picture=False)))
    with pytest.raises(ValueError, match="no pictures"):
        read_span(source)


def test_a_video_of_another_length_is_found_out(source: Path) -> None:
    check_video(source, 2.5)
    with pytest.raises(ValueError, match="should last 4"):
        check_video(source, 4.0)


def test_cameras_have_the_same_pictures_and_are_no_duplicates(source: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    assert make_archive(source, archive, cameras=3, seconds=2.5) == 7.5
    paths = sorted(archive.rglob("*.mp4"))
    assert len({content_digest(path) for path in paths}) == 3
    assert len({np.stack(decode(path)[1]).tobytes() for path in paths}) == 1
    check_plan(archive, build_settings(None, None), cameras=3)


def test_a_plan_with_duplicates_is_refused(source: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    make_archive(source, archive, cameras=1, seconds=3.0)
    (archive / "camera-002").mkdir()
    (archive / "camera-002" / "2026-03-14_00-00-00.mp4").write_bytes(next(archive.rglob("*.mp4")).read_bytes())
    with pytest.raises(ValueError, match="1 units and 1 duplicates"):
        check_plan(archive, build_settings(None, None), cameras=2)


def test_slopes_are_of_each_series_alone() -> None:
    assert [item["asked_seconds"] for item in select(ROWS, "length")] == [60, 600, 3600]
    (over_length,) = list_slopes(select(ROWS, "length"), "asked_seconds")
    (over_cameras,) = list_slopes(select(ROWS, "cameras"), "cameras")
    assert over_length.startswith("slopes over length: seconds 1.00, CPU seconds 1.00, peak memory 0.09")
    assert over_cameras.endswith("peak memory 0.00, memory in the second half 0.00")
    assert list_slopes(ROWS[:1], "asked_seconds") == []


def test_the_longest_is_compared_with_ten_minutes() -> None:
    (told,) = compare_longest(select(ROWS, "length"))
    assert told == "memory of the longest over that of 10 minutes: 1.50 (in the second half of the run 1.50)"
    assert compare_longest(select(ROWS[1:3], "length")) == []


def test_the_report_has_both_series_or_the_one_there_is(tmp_path: Path) -> None:
    text = write_markdown(ROWS)
    assert text.index("## Length of a video") < text.index("10 minutes: 1.50") < text.index("## Number of cameras")
    assert "| 1 | 3,600 | 180 | 360 | 180 | 5 | 1,234 | 1,500 | 750 |" in text
    assert "Length" not in write_markdown(ROWS[3:])
    for rows in (ROWS, ROWS[3:4]):
        draw(rows, tmp_path / "plot.png")
        assert (tmp_path / "plot.png").stat().st_size > 1_000


def test_a_peak_is_of_the_whole_or_of_a_later_part() -> None:
    watched = Watched(told={}, seconds=10.0, looks=((0.0, 1 << 20), (2.0, 5 << 20), (5.0, 2 << 20), (9.0, 3 << 20)))
    assert watched.peak_mib() == 5
    assert watched.peak_mib(0.5) == 3


def test_a_program_is_watched_with_its_children() -> None:
    child = "import time; held = bytearray(90 << 20); time.sleep(1)"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}]); print('said'); print('[1]')"
    watched = run_watched([sys.executable, "-c", program])
    assert watched.told == [1]
    assert watched.peak_mib() > 90


def test_an_error_of_a_watched_program_ends_the_benchmark() -> None:
    with pytest.raises(SystemExit, match="ended with 3"):
        run_watched([sys.executable, "-c", "raise SystemExit(3)"])


def test_pieces_hold_all_pictures_of_the_whole_and_are_named_by_their_time(tmp_path: Path) -> None:
    whole = tmp_path / "whole.mp4"
    whole.write_bytes(encode(CLIP))
    assert cut_video(whole, tmp_path / "cut", 1.0) == 3
    pieces = sorted((tmp_path / "cut").rglob("*.mp4"))
    assert [path.stem for path in pieces] == ["10-15-00", "10-15-01", "10-15-02"]
    counts = [sum(1 for _ in container.decode(video=0)) for container in map(av.open, map(str, pieces))]
    assert sum(counts) == CLIP.num_frames
    assert len({content_digest(path) for path in pieces}) == 3


def test_the_table_gives_medians_and_their_ratio() -> None:
    figures = dict.fromkeys(("sweep, CPU s", "tracklets", "crops", "hits"), 4.0)
    runs = {
        "one file": [{"index, CPU s": seconds, **figures} for seconds in (9.0, 10.0, 50.0)],
        "pieces": [{"index, CPU s": seconds, **figures} for seconds in (11.0, 12.0, 13.0)],
    }
    assert "| index, CPU s | 10 | 12 | 1.20 |" in list(write_table(runs))
