"""Copies of pieces of a video: the right frames at the right times, or none at all."""

from pathlib import Path

import av
import numpy as np
import pytest

from anomalylmm.models.video.copying import copy_piece
from tests.anomalylmm.models.video.clips import every, write_clip
from tests.fakes import write_video

PATIENCE = 30.0


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("copying") / "a.mp4", [("red", 0, 8)], seconds=8)


def read(path: Path) -> list[tuple[float, np.ndarray]]:
    with av.open(str(path)) as container:
        return [(float(frame.time or 0), frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def test_a_copy_has_the_frames_of_the_piece_at_their_times(video: Path, tmp_path: Path) -> None:
    times = copy_piece(video, 3.0, 5.0, tmp_path / "piece.mp4", PATIENCE)
    assert times is not None
    assert times[0] <= 3.0
    assert times[1] >= 4.9
    whole = dict(read(video))
    for seconds, image in read(tmp_path / "piece.mp4"):
        np.testing.assert_array_equal(image, whole[round(seconds + times[0], 3)])


@pytest.mark.parametrize(("num_b_frames", "is_copied"), [(0, True), (3, False)])
def test_matroska_is_copied_if_its_packets_have_decoding_times(
    tmp_path: Path, num_b_frames: int, is_copied: bool
) -> None:
    source = write_clip(tmp_path / "a.mkv", times_ms=every(60), gop=60, encoder={"bf": str(num_b_frames)})
    times = copy_piece(source, 3.0, 5.0, tmp_path / "piece.mp4", PATIENCE)
    assert (times is not None) == is_copied
    if times is not None:
        whole = dict(read(source))
        for seconds, image in read(tmp_path / "piece.mp4"):
            np.testing.assert_array_equal(image, whole[round(seconds + times[0], 3)])


@pytest.mark.parametrize("kind", ["damaged", "mpeg4 in avi", "missing"])
def test_what_can_not_be_copied_leaves_nothing(video: Path, tmp_path: Path, kind: str) -> None:
    source = tmp_path / "source.mp4"
    if kind == "damaged":
        source.write_bytes(video.read_bytes()[:3000])
    if kind == "mpeg4 in avi":
        with av.open(str(source), "w", format="avi") as container:
            stream = container.add_stream("mpeg4", rate=8)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for _ in range(16):
                frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    target = tmp_path / "piece.mp4"
    assert copy_piece(source, 0.0, 1.0, target, PATIENCE) is None
    assert not target.exists()
