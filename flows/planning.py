"""What is new in an archive and how it is divided into shards. Reads names, sizes and a few bytes, decodes nothing."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

from anomalylmm.errors import ArchiveError, ConfigurationError
from anomalylmm.records import Video
from flows.settings import Settings
from flows.wallclock import build_patterns, clock_of, read_path

VIDEO_SUFFIXES = frozenset(  # a line, as people read it
    ".3gp .asf .avi .flv .h264 .h265 .hevc .m2ts .m4v .mjpeg .mkv .mov .mp4 .mpeg .mpg .mts .ts .vob .webm .wmv".split()
)
DIGEST_SAMPLES = 16
DIGEST_SAMPLE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """The videos of one shard to be: one camera, one local day."""

    camera: str
    date: str  # local date of the camera, ISO
    videos: tuple[Video, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an index run has to do and what it passes over."""

    units: tuple[Unit, ...]
    known: int  # videos that valid shards hold already
    quarantined: int  # videos that could not be read before
    duplicates: tuple[tuple[str, str], ...]  # (path, path of the same content)
    unreadable: tuple[tuple[str, str], ...] = ()  # (path, reason): could not even be opened as a file

    @property
    def num_videos(self) -> int:
        """Videos to index."""
        return sum(len(unit.videos) for unit in self.units)

    @property
    def num_bytes(self) -> int:
        """Bytes to index."""
        return sum(video.size_bytes for unit in self.units for video in unit.videos)


def iter_video_paths(archive: Path) -> Iterator[Path]:
    """Walks the archive in name order; follows no link out of it.

    Raises:
        ArchiveError: The folder does not exist or is no folder.
    """
    if not archive.is_dir():
        raise ArchiveError(f"the archive {str(archive)!r} is not a folder; name the folder that holds the videos")
    inside = archive.resolve()
    for folder, folders, names in os.walk(archive):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            if path.suffix.lower() in VIDEO_SUFFIXES and path.resolve().is_relative_to(inside):
                yield path


def content_digest(path: Path, *, full: bool = False) -> str:
    """Digests a file's content: its size and 16 evenly spread samples of 64 KiB, or all of it.

    Raises:
        OSError: The file can't be read.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(f"anomalylmm video {size}".encode())
    with path.open("rb") as stream:
        if full or size <= DIGEST_SAMPLES * DIGEST_SAMPLE_BYTES:
            while block := stream.read(1 << 20):
                digest.update(block)
        else:
            for index in range(DIGEST_SAMPLES):
                stream.seek(index * (size - DIGEST_SAMPLE_BYTES) // (DIGEST_SAMPLES - 1))
                digest.update(stream.read(DIGEST_SAMPLE_BYTES))
    return digest.hexdigest()[:32]


def describe_video(
    path: Path,
    archive: Path,
    settings: Settings,
    known: frozenset[str],
    probe_start: Callable[[Path], datetime | None],
) -> Video:
    """Identifies one file and decides its camera and start; a new file whose path is mute is asked itself.

    Raises:
        OSError: The file can't be read.
    """
    relative = path.relative_to(archive).as_posix()
    patterns = build_patterns(settings.cameras, settings.time_zone)
    stat = path.stat()
    video_id = content_digest(path)
    container = None if video_id in known or read_path(relative, patterns) else probe_start(path)
    clock = clock_of(relative, patterns, container_utc=container, modified=stat.st_mtime, time_zone=settings.time_zone)
    return Video(
        video_id=video_id,
        path=relative,
        camera=clock.camera,
        size_bytes=stat.st_size,
        start_utc=clock.start_utc,
        clock_source=clock.source,
        time_zone=clock.time_zone,
    )


def plan_archive(
    archive: Path,
    settings: Settings,
    *,
    known: frozenset[str],
    quarantined: frozenset[str],
    probe_start: Callable[[Path], datetime | None],
) -> Plan:
    """Lists what is new and divides it into units.

    Raises:
        ArchiveError: There is no such folder, or no video in it.
        ConfigurationError: Camera patterns were given and not one path fits any of them.
    """
    paths = list(iter_video_paths(archive))
    if not paths:
        raise ArchiveError(
            f"no video under {str(archive)!r}; files ending in {', '.join(sorted(VIDEO_SUFFIXES))} are looked for"
        )
    _check_patterns(paths, archive, settings)
    videos, unreadable = _describe_all(paths, archive, settings, known | quarantined, probe_start)
    unique, duplicates = _drop_duplicates(videos)
    fresh = [video for video in unique if video.video_id not in known | quarantined]
    return Plan(
        units=tuple(divide(fresh, settings)),
        known=sum(video.video_id in known for video in unique),
        quarantined=sum(video.video_id in quarantined - known for video in unique),
        duplicates=tuple(duplicates),
        unreadable=tuple(unreadable),
    )


def _describe_all(
    paths: Sequence[Path],
    archive: Path,
    settings: Settings,
    known: frozenset[str],
    probe_start: Callable[[Path], datetime | None],
) -> tuple[list[Video], list[tuple[str, str]]]:
    videos, unreadable = [], []
    for path in paths:
        try:
            videos.append(describe_video(path, archive, settings, known, probe_start))
        except OSError as error:
            unreadable.append((path.relative_to(archive).as_posix(), error.strerror or str(error)))
    return videos, unreadable


def _check_patterns(paths: Iterable[Path], archive: Path, settings: Settings) -> None:
    if not settings.cameras:
        return
    patterns = build_patterns(settings.cameras, settings.time_zone)
    names = [path.relative_to(archive).as_posix() for path in paths]
    if not any(read_path(name, patterns) for name in names):
        given = ", ".join(repr(item.pattern) for item in settings.cameras)
        raise ConfigurationError(
            f"no path of the archive fits a camera pattern ({given}); the first path is {names[0]!r}, "
            "patterns are relative to the archive and end before the suffix: mend [[cameras]] in the settings"
        )


def _drop_duplicates(videos: Sequence[Video]) -> tuple[list[Video], list[tuple[str, str]]]:
    first: dict[str, Video] = {}
    duplicates = []
    for video in videos:
        if video.video_id in first:
            duplicates.append((video.path, first[video.video_id].path))
        else:
            first[video.video_id] = video
    return list(first.values()), duplicates


def local_date(video: Video) -> str:
    """Gives the date of a video's start in its camera's time zone, ISO."""
    return video.start_utc.astimezone(ZoneInfo(video.time_zone)).date().isoformat()


def divide(videos: Iterable[Video], settings: Settings) -> Iterator[Unit]:
    """Groups videos by camera and local day, then cuts at the shard limits; every video lands in exactly one unit."""
    ordered = sorted(videos, key=lambda video: (video.camera, local_date(video), video.start_utc, video.video_id))
    for (camera, date), group in groupby(ordered, key=lambda video: (video.camera, local_date(video))):
        for piece in _pieces(list(group), settings.shards.max_videos, settings.shards.max_bytes):
            yield Unit(camera=camera, date=date, videos=tuple(piece))


def _pieces(videos: list[Video], max_videos: int, max_bytes: int) -> Iterator[list[Video]]:
    piece: list[Video] = []
    size = 0
    for video in videos:
        if piece and (len(piece) >= max_videos or size + video.size_bytes > max_bytes):
            yield piece
            piece, size = [], 0
        piece.append(video)
        size += video.size_bytes
    if piece:
        yield piece


def utc_now() -> datetime:
    """Reads the clock; the one place that does."""
    return datetime.now(tz=UTC)
