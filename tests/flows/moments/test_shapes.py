"""Moments of turned videos, of pixels that are not square, and of videos whose frames change their size."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from anomalylmm.protocols import Views
from anomalylmm.records import Clip
from flows.index.indexing import index_archive
from flows.search.outcome import SearchRequest
from flows.search.searching import search_store
from storage.disk.layout import StoreLayout
from tests.anomalylmm.models.video.clips import rotate
from tests.fakes import SIZE, ColorJudge, compose, draw

FPS = 8
TALL = 2.0  # height of the walking block over its width


class _Watcher(ColorJudge):
    """Keeps the moments that it is shown."""

    max_views = 8

    def __init__(self) -> None:
        super().__init__()
        self.clips: list[Clip] = []

    def affirm(self, views: Sequence[Views], prompt: str) -> np.ndarray:
        self.clips += [clip for clip in views if isinstance(clip, Clip)]
        return super().affirm(views, prompt)


def write(
    path: Path,
    *,
    size: tuple[int, int] = SIZE,
    ratio: Fraction | None = None,
    turns: int = 0,
    span: tuple[float, float] = (0.0, 6.0),
) -> Path:
    """Writes the walk of a red block, drawn into frames of some size and turned counterclockwise."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height = size
        stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, FPS)
        stream.codec_context.gop_size = FPS
        if ratio:
            stream.codec_context.sample_aspect_ratio = ratio
        for number in range(round(span[0] * FPS), round(span[1] * FPS)):
            image = np.rot90(draw([("red", 0, 6)], number / FPS, 6.0), turns)
            frame = av.VideoFrame.from_ndarray(cv2.resize(image, size), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turned(path: Path) -> Path:
    return rotate(write(path.with_suffix(".mp4"), size=(240, 320), turns=1), 90)


def oblong(path: Path) -> Path:
    return write(path.with_suffix(".mp4"), size=(160, 240), ratio=Fraction(2, 1))


def turned_and_oblong(path: Path) -> Path:
    return rotate(write(path.with_suffix(".mp4"), size=(240, 160), turns=1, ratio=Fraction(1, 2)), 90)


def changing(path: Path, size: tuple[int, int]) -> Path:
    """A recorder's stream whose frames have another size from the third second on."""
    parts = [
        write(path.with_name("a.ts"), span=(0.0, 3.0)).read_bytes(),
        write(path.with_name("b.ts"), span=(3.0, 6.0), size=size).read_bytes(),
    ]
    path.with_name("a.ts").unlink()
    path.with_name("b.ts").unlink()
    path.with_suffix(".ts").write_bytes(b"".join(parts))
    return path


def larger(path: Path) -> Path:
    return changing(path, (640, 480))


def wider(path: Path) -> Path:
    return changing(path, (640, 360))


def list_moments(folder: Path, make: Callable[[Path], Path]) -> list[Clip]:
    """Indexes one video and gives the moments that a search shows to the judge."""
    place = folder / "archive/gate/2026-03-14/10-00-00"
    place.parent.mkdir(parents=True)
    make(place)
    index_archive(compose(), StoreLayout(folder / "store"), folder / "archive")
    composition, judge = compose(rerank={"moment_frames": 8, "moment_seconds": 5.0}), _Watcher()
    composition.__dict__["judge"] = judge
    report = search_store(composition, StoreLayout(folder / "store"), SearchRequest(text="a person in red walking"))
    assert report.state == "Completed"  # the frame of the best time is that of the index
    return judge.clips


def block_shape(image: np.ndarray) -> float:
    """Height over width of what is saturated in a picture."""
    rows, columns = np.nonzero(image.max(axis=2).astype(int) - image.min(axis=2) > 60)
    return float((np.ptp(rows) + 1) / (np.ptp(columns) + 1))


@pytest.mark.parametrize("make", [turned, oblong, turned_and_oblong])
def test_a_moment_shows_the_whole_person_upright_and_in_shape(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    clips = list_moments(tmp_path, make)
    assert clips
    assert min(len(clip) for clip in clips) >= 4
    shapes = [block_shape(image) for clip in clips for image in clip]
    assert shapes == pytest.approx([TALL] * len(shapes), rel=0.15)


def test_a_moment_across_a_change_to_larger_frames_has_one_size(tmp_path: Path) -> None:
    clips = list_moments(tmp_path, larger)
    assert all(len({image.shape for image in clip}) == 1 for clip in clips)
    assert any(clip.pts_seconds[0] < 2.9 and clip.pts_seconds[-1] > 3.1 for clip in clips)


def test_a_moment_ends_where_frames_get_another_shape(tmp_path: Path) -> None:
    clips = list_moments(tmp_path, wider)
    assert clips
    for clip in clips:
        assert len({image.shape for image in clip}) == 1
        assert clip.pts_seconds[-1] < 3.0 or clip.pts_seconds[0] >= 3.0
