"""Still spans are left out undecoded; whoever passes between two key frames is not."""

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest

from anomalylmm.models.video.frames import ChildSession
from anomalylmm.records import Floats, Image
from tests.adapters import build_source, open_video
from tests.anomalylmm.models.video.clips import damage, rotate

FPS, GOP, SIZE = 10, 20, (160, 120)
Scene = Callable[[int], Image]


@cache
def look_at_ground(noise: float) -> Floats:
    """Some pictures (N, H, W, 3) of a fixed camera with sensor noise."""
    ground = np.random.default_rng(3).integers(80, 140, (SIZE[1], SIZE[0], 3)).astype(np.float32)
    return ground + np.random.default_rng(4).normal(0, noise, (31, *ground.shape)).astype(np.float32)


def scene(passes: range = range(0), noise: float = 2.0) -> Scene:
    """A fixed camera with sensor noise; somebody passes during some frames."""
    pictures = look_at_ground(noise)

    def draw(number: int) -> Image:
        picture = pictures[number % len(pictures)].copy()
        if number in passes:
            left = 5 + 20 * (number - passes.start)
            picture[40:100, left : left + 20] = (220, 40, 40)
        return np.clip(picture, 0, 255).astype(np.uint8)

    return draw


def film(path: Path, draw: Scene, seconds: int, *, codec: str = "libx264", options: str = "") -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS, options={"preset": "veryfast", **read_options(options)})
        stream.width, stream.height = SIZE
        stream.pix_fmt, stream.codec_context.gop_size = "yuv420p", GOP
        for number in range(seconds * FPS):
            frame = av.VideoFrame.from_ndarray(draw(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read_options(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split() if part)


def walk(path: Path, share: float | None = 0.001, fps: float = 5.0) -> tuple[ChildSession, list[float]]:
    if share is None:
        session = open_video(path, sample_fps=fps)
    else:  # a process of its own, as what is usual is learned from the videos before
        session = build_source(still_share=share).open_session(path, sample_fps=fps)
    return session, [pts for batch in session for pts in batch.pts_seconds]


def pictures(path: Path, share: float | None) -> list[tuple[float, Image]]:
    session = build_source(still_share=share).open_session(path, sample_fps=5.0)
    return [pair for batch in session for pair in zip(batch.pts_seconds, batch.images, strict=True)]


CODECS = [("libx264", ""), ("libx264", "bf=3"), ("libx265", ""), ("mpeg4", "")]


@pytest.mark.parametrize(("codec", "options"), CODECS)
@pytest.mark.parametrize("suffix", ["mp4", "ts"])
def test_a_still_scene_gives_its_key_frames(tmp_path: Path, codec: str, options: str, suffix: str) -> None:
    path = film(tmp_path / f"still.{suffix}", scene(), 20, codec=codec, options=options)
    session, times = walk(path)
    whole = walk(path, None)[1]
    assert set(times) < set(whole)
    assert len(times) < 0.6 * len(whole)
    assert np.diff(times).max() <= 2.01
    assert (session.report.status, session.report.message) == ("complete", "")
    assert session.report.seconds_decoded == pytest.approx(20, abs=0.11)


@pytest.mark.parametrize(("codec", "options"), CODECS)
@pytest.mark.parametrize("first", [102, 107, 113])
def test_who_passes_between_two_key_frames_is_seen(tmp_path: Path, codec: str, options: str, first: int) -> None:
    path = film(tmp_path / "passing.mp4", scene(range(first, first + 6)), 20, codec=codec, options=options)
    _, times = walk(path)
    passing = [pts for pts in times if first / FPS <= pts < (first + 6) / FPS]
    assert len(passing) == 3  # of six frames at ten a second, every second one is sampled
    assert len(times) < 75


@pytest.mark.parametrize("is_turned", [False, True])
@pytest.mark.parametrize(("codec", "options"), [("libx264", "bf=3"), ("libx265", "")])
def test_pictures_are_those_of_the_whole_video(tmp_path: Path, codec: str, options: str, is_turned: bool) -> None:
    path = film(tmp_path / "passing.mp4", scene(range(142, 148)), 20, codec=codec, options=options)
    if is_turned:
        rotate(path, 90)
    whole, seen = (dict(pictures(path, share)) for share in (None, 0.001))
    assert 20 < len(seen) < 75 < len(whole)
    assert all(np.array_equal(image, whole[pts]) for pts, image in seen.items())


def test_a_scene_that_moves_is_decoded_whole(tmp_path: Path) -> None:
    still = scene()(0)
    path = film(tmp_path / "busy.mp4", lambda number: np.roll(still, 3 * number, axis=1), 12)
    assert walk(path)[1] == walk(path, None)[1]


def test_a_short_clip_is_decoded_whole(tmp_path: Path) -> None:
    path = film(tmp_path / "short.mp4", scene(), 6)
    assert walk(path)[1] == walk(path, None)[1]


def test_the_pieces_of_one_recording_know_what_is_usual_from_those_before(tmp_path: Path) -> None:
    piece = film(tmp_path / "piece.mp4", scene(), 8)
    passing = film(tmp_path / "passing.mp4", scene(range(42, 48)), 8)
    counts = []
    with build_source(still_share=0.001).keep_open() as source:
        for path in (piece, piece, passing):
            session = source.open_session(path, sample_fps=5.0)
            times = [pts for batch in session for pts in batch.pts_seconds]
            counts.append(len(times))
            assert session.report.status == "complete"
            assert session.report.coverage == pytest.approx(1, abs=0.02)
    assert counts[0] == 40, "too short to know what is usual"
    assert counts[1] < 30
    assert counts[2] > counts[1]
    assert len([pts for pts in times if 4.2 <= pts < 4.8]) == 3, "who passes is seen"


def test_what_is_passed_over_is_not_lost(tmp_path: Path) -> None:
    path = damage(film(tmp_path / "hurt.mp4", scene(), 60), count=15_000)
    for share in (None, 0.001):
        session, times = walk(path, share)
        assert session.report.status == "partial"
        assert session.report.coverage > 0.9
        assert times[-1] > 55
    assert len(times) < 200
