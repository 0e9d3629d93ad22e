"""Which names and which first bytes are those of a video."""

from pathlib import Path

import av
import numpy as np
import pytest

from anomalylmm.models.video.frames import VideoSource
from flows.index.listing.containers import HEAD_BYTES, SHARED_SUFFIXES, VIDEO_SUFFIXES, has_other_name, name_container

WRITTEN = {  # what FFmpeg can write here: (container, codec, name of the container)
    ".264": ("h264", "libx264", "raw H.264"),
    ".265": ("hevc", "libx265", "raw H.265"),
    ".avc": ("h264", "libx264", "raw H.264"),
    ".dav": ("mpeg", "mpeg2video", "MPEG program stream"),
    ".divx": ("avi", "mpeg4", "AVI"),
    ".flv": ("flv", "flv1", "FLV"),
    ".ivf": ("ivf", "libvpx", "IVF"),
    ".m2ts": ("mpegts", "mpeg2video", "MPEG transport stream"),
    ".m2v": ("mpeg2video", "mpeg2video", "MPEG video"),
    ".mjpg": ("mjpeg", "mjpeg", ""),  # begins like a photograph
    ".mkv": ("matroska", "mpeg4", "Matroska or WebM"),
    ".mp4v": ("m4v", "mpeg4", "MPEG-4 video"),
    ".mxf": ("mxf", "mpeg2video", "MXF"),
    ".nut": ("nut", "mpeg4", "NUT"),
    ".ps": ("mpeg", "mpeg2video", "MPEG program stream"),
    ".qt": ("mov", "mpeg4", "MP4 or QuickTime"),
    ".rm": ("rm", "rv10", "RealMedia"),
    ".ts": ("mpegts", "mpeg2video", "MPEG transport stream"),
    ".wmv": ("asf", "wmv2", "ASF or WMV"),
    ".y4m": ("yuv4mpegpipe", "wrapped_avframe", "YUV4MPEG2"),
}
NUM_FRAMES, FPS = 25, 25


def write_video(path: Path, container: str, codec: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=container) as written:
        stream = written.add_stream(codec, rate=FPS)
        stream.width, stream.height = 176, 144
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number in range(NUM_FRAMES):
            frame = av.VideoFrame.from_ndarray(np.full((144, 176, 3), number * 9, np.uint8), "rgb24")
            written.mux(stream.encode(frame))
        written.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", WRITTEN)
def test_a_format_that_ffmpeg_writes_is_known_and_read(suffix: str, tmp_path: Path) -> None:
    container, codec, name = WRITTEN[suffix]
    path = write_video(tmp_path / f"video{suffix}", container, codec)
    assert suffix in VIDEO_SUFFIXES | SHARED_SUFFIXES
    assert name_container(path.read_bytes()[:HEAD_BYTES]) == name
    source = VideoSource(
        batch_frames=8,
        stall_seconds=20.0,
        memory_limit_bytes=None,
        max_seconds=None,
        max_width_px=None,
        decoder="pyav",
        still_share=None,
    )
    with source.open_session(path, sample_fps=5.0) as session:
        times = [seconds for batch in session for seconds in batch.pts_seconds]
    assert len(times) >= 4
    assert 0.5 <= times[-1] <= 1.1


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\x00" * 64,
        b"\xff\xd8\xff\xe0 a photograph",
        b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic",
        b"\x00\x00\x00\x20ftypavif\x00\x00\x00\x00avifmif1",
        b"\x00\x00\x00\x20ftypM4A \x00\x00\x00\x00",
        b"RIFF\x24\x00\x00\x00WAVEfmt ",
        b"OggS\x00\x02 sound: OpusHead",
        b"G is a letter " * 30,
        b"\x00\x05\x16\x07 AppleDouble",
        b"%!PS-Adobe-3.0",
        b"\x00\x00\x00\x01\x00\x00",
    ],
)
def test_other_content_is_no_video(head: bytes) -> None:
    assert name_container(head) == ""


def test_names_of_pictures_and_sound_are_told_from_others() -> None:
    assert all(has_other_name(name) for name in ("a.jpg", "a.WAV", "a.wma", "a.heic", "a.mp3"))
    assert not any(has_other_name(name) for name in ("a", "a.bin", "a.txt", "a.ps", "a.mp4", "a.mp4.part"))
