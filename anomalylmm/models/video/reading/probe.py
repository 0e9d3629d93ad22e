"""What a video's container says, and its first frame; used inside the decoding child only."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from anomalylmm.models.video.child_process import Fields
from anomalylmm.models.video.reading.pictures import clockwise, lacks_hd_tag, pixel_ratio, upright
from anomalylmm.models.video.reading.pyav_walk import (
    Picture,
    iter_frames,
    iter_packets,
    moving_streams,
    open_container,
    promised_seconds,
    start_seconds,
    video_stream,
)

INDEXED_FORMATS = ("mov", "mp4", "matroska", "webm", "avi")
FIELDS_LOOKED_AT = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What the container says, and its first frame."""

    codec: str
    num_frames: int
    seconds: float
    average_fps: float
    rotation_degrees: int
    num_tracks: int  # moving pictures in the container
    has_single_fields: bool  # each packet holds every second line of a frame
    suits_decord: bool  # whether decord would read the same track, show one field only, and take the colors right
    first: Picture

    @classmethod
    def of(cls, path: Path) -> "Probe":
        """Opens a file and decodes its first frame.

        Raises:
            OSError: The file can't be opened (or another of PyAV's errors).
            ValueError: It holds no moving picture, or nothing that decodes.
        """
        raise_if_still(path)
        with open_container(path) as container:
            stream = video_stream(container)
            frame = first_frame(container, stream)
            start, num_tracks = start_seconds(stream), len(moving_streams(container))
            is_indexed = any(name in container.format.name for name in INDEXED_FORMATS)
            return cls(
                codec=stream.codec_context.name,
                num_frames=stream.frames,
                seconds=promised_seconds(container, stream),
                average_fps=float(stream.average_rate or 0),
                rotation_degrees=clockwise(frame),
                num_tracks=num_tracks,
                has_single_fields=bool(frame.interlaced_frame) and has_single_fields(path),
                suits_decord=is_indexed and num_tracks == 1 and not frame.interlaced_frame and not lacks_hd_tag(frame),
                first=Picture(
                    image=upright(frame, pixel_ratio(stream)), pts_seconds=max(0.0, (frame.time or 0.0) - start)
                ),
            )

    def fields(self) -> Fields:
        """The first message to the parent."""
        height, width = self.first.image.shape[:2]
        return {
            "kind": "header",
            "width_px": width,
            "height_px": height,
            "num_frames_from_header": self.num_frames,
            "duration_seconds_from_header": self.seconds,
            "average_fps": self.average_fps,
            "codec": self.codec,
            "rotation_degrees": self.rotation_degrees,
            "num_video_tracks": self.num_tracks,
        }


def first_frame(container: Any, stream: Any) -> Any:
    """The first frame that decodes.

    Raises:
        ValueError: No frame decodes.
    """
    packets = iter_packets(container, stream, lambda: None)
    for frame in iter_frames(packets, stream, lambda: None):
        return frame
    raise ValueError("not one frame can be decoded")


def raise_if_still(path: Path) -> None:
    """Refuses a still picture whose name is that of a video; many pictures in one file are a video.

    Raises:
        ValueError: The file holds one picture.
    """
    with open_container(path) as container:
        if not container.format.name.endswith("_pipe"):
            return
        packets = iter_packets(container, video_stream(container), lambda: None)
        if sum(1 for packet in islice(packets, 2) if packet.size) < 2:
            raise ValueError(f"it holds a still picture ({container.format.name.removesuffix('_pipe')}) and no video")


def has_single_fields(path: Path) -> bool:
    """Whether two packets make one frame, as where an encoder of interlaced H.264 codes each field by itself.

    Raises:
        ValueError: There is no video stream (or one of PyAV's errors).
    """
    with open_container(path) as container:
        stream = video_stream(container)
        packets = [packet for packet in islice(container.demux(stream), FIELDS_LOOKED_AT) if packet.size]
        num_frames = sum(1 for _ in iter_frames(packets, stream, lambda: None)) + len(stream.codec_context.decode(None))
    return len(packets) > 2 and 2 * num_frames <= len(packets) + 1
