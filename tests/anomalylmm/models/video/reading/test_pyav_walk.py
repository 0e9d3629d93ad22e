"""Going on in the middle of a video."""

from collections.abc import Iterable
from multiprocessing import get_context
from pathlib import Path

import av
import numpy as np
import pytest

from anomalylmm.footage.sampling import Sampler
from anomalylmm.models.video.reading.pyav_walk import PyavWalk
from tests.adapters import open_video
from tests.anomalylmm.models.video.clips import every, overwrite_packets, read_number, write_clip, write_sound
from tests.anomalylmm.models.video.single_fields import write_single_fields


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_it_goes_on_with_the_next_frame_wherever_it_stopped(tmp_path: Path, codec: str) -> None:
    open_gops = {"x265-params": "keyint=20:open-gop=1:log-level=none"} if codec == "libx265" else {}
    path = write_clip(tmp_path / "whole.mp4", codec=codec, times_ms=every(60), gop=20, encoder=open_gops)
    with get_context("spawn").Pool(1) as child:  # as in use: a decoder left in the middle may bring its process down
        assert child.apply(read_next_numbers, (path, range(1, 59))) == list(range(2, 60))


def read_next_numbers(path: Path, stops: Iterable[int]) -> list[int]:
    """The numbers of the frames with which a walk goes on after each of some frames."""
    walks = (PyavWalk(path, Sampler(10.0), stop / 10, lambda: None) for stop in stops)
    return [read_number(next(iter(walk)).image) for walk in walks]


@pytest.mark.parametrize(
    ("name", "packets"), [("i.264", 2), ("i.mp4", 1), ("i.mp4", 2), ("i.mkv", 2), ("i.ts", 1), ("i.ts", 2)]
)
def test_fields_that_are_coded_one_by_one_are_frames_of_their_full_length(
    tmp_path: Path, name: str, packets: int
) -> None:
    session = open_video(write_single_fields(tmp_path / name, 50, packets=packets), sample_fps=25.0)
    batches = list(session)
    times = [pts_seconds for batch in batches for pts_seconds in batch.pts_seconds]
    assert np.allclose(times, np.arange(50) / 25, atol=0.001)
    assert batches[0].images[0].shape == (128, 128, 3)
    assert (session.report.status, session.report.coverage) == ("complete", pytest.approx(1.0, abs=0.01))
    assert session.report.seconds_promised == pytest.approx(2.0, abs=0.01)


def test_a_lost_frame_of_two_fields_counts_once(tmp_path: Path) -> None:
    path = overwrite_packets(write_single_fields(tmp_path / "i.mkv", 50), 40, 60)
    session = open_video(path, sample_fps=25.0)
    assert sum(len(batch.images) for batch in session) < 50
    assert session.report.status == "partial"
    assert session.report.coverage == pytest.approx(0.8, abs=0.05)


def write_tracks(path: Path, *sizes: tuple[int, int]) -> Path:
    """Writes a second of video with one track of each size, each of its own gray."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=10) for _ in sizes]
        for stream, (width, height) in zip(streams, sizes, strict=True):
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for _ in range(10):
            for place, stream in enumerate(streams):
                image = np.full((stream.height, stream.width, 3), 60 + 90 * place, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        for stream in streams:
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("sizes", "shown"), [(((160, 90), (320, 180)), 1), (((320, 180), (160, 90)), 0), (((160, 90), (160, 90)), 0)]
)
@pytest.mark.parametrize("decoder", ["pyav", "decord"])
def test_of_several_tracks_the_largest_or_else_the_first_is_read(
    tmp_path: Path, decoder: str, sizes: tuple[tuple[int, int], ...], shown: int
) -> None:
    session = open_video(write_tracks(tmp_path / "two.mp4", *sizes), sample_fps=10.0, decoder=decoder)
    image = next(iter(session)).images[0]
    assert image.shape[1::-1] == sizes[shown]
    assert abs(image.mean() - (60 + 90 * shown)) < 5
    assert session.header.num_video_tracks == 2
    session.close()


@pytest.mark.parametrize("name", ["long.mkv", "long.mp4"])
def test_a_sound_track_that_is_longer_than_the_video_promises_no_pictures(tmp_path: Path, name: str) -> None:
    path = write_sound(tmp_path / name, seconds=8, video_seconds=2)
    session = open_video(path, sample_fps=10.0)
    assert sum(len(batch.images) for batch in session) == 20
    assert (session.report.status, round(session.report.seconds_promised, 2)) == ("complete", 2.0)
