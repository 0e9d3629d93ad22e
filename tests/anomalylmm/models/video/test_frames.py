"""Decoding in a child process: times, damage, hangs, and what is left behind."""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from anomalylmm.errors import ConfigurationError, VideoError
from anomalylmm.models.video import frames
from anomalylmm.models.video.frames import ChildSession
from flows.index.units.cropping import write_jpeg
from tests.adapters import build_source, open_video
from tests.anomalylmm.models.video.clips import (
    count_decoded,
    damage,
    draw_number,
    every,
    overwrite_packets,
    read_number,
    rotate,
    truncate,
    write_clip,
    write_sound,
)

STREET = Path(__file__).parents[5] / "shared" / "data" / "street.avi"
NO_B_FRAMES = {"x265-params": "bframes=0:log-level=none"}
NUM_LONG = 150
VARIED = [50 * number + number * number for number in range(60)]


def decode(path: Path, sample_fps: float = 3.0, **options: object) -> tuple[ChildSession, list[float], list[int]]:
    """Decodes a whole clip; gives its session, times and frame numbers."""
    session = open_video(path, sample_fps=sample_fps, **options)
    batches = list(session)
    times = [pts for batch in batches for pts in batch.pts_seconds]
    return session, times, [read_number(image) for batch in batches for image in batch.images]


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More frames than decoder and pipe hold, so that the child is still at work when it is disturbed."""
    return write_clip(tmp_path_factory.mktemp("clips") / "long.mp4", times_ms=every(NUM_LONG), size=(640, 480))


def is_running(process_id: int) -> bool:
    stat = Path(f"/proc/{process_id}/stat")
    return stat.exists() and stat.read_text().split(")")[1].split()[0] != "Z"


@pytest.mark.parametrize(
    ("name", "codec", "times_ms", "decoder"),
    [
        ("plain.mp4", "libx264", every(60), "decord"),
        ("plain.mkv", "libx264", every(60), "decord"),
        ("hevc.mp4", "libx265", every(60), "decord"),
        ("vp9.webm", "libvpx-vp9", every(60), "decord"),
        ("varied.mp4", "libx264", VARIED, "decord"),
        ("stream.ts", "libx264", every(60), "pyav"),
    ],
)
def test_each_frame_comes_with_its_own_time(
    tmp_path: Path, name: str, codec: str, times_ms: list[int], decoder: str
) -> None:
    path = write_clip(tmp_path / name, codec=codec, times_ms=times_ms)
    for asked, used in (("pyav", "pyav"), ("decord", decoder)):
        session, times, numbers = decode(path, decoder=asked)
        np.testing.assert_allclose(times, [times_ms[number] / 1000 for number in numbers], atol=0.002)
        assert len(times) >= 18
        assert (session.report.status, session.report.decoder) == ("complete", used)


def test_no_frame_is_missed_where_each_is_wanted(long_clip: Path) -> None:
    _, times, numbers = decode(long_clip, sample_fps=10.0)
    assert numbers == list(range(NUM_LONG))
    assert times == [number / 10 for number in range(NUM_LONG)]


@pytest.mark.parametrize("name", ["late.mp4", "late.mkv", "late.ts"])
def test_time_counts_from_the_start_of_the_stream(tmp_path: Path, name: str) -> None:
    session, times, numbers = decode(write_clip(tmp_path / name, times_ms=every(30), start_ms=2000))
    np.testing.assert_allclose(times, [number / 10 for number in numbers], atol=0.002)
    assert session.header.duration_seconds_from_header == pytest.approx(3.0, abs=0.11)


@pytest.mark.parametrize("decoder", ["decord", "pyav"])
@pytest.mark.parametrize(("degrees", "turns"), [(90, -1), (180, 2), (270, 1)])
def test_turned_videos_come_upright(tmp_path: Path, decoder: str, degrees: int, turns: int) -> None:
    path = rotate(write_clip(tmp_path / "turned.mp4", times_ms=every(5), options={"crf": "1"}), degrees)
    session = open_video(path, sample_fps=10.0, decoder=decoder)
    image = next(iter(session)).images[0]
    session.close()
    expected = np.rot90(draw_number(0), turns)
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 8
    assert session.header.rotation_degrees == degrees
    assert (session.header.height_px, session.header.width_px) == image.shape[:2]


@pytest.mark.parametrize("codec", ["mjpeg", "mpeg4"])
def test_odd_sizes_are_kept(tmp_path: Path, codec: str) -> None:
    path = write_clip(tmp_path / "odd.mkv", codec=codec, times_ms=every(20), size=(161, 121))
    session = open_video(path, sample_fps=5.0)
    assert {image.shape for batch in session for image in batch.images} == {(121, 161, 3)}


@pytest.mark.parametrize("name", ["wide.mp4", "wide.ts"])
def test_wide_frames_are_made_smaller_in_proportion(tmp_path: Path, name: str) -> None:
    path = write_clip(tmp_path / name, times_ms=every(10), size=(320, 240))
    session = open_video(path, sample_fps=5.0, max_width_px=100)
    assert {image.shape for batch in session for image in batch.images} == {(75, 100, 3)}
    assert session.header.width_px == 320


def test_a_damaged_middle_costs_only_itself(tmp_path: Path) -> None:
    path = damage(write_clip(tmp_path / "hurt.mp4", times_ms=every(200), size=(640, 480)), count=2000)
    session, times, numbers = decode(path)
    assert times[-1] > 19
    assert numbers[-1] == round(times[-1] * 10)
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    report = session.report
    assert (report.status, report.decoder[-4:]) == ("partial", "pyav")
    assert 0.5 < report.coverage < 0.98
    assert "damaged packet" in report.message


def write_damageable(folder: Path, codec: str) -> Path:
    """Writes 200 frames with a key frame at every twentieth."""
    plain = {"x265-params": "keyint=20:log-level=none"} if codec == "libx265" else {}
    return write_clip(folder / "hurt.mp4", codec=codec, times_ms=every(200), gop=20, encoder=plain)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("decoder", ["pyav", "decord"])
@pytest.mark.parametrize(("first", "stop"), [(0, 40), (90, 130), (150, 200)])
def test_coverage_counts_the_frames_that_decode(
    tmp_path: Path, codec: str, decoder: str, first: int, stop: int
) -> None:
    path = overwrite_packets(write_damageable(tmp_path, codec), first, stop)
    session = decode(path, sample_fps=10.0, decoder=decoder)[0]
    assert session.report.status == "partial"
    assert session.report.coverage == pytest.approx(count_decoded(path) / 200, abs=0.02)
    assert 0.1 < session.report.coverage < 0.9


def test_errors_of_several_decoder_threads_do_not_stop_it(tmp_path: Path) -> None:
    path = overwrite_packets(write_damageable(tmp_path, "libx265"), 150, 200)
    with build_source(decoder="pyav", stall_seconds=5.0).keep_open() as source:
        for _ in range(12):
            session = source.open_session(path, sample_fps=10.0)
            assert sum(len(batch.images) for batch in session) >= 146
            assert session.report.message.startswith("50 damaged packets passed over; ")


def test_one_lost_reference_costs_all_frames_up_to_the_next_key_frame(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "hurt.mp4", codec="libx265", times_ms=every(135), gop=250, encoder=NO_B_FRAMES)
    session = decode(overwrite_packets(path, 48, 49))[0]
    assert session.report.coverage == pytest.approx(count_decoded(path) / 135, abs=0.02)
    assert session.report.coverage < 0.4
    assert "of 13.5 s promised could be decoded" in session.report.message


@pytest.mark.parametrize(("name", "options"), [("cut.mp4", {"movflags": "faststart"}), ("cut.mkv", {})])
def test_a_cut_video_is_partial_and_gives_what_is_there(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    path = truncate(write_clip(tmp_path / name, times_ms=every(100), options=options), 0.6)
    session, times, _ = decode(path)
    assert session.report.status == "partial"
    assert 0.2 < session.report.coverage < 0.8
    assert len(times) >= 10


def test_what_is_no_video_is_refused_with_name_reason_and_remedy(tmp_path: Path) -> None:
    text, empty = tmp_path / "text.mp4", tmp_path / "empty.mp4"
    text.write_text("not a video " * 100)
    empty.touch()
    cut = truncate(write_clip(tmp_path / "cut.mp4", times_ms=every(50)), 0.5)
    for path in (text, empty, cut, write_sound(tmp_path / "sound.mp4"), tmp_path / "absent.mp4", tmp_path):
        with pytest.raises(VideoError, match=path.name) as caught:
            open_video(path, sample_fps=1.0)
        assert any(verb in str(caught.value) for verb in ("check", "copy", "give"))
    with pytest.raises(VideoError, match="holds no video stream"):
        open_video(tmp_path / "sound.mp4", sample_fps=1.0)


def test_a_still_picture_with_the_name_of_a_video_is_refused_but_many_in_one_file_are_a_video(tmp_path: Path) -> None:
    jpeg = write_jpeg(np.full((90, 160, 3), 90, np.uint8), 90)
    (tmp_path / "one.mp4").write_bytes(jpeg)
    (tmp_path / "many.mp4").write_bytes(jpeg * 10)
    with pytest.raises(VideoError, match="holds a still picture"):
        open_video(tmp_path / "one.mp4", sample_fps=1.0)
    assert decode(tmp_path / "many.mp4")[0].report.num_frames > 1


def test_a_name_full_of_quotes_is_only_a_name(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a 'b\" $(c) é %d.mp4", times_ms=every(10))
    assert decode(path)[0].report.status == "complete"


@pytest.mark.parametrize(("decoder", "told"), [("pyav", "pyav"), ("decord", "decord+pyav")])
def test_a_hanging_decoder_is_killed_and_the_rest_salvaged(long_clip: Path, decoder: str, told: str) -> None:
    session = build_source(batch_frames=1, stall_seconds=3.0, decoder=decoder).open_session(long_clip, sample_fps=10.0)
    times, stopped = [], 0
    for batch in session:
        if not times:
            stopped = session.process_id
            os.kill(stopped, signal.SIGSTOP)
        times += batch.pts_seconds
    assert times == pytest.approx([number / 10 for number in range(NUM_LONG)], abs=0.002)
    assert session.report.decoder == told
    assert "no sign of life" in session.report.message
    assert not is_running(stopped)


def test_a_crash_of_the_decoder_is_salvaged(long_clip: Path) -> None:
    session = build_source(batch_frames=1).open_session(long_clip, sample_fps=10.0)
    times: list[float] = []
    for batch in session:
        if not times:
            os.kill(session.process_id, signal.SIGKILL)
        times += batch.pts_seconds
    assert len(times) == NUM_LONG
    assert session.report.status == "partial"


def test_two_crashes_end_the_video_without_an_exception(long_clip: Path) -> None:
    session = build_source(batch_frames=1).open_session(long_clip, sample_fps=10.0)
    killed = set[int]()
    for _ in session:
        if session.process_id not in killed:
            killed.add(session.process_id)
            os.kill(session.process_id, signal.SIGKILL)
    assert len(killed) == 2
    assert session.report.status == "partial"
    assert session.report.num_frames < NUM_LONG


def test_closing_early_leaves_no_process(long_clip: Path) -> None:
    session = build_source().open_session(long_clip, sample_fps=10.0)
    for _ in session:
        break
    session.close()
    assert not Path(f"/proc/{session.process_id}").exists()


def test_a_slow_reader_is_not_a_hang(long_clip: Path) -> None:
    session = build_source(batch_frames=4, stall_seconds=2.0).open_session(long_clip, sample_fps=10.0)
    count = 0
    for batch in session:
        if count == 0:
            time.sleep(2.5)
        count += len(batch.images)
    assert (count, session.report.status) == (NUM_LONG, "complete")


def test_the_child_ends_with_its_parent(long_clip: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from tests.adapters import build_source\n"
        "session = build_source().open_session(Path(sys.argv[1]), sample_fps=10.0)\n"
        "sys.stdout.write(f'{session.process_id}\\n'); sys.stdout.flush(); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(long_clip)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=frames.child_environment()) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_running(child)
        parent.kill()
    deadline = time.monotonic() + 10
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(child)


def test_memory_can_be_bounded(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", times_ms=every(10))
    with pytest.raises(VideoError, match=r"clip\.mp4"):
        build_source(memory_limit_bytes=50_000_000).open_session(path, sample_fps=1.0)


def test_an_unknown_decoder_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="pyav, decord"):
        build_source(decoder="opencv")


@pytest.mark.skipif(
    not STREET.is_file() and not os.environ.get("CI"), reason=f"real footage (OpenCV's vtest.avi) is not at {STREET}"
)
def test_the_street_is_decoded_whole() -> None:
    assert STREET.is_file(), f"real footage is missing: put OpenCV's vtest.avi at {STREET}"
    session = open_video(STREET, sample_fps=2.0)
    times = [pts for batch in session for pts in batch.pts_seconds]
    np.testing.assert_allclose(times, np.arange(159) / 2, atol=0.002)
    assert session.report.status == "complete"
    assert session.report.coverage == 1.0


def test_importing_the_parent_loads_no_decoder() -> None:
    program = "import sys, anomalylmm.models.video.frames; assert not {'decord', 'av', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, env=frames.child_environment())
