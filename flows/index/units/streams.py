"""Decodes the videos of a unit one after another, and joins those that follow each other in time to streams."""

import errno
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from anomalylmm.errors import UnreachedError, VideoError
from anomalylmm.protocols import FrameSource
from anomalylmm.records import DecodeReport, FrameBatch, Video, VideoHeader
from flows.archives.copies import CHANGED, Copies
from flows.index.listing.content import content_digest, modified_time_ns
from storage.disk.addresses import is_address

MAX_GAP_SECONDS = 2.0  # between two videos of one stream
ROUNDING_SECONDS = 1.0  # by which starts in names are rounded: so much is neither a gap nor an overlap
KNOWN_STARTS = ("path_pattern", "container", "corrected")  # a file's own time is that of its copy
NO_FRAMES = FrameBatch(images=(), pts_seconds=())


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoEnd:
    """The end of one video: what was decoded, or why it could not be."""

    video: Video
    header: VideoHeader | None = None
    report: DecodeReport | None = None
    error: str = ""
    modified_ns: int = 0  # of the file
    is_unreached: bool = False  # whether the file could not be copied from its server, so that a later run tries again


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """Some frames of one video; after the last ones comes its end, without frames."""

    video: Video
    batch: FrameBatch = field(default=NO_FRAMES, repr=False)
    shift_seconds: float = 0.0  # from the video's clock to that of its stream
    end: VideoEnd | None = None
    ends_stream: bool = False  # whether no other video goes on with what this one shows


def iter_frames(
    videos: Sequence[Video], archive: Path, source: FrameSource, sample_fps: float, copies: Copies | None = None
) -> Generator[Frames, None, None]:
    """Decodes videos in order of time. If one can't be opened, the others are still decoded.

    Args:
        videos: Of one camera.
        archive: Where they are.
        source: The decoder.
        sample_fps: Frames per second of video.
        copies: Makes local copies of remote videos; only they need it.
    """
    last: Frames | None = None  # the end of the last video, held back until it is known whether the next one goes on
    last_seconds = 0.0  # of its last frame
    with source.keep_open() as reader:
        for video in videos:
            modified_ns = modified_time_ns(archive / video.path) or 0
            with ExitStack() as held:
                try:
                    path = _reach(held, video, archive, copies)
                    session = reader.open_session(path, sample_fps=sample_fps)
                except VideoError as error:
                    if last is not None:
                        yield replace(last, ends_stream=True)
                    last = None
                    yield Frames(video=video, end=_failed(video, error, modified_ns))
                    continue
                held.callback(session.close)
                shift = find_shift(last, last_seconds, video, session.header)
                if last is not None:
                    yield replace(last, ends_stream=shift is None)
                last_seconds = 0.0
                for batch in session:
                    yield Frames(video=video, batch=batch, shift_seconds=shift or 0.0)
                    last_seconds = batch.pts_seconds[-1]
            end = VideoEnd(video=video, header=session.header, report=session.report, modified_ns=modified_ns)
            last = Frames(video=video, shift_seconds=shift or 0.0, end=end)
    if last is not None:
        yield replace(last, ends_stream=True)


def _reach(held: ExitStack, video: Video, archive: Path, copies: Copies | None) -> Path:
    """Gives a video's file, if it is remote a copy that ``held`` removes.

    Raises:
        UnreachedError: It can't be copied, or has another content by now.
    """
    path = archive / video.path
    if copies is None or not is_address(path):
        return path
    try:
        local = held.enter_context(copies.local(path))
        if content_digest(local) != video.video_id:
            raise OSError(errno.ESTALE, CHANGED)
    except OSError as error:
        raise UnreachedError(f"it could not be copied from the archive: {error.strerror or error}") from error
    return local


def _failed(video: Video, error: VideoError, modified_ns: int) -> VideoEnd:
    is_unreached = isinstance(error, UnreachedError)
    return VideoEnd(video=video, error=str(error), modified_ns=modified_ns, is_unreached=is_unreached)


def find_shift(last: Frames | None, last_seconds: float, video: Video, header: VideoHeader) -> float | None:
    """Returns the seconds from a video's clock to that of the stream that it goes on with; None if it begins one.

    Only what was decoded counts: where the end of the last video is missing, there is a gap. A file that has grown
    begins a stream, so that its tracklets keep the ids that they had when it was shorter.

    Args:
        last: The end of the video before.
        last_seconds: The time of its last frame.
        video: The next video of the same camera.
        header: What its container says.
    """
    if last is None or last.end is None or last.end.header is None or last.end.report is None or video.grown_from:
        return None
    before, report = last.end.header, last.end.report
    stop = max(last_seconds, report.seconds_decoded if report.status == "complete" else 0.0)
    gap = (video.start_utc - last.video.start_utc).total_seconds() - stop
    is_known = video.clock_source in KNOWN_STARTS and last.video.clock_source in KNOWN_STARTS
    is_same_picture = (before.width_px, before.height_px) == (header.width_px, header.height_px)
    if not (is_known and is_same_picture and -ROUNDING_SECONDS <= gap <= MAX_GAP_SECONDS):
        return None
    return last.shift_seconds + stop + (gap if gap > ROUNDING_SECONDS else 0.0)
