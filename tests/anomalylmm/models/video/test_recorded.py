"""What a container says about its recording."""

from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest

from anomalylmm.models.video.recorded import read_container_time


def write(path: Path, **metadata: str) -> Path:
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as written:
        written.metadata.update(metadata)
        stream = written.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(20):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            written.mux(stream.encode(frame))
        written.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("metadata", "created"),
    [
        ({"creation_time": "2026-03-14T09:15:00.000000Z"}, datetime(2026, 3, 14, 9, 15, tzinfo=UTC)),
        ({"com.apple.quicktime.creationdate": "2026-03-14T10:15:00+0100"}, datetime(2026, 3, 14, 9, 15, tzinfo=UTC)),
        ({"creation_time": "1970-01-01T00:00:10.000000Z"}, None),  # a clock that was never set
        ({}, None),
    ],
)
def test_a_container_gives_when_it_was_made_and_its_duration(
    tmp_path: Path, metadata: dict[str, str], created: datetime | None
) -> None:
    told = read_container_time(write(tmp_path / "a.mp4", **metadata))
    assert told is not None
    assert told.created_utc == created
    assert told.duration_seconds == pytest.approx(2.0, abs=0.2)


def test_a_file_that_is_no_video_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no video")
    assert read_container_time(tmp_path / "a.mp4") is None
    assert read_container_time(tmp_path / "missing.mp4") is None
