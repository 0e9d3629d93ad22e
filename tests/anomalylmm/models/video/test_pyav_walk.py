"""Going on in the middle of a video."""

from pathlib import Path

import pytest

from anomalylmm.footage.sampling import Sampler
from anomalylmm.models.video.pyav_walk import PyavWalk
from tests.anomalylmm.models.video.clips import every, read_number, write_clip


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_it_goes_on_with_the_next_frame_wherever_it_stopped(tmp_path: Path, codec: str) -> None:
    open_gops = {"x265-params": "keyint=20:open-gop=1:log-level=none"} if codec == "libx265" else {}
    path = write_clip(tmp_path / "whole.mp4", codec=codec, times_ms=every(60), gop=20, encoder=open_gops)
    for number in range(1, 59):
        walk = PyavWalk(path, Sampler(10.0), number / 10, lambda: None)
        assert read_number(next(iter(walk)).image) == number + 1
