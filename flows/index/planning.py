"""Plans an index run: what is new in an archive, and how it is divided into shards. Decodes nothing."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from anomalylmm.errors import ArchiveError, ConfigurationError
from anomalylmm.records import ContainerTime, Video
from flows.archives.files import read_head, read_status
from flows.clock import utc_now
from flows.index.listing.archive_files import Listing, PassedOver, list_archive, path_id
from flows.index.listing.containers import HEAD_BYTES, JPEG_START, VIDEO_SUFFIXES, name_container
from flows.index.listing.content import find_shorter, modified_time_ns
from flows.index.listing.identities import iter_ids
from flows.index.listing.settling import Settled, settle
from flows.index.wallclock import (
    PathReader,
    build_patterns,
    clock_of,
    describe_doubts,
    describe_paths,
    mark_same_times,
)
from flows.settings.model import Settings
from flows.settings.views import CameraViews, FrameView
from storage.disk.addresses import is_address, to_address
from storage.shards.manifest import Footage
from storage.shards.schema import clean_text

MAX_NAMED = 5  # files named in an error
LAST_FILE_TIME = datetime(2200, 1, 1, tzinfo=UTC).timestamp()  # latest time accepted from a file system


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """The videos of one future shard: one camera, one local day."""

    camera: str
    date: str  # local date of the camera, ISO
    videos: tuple[Video, ...]


class Duplicate(NamedTuple):
    """A file with the same content as another."""

    path: str
    same_as: str  # path of the other
    camera: str  # of the other: hits are found under it


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an index run has to do and what it skips."""

    units: tuple[Unit, ...]
    known: int  # videos that are already in valid shards
    quarantined: int  # videos that could not be read before
    duplicates: tuple[Duplicate, ...]
    unreadable: tuple[tuple[str, str], ...] = ()  # (path, reason) of files that can't be opened, not reported before
    postponed: int = 0  # files left to the next run, because this run has its maximum number of videos
    given_up: int = 0  # quarantined videos that retry skipped, because they had the maximum number of tries
    seen: tuple[tuple[str, str], ...] = ()  # (path, video id) of all files that were read
    erased: int = 0  # videos that were erased or are older than the retention
    grown: int = 0  # of the videos to index, those that were indexed when their files were shorter
    all_recent: int = 0  # files that changed a moment ago, if all did
    passed_over: tuple[PassedOver, ...] = ()  # files that look like videos and are not read
    present: tuple[Video, ...] = ()  # all videos that were read
    cameras: Mapping[str, str] = field(default_factory=dict, repr=False)  # of every path as it is read, not corrected
    hints: tuple[str, ...] = ()  # what the times of all new files have in common

    @property
    def num_videos(self) -> int:
        """Videos to index."""
        return sum(len(unit.videos) for unit in self.units)

    @property
    def num_bytes(self) -> int:
        """Bytes to index."""
        return sum(video.size_bytes for unit in self.units for video in unit.videos)

    def notes(self) -> tuple[str, ...]:
        """Explains what was unexpectedly skipped, and what to do about it."""
        counts = {
            "unreadable videos had the maximum number of tries and are skipped; "
            "copy them again, or raise decode.max_tries": self.given_up,
            "files are left to the next run, because decode.videos_per_run was reached; "
            "run index again to include them": self.postponed,
        }
        fresh = [video for unit in self.units for video in unit.videos]
        return (*_count(counts), *describe_doubts(fresh), *self.hints)

    def remarks(self) -> tuple[str, ...]:
        """Tells what is usual in an archive but not read as it lies there."""
        return _count(
            {
                "files have grown since they were indexed; they are indexed again, and their hits are kept": self.grown,
                "files all changed a moment ago, so they are taken for a fresh copy and read; "
                "a file that is still being written is read again when it has grown": self.all_recent,
                "files that look like videos were passed over, each for the reason given": len(self.passed_over),
            }
        )


def _count(counts: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(f"{count} {text}" for text, count in counts.items() if count)


def describe_video(
    path: Path,
    video_id: str,
    archive: Path,
    reader: PathReader,
    known: frozenset[str],
    probe_start: Callable[[Path], ContainerTime | None],
) -> Video:
    """Finds the camera and start of one file. The container is read only if the path leaves the time open.

    Raises:
        OSError: The file can't be read.
    """
    relative = path.relative_to(archive).as_posix()
    status = read_status(path)
    modified = _clip((status.modified_ns or 0) / 1e9)
    is_told = video_id in known or reader.read(relative, modified).is_exact
    container = None if is_told else probe_start(path)
    clock = clock_of(
        relative,
        reader,
        container_utc=container.created_utc if container else None,
        modified=modified,
        time_zone=reader.time_zone,
        duration_seconds=container.duration_seconds if container else 0.0,
    )
    return Video(
        video_id=video_id,
        path=relative,
        camera=clean_text(clock.camera),
        size_bytes=status.size_bytes,
        start_utc=clock.start_utc,
        clock_source=clock.source,
        time_zone=clock.time_zone,
        clock_doubt=" ".join((*clock.doubts, *_doubt_rate(path, video_id in known))),
    )


def _doubt_rate(path: Path, is_known: bool) -> tuple[str, ...]:
    """Doubts the times within a new file that holds pictures only, of which nothing says how fast they follow."""
    if is_known:
        return ()
    head = read_head(path, HEAD_BYTES)
    return ("frame_rate",) if name_container(head).startswith("raw") or head.startswith(JPEG_START) else ()


def _clip(seconds: float) -> float:
    return min(max(seconds, 0.0), LAST_FILE_TIME)


def read_names(paths: Iterable[Path], archive: Path, settings: Settings) -> PathReader:
    """Reads the paths of an archive together, with the times at which their files were last changed.

    Raises:
        ConfigurationError: A camera pattern is wrong, or a time zone does not exist.
    """
    modified = {path.relative_to(archive).as_posix(): _clip((modified_time_ns(path) or 0) / 1e9) for path in paths}
    return build_patterns(settings.cameras, settings.time_zone).survey(modified)


def plan_archive(
    archive: Path,
    settings: Settings,
    *,
    known: frozenset[str],
    quarantined: frozenset[str],
    probe_start: Callable[[Path], ContainerTime | None],
    is_erased: Callable[[Video], bool] = lambda _: False,
    correct: Callable[[Video], Video] = lambda video: video,
    only: Collection[str] | None = None,
    stored: Sequence[Footage] = (),
    identify: Callable[[Sequence[Path]], Iterator[str | OSError]] = iter_ids,
) -> Plan:
    """Finds new videos, optionally only those with a path in ``only``, and divides them into units.

    ``stored`` says more about the known videos: which paths and cameras they have. ``correct`` replaces camera and
    start of videos that a person corrected. ``identify`` finds the ids of files, or why one can't be read.

    Raises:
        ArchiveError: The folder does not exist or contains no video.
        ConfigurationError: Camera patterns are set, but no path has a time that they or the built-in rules find.
    """
    listing = list_archive(archive, settings.archive)
    unreadable = list(listing.unreadable)
    if only is None:
        settled = settle(listing, archive, settings.archive.settle_seconds, utc_now())
    else:
        chosen = tuple(path for path in listing.videos if path.relative_to(archive).as_posix() in only)
        settled = Settled(paths=chosen)
    paths = settled.paths
    if not listing.videos and not unreadable:
        raise _no_video(archive, listing)
    reader = read_names(listing.videos, archive, settings)
    _check_patterns(reader, settings)
    seen = known | quarantined
    ids = identify(paths)
    videos, lost, postponed = _describe_all(
        paths, ids, archive, settings, reader, seen, probe_start, is_erased, correct
    )
    unreadable += lost
    unique, duplicates = _drop_duplicates(videos, {video.video_id: video for video in stored})
    unique = mark_same_times(unique)
    unknown = [video for video in unique if video.video_id not in known | quarantined]
    fresh = find_shorter([video for video in unknown if not is_erased(video)], archive, stored)
    fresh = [correct(video) if video.grown_from else video for video in fresh]
    return Plan(
        units=tuple(divide(fresh, settings)),
        known=sum(video.video_id in known for video in unique),
        quarantined=sum(video.video_id in quarantined - known for video in unique)
        + sum(path_id(path) in quarantined for path, _ in unreadable),
        duplicates=tuple(duplicates),
        unreadable=tuple(item for item in unreadable if path_id(item[0]) not in quarantined),
        postponed=postponed,
        seen=tuple((video.path, video.video_id) for video in videos),
        erased=len(unknown) - len(fresh),
        grown=sum(bool(video.grown_from) for video in fresh),
        all_recent=settled.all_recent,
        passed_over=settled.passed_over,
        present=tuple(videos),
        cameras={path: clean_text(clock.camera) for path, clock in reader.known.items()},
        hints=describe_paths(reader, [video.path for video in fresh]),
    )


def _no_video(archive: Path, listing: Listing) -> ArchiveError:
    """Says that there is nothing to read, and what was passed over."""
    passed = "; ".join(f"{item.path!r}: {item.reason}" for item in listing.passed_over[:MAX_NAMED])
    known = ", ".join(sorted(VIDEO_SUFFIXES))
    rest = f"{len(listing.passed_over)} files look like videos but are passed over: {passed}" if passed else ""
    return ArchiveError(f"no video under {to_address(archive)!r}; {rest or f'the known file types are {known}'}")


def _describe_all(
    paths: Sequence[Path],
    ids: Iterator[str | OSError],
    archive: Path,
    settings: Settings,
    reader: PathReader,
    known: frozenset[str],
    probe_start: Callable[[Path], ContainerTime | None],
    is_erased: Callable[[Video], bool],
    correct: Callable[[Video], Video],
) -> tuple[list[Video], list[tuple[str, str]], int]:
    """Describes files up to the maximum of new ones; also returns the unreadable ones and how many are left."""
    videos: list[Video] = []
    unreadable: list[tuple[str, str]] = []
    fresh: set[str] = set()
    for number, path in enumerate(paths):
        if len(fresh) >= settings.decode.videos_per_run:
            return videos, unreadable, len(paths) - number
        try:
            video_id = next(ids)
            if isinstance(video_id, OSError):
                raise video_id
            video = correct(describe_video(path, video_id, archive, reader, known, probe_start))
        except OSError as error:
            if (
                not isinstance(error, FileNotFoundError) or path.is_symlink()
            ):  # otherwise it was removed in the meantime
                unreadable.append((path.relative_to(archive).as_posix(), _why(path, error)))
            continue
        videos.append(video)
        fresh |= set() if is_erased(video) else {video.video_id} - known
    return videos, unreadable, 0


def _why(path: Path, error: OSError) -> str:
    """Explains why a file can't be opened, and what to do."""
    if path.is_symlink():
        return f"the link does not lead to a readable file ({error.strerror or error}); correct or remove it"
    if is_address(path):
        return f"{error.strerror or error}; the next run tries it again"
    return f"{error.strerror or error}; check the file and its permissions, or remove it from the archive"


def _check_patterns(reader: PathReader, settings: Settings) -> None:
    given = ", ".join(repr(item.pattern) for item in settings.cameras if item.pattern)
    if given and reader.known and not any(item.is_dated for item in reader.known.values()):
        raise ConfigurationError(
            f"no path in the archive matches a camera pattern ({given}) or has another time; the first path is "
            f"{next(iter(reader.known))!r}. Patterns are relative to the archive and exclude the file suffix; "
            "correct [[cameras]] in the settings"
        )


def _drop_duplicates(videos: Sequence[Video], stored: Mapping[str, Footage]) -> tuple[list[Video], list[Duplicate]]:
    """Keeps one video of each content: the one that is stored, otherwise the first."""
    kept: dict[str, Video] = {}
    for video in videos:
        known = stored.get(video.video_id)
        if video.video_id not in kept or (known and video.path == known.path):
            kept[video.video_id] = video
    duplicates = []
    for video in videos:
        owner, known = kept[video.video_id], stored.get(video.video_id)
        if video is not owner:
            camera = known.camera if known else owner.camera
            duplicates.append(Duplicate(path=video.path, same_as=owner.path, camera=camera))
    return list(kept.values()), duplicates


def local_date(video: Video) -> str:
    """Returns the ISO date of a video's start in its camera's time zone."""
    return video.start_utc.astimezone(ZoneInfo(video.time_zone)).date().isoformat()


def divide(videos: Iterable[Video], settings: Settings) -> Iterator[Unit]:
    """Groups videos by camera, local day and view, and splits the groups at the shard limits."""
    views = CameraViews(settings)

    def key(video: Video) -> tuple[str, str, FrameView]:
        return video.camera, local_date(video), views.find(video.camera, video.path)

    ordered = sorted(videos, key=lambda video: (*key(video), video.start_utc, video.video_id))
    for (camera, date, _), group in groupby(ordered, key=key):
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
