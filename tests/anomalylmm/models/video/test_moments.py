"""Random access to the frames of moments."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from anomalylmm.errors import VideoError
from anomalylmm.models.video import moments
from anomalylmm.models.video.moments import VideoMoments
from anomalylmm.records import Clip, MomentPlace
from tests.anomalylmm.models.video.clips import damage, every, read_number, rotate, truncate, write_clip

WHOLE = (0.0, 0.0, 1.0, 1.0)


@pytest.fixture(params=["pyav", "decord"], scope="module")
def reader(request: pytest.FixtureRequest) -> Iterator[VideoMoments]:
    reader = VideoMoments(decoder=request.param, stall_seconds=20.0, memory_limit_bytes=None, max_side_px=200)
    yield reader
    reader.close()


def at(*times: float) -> MomentPlace:
    return MomentPlace(pts_seconds=times, boxes_share=(WHOLE,) * len(times))


def numbers(clip: Clip) -> list[int]:
    return [read_number(image) for image in clip]


@pytest.mark.parametrize(
    ("name", "codec", "start_ms"),
    [("a.mp4", "libx264", 0), ("b.ts", "libx264", 5000), ("c.mkv", "libx265", 0), ("d.avi", "mjpeg", 0)],
)
def test_each_moment_has_the_frames_nearest_to_its_times(
    reader: VideoMoments, tmp_path: Path, name: str, codec: str, start_ms: int
) -> None:
    path = write_clip(tmp_path / name, times_ms=every(300), codec=codec, gop=50, start_ms=start_ms)
    places = [at(20.0, 20.31, 20.58), at(2.0, 2.3), at(2.2, 2.4), at(29.0, 29.9)]
    found = dict(reader.iter_moments(path, places))
    assert {number: numbers(clip) for number, clip in found.items()} == {
        0: [200, 203, 206],
        1: [20, 23],
        2: [22, 24],
        3: [290, 299],
    }
    assert found[0].pts_seconds == pytest.approx([20.0, 20.3, 20.6], abs=2e-3)


def test_a_changing_frame_rate_gives_frames_of_the_right_time(reader: VideoMoments, tmp_path: Path) -> None:
    times = [number * 100 + (number % 3) * 30 for number in range(200)]
    path = write_clip(tmp_path / "pace.mp4", times_ms=times)
    ((_, clip),) = reader.iter_moments(path, [at(10.13, 15.12)])
    assert numbers(clip) == [101, 151]
    assert clip.pts_seconds == pytest.approx([times[101] / 1000, times[151] / 1000], abs=2e-3)


def test_a_part_of_the_frame_is_cut_and_made_smaller(reader: VideoMoments, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "large.mp4", times_ms=every(20), size=(640, 480))
    place = MomentPlace(pts_seconds=(1.0,), boxes_share=((0.0, 0.0, 0.5, 1.0),))
    ((_, clip),) = reader.iter_moments(path, [place])
    assert clip[0].shape == (200, 133, 3)


def test_frames_are_upright(reader: VideoMoments, tmp_path: Path) -> None:
    path = rotate(write_clip(tmp_path / "turned.mp4", times_ms=every(20)), 90)
    ((_, clip),) = reader.iter_moments(path, [at(1.0)])
    assert clip[0].shape[0] > clip[0].shape[1]


def test_times_after_the_end_are_left_out(reader: VideoMoments, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "short.mp4", times_ms=every(30))
    found = dict(reader.iter_moments(path, [at(2.5, 2.9, 3.3, 9.0), at(40.0, 41.0)]))
    assert {number: numbers(clip) for number, clip in found.items()} == {0: [25, 29]}


def test_two_times_of_one_frame_give_it_once(reader: VideoMoments, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "slow.mp4", times_ms=every(30))
    ((_, clip),) = reader.iter_moments(path, [at(1.0, 1.02, 1.1)])
    assert numbers(clip) == [10, 11]


def test_damage_in_the_middle_leaves_the_rest_readable(reader: VideoMoments, tmp_path: Path) -> None:
    path = damage(write_clip(tmp_path / "damaged.mp4", times_ms=every(300)), count=400)
    found = dict(reader.iter_moments(path, [at(1.0, 1.2), at(28.0, 28.2)]))
    assert {number: numbers(clip) for number, clip in found.items()} == {0: [10, 12], 1: [280, 282]}


@pytest.mark.parametrize("spoil", [lambda path: truncate(path, 0.3), lambda path: path.write_bytes(b"letter") and path])
def test_a_file_that_is_no_video_is_named(reader: VideoMoments, tmp_path: Path, spoil: object) -> None:
    path = spoil(write_clip(tmp_path / "spoilt.mp4", times_ms=every(30)))  # type: ignore[operator]
    with pytest.raises(VideoError, match=r"spoilt\.mp4"):
        list(reader.iter_moments(path, [at(1.0)]))


def test_one_process_reads_several_videos(reader: VideoMoments, tmp_path: Path) -> None:
    paths = [write_clip(tmp_path / f"{name}.mp4", times_ms=every(20)) for name in "ab"]
    kept = []
    for path in paths:
        assert len(list(reader.iter_moments(path, [at(1.0)]))) == 1
        kept.append(reader._children._kept)
    assert kept[0] is kept[1] is not None


def test_a_child_that_dies_is_replaced_once_and_then_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reader: VideoMoments
) -> None:
    path = write_clip(tmp_path / "good.mp4", times_ms=every(20))
    reader.close()
    monkeypatch.setattr(reader._children, "_module", "this_module_does_not_exist")
    with pytest.raises(VideoError, match=r"good\.mp4 can't be decoded: the decoder ended unasked"):
        list(reader.iter_moments(path, [at(1.0)]))
    monkeypatch.setattr(reader._children, "_module", moments.CHILD)
    assert len(list(reader.iter_moments(path, [at(1.0)]))) == 1
