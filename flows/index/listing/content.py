"""What identifies a video: a digest of its content; and which stored videos are the beginning of a new one."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from anomalylmm.records import Video
from flows.archives.files import read_pieces, read_status
from storage.shards.manifest import Footage
from storage.upkeep.erasure_log import ErasedFile

DIGEST_SAMPLES = 16
DIGEST_SAMPLE_BYTES = 1 << 16
HEADER_BYTES = 1 << 16
MAX_SHORTER = 3  # stored videos of one path that are compared with its file


def content_digest(path: Path, size_bytes: int | None = None) -> str:
    """Returns a digest of a file's size and of 16 evenly spaced samples of 64 KiB, or all of a small file.

    With ``size_bytes``, it is the digest that the file had when it was that long, if it has only grown since.

    Raises:
        OSError: The file can't be read, or is a pipe or device, which may never end.
    """
    return _digest_samples(path, 0, read_status(path).size_bytes if size_bytes is None else size_bytes)


def body_digest(path: Path, size_bytes: int) -> str:
    """Returns a digest like ``content_digest`` without the header, which recorders write again at the end.

    Raises:
        OSError: The file can't be read.
    """
    return _digest_samples(path, min(HEADER_BYTES, size_bytes // 4), size_bytes)


def _digest_samples(path: Path, first: int, size: int) -> str:
    length = size - first
    digest = hashlib.sha256(f"anomalylmm video {size}".encode())
    pieces = [(first, size)]
    if length > DIGEST_SAMPLES * DIGEST_SAMPLE_BYTES:
        step = length - DIGEST_SAMPLE_BYTES
        starts = [first + index * step // (DIGEST_SAMPLES - 1) for index in range(DIGEST_SAMPLES)]
        pieces = [(start, start + DIGEST_SAMPLE_BYTES) for start in starts]
    for content in read_pieces(path, pieces):
        digest.update(content)
    return digest.hexdigest()[:32]


def modified_time_ns(path: Path) -> int | None:
    """Returns when a file was last changed, in nanoseconds since 1970; None if it does not exist."""
    try:
        return read_status(path).modified_ns
    except OSError:
        return None


def find_shorter(videos: Sequence[Video], archive: Path, stored: Sequence[Footage]) -> list[Video]:
    """Notes which stored videos are the beginning of a new one: same path, and the file has only grown since.

    The header may differ: Matroska, AVI and others write the duration there when a recording ends. Only the newest
    videos are compared, because recorders that fill a ring of files use the same paths again and again; in ``stored``,
    they come first.
    """
    by_path: dict[str, list[Footage]] = {video.path: [] for video in videos}
    for item in stored:
        if item.path in by_path:
            by_path[item.path].append(item)
    return [_with_shorter(video, archive / video.path, by_path[video.path][:MAX_SHORTER]) for video in videos]


def _with_shorter(video: Video, path: Path, candidates: Sequence[Footage]) -> Video:
    with suppress(OSError):  # decoding it will tell
        video = replace(video, body_id=body_digest(path, video.size_bytes))
        for item in candidates:
            if item.size_bytes <= video.size_bytes and _begins_with(path, item):
                return replace(video, grown_from=(*item.grown_from, item.video_id))
    return video


def find_erased(path: Path, size_bytes: int, erased: Sequence[ErasedFile]) -> tuple[str, ...]:
    """Returns the ids of the erased videos of this path that are the beginning of its file; the newest come first."""
    with suppress(OSError):
        shorter = [item for item in erased if item.size_bytes <= size_bytes][:MAX_SHORTER]
        return tuple(item.video_id for item in shorter if _begins_with(path, item))
    return ()


def _begins_with(path: Path, item: Footage | ErasedFile) -> bool:
    if item.body_id:
        return body_digest(path, item.size_bytes) == item.body_id
    return content_digest(path, item.size_bytes) == item.video_id
