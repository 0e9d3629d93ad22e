"""Shows what an index run would read from the names, containers and times of an archive's files. Stores nothing."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from anomalylmm.errors import ArchiveError
from anomalylmm.records import ClockSource, ContainerTime, Video, shared_fields
from flows.clocks.neighbors import names_place
from flows.index.listing.archive_files import PassedOver, list_archive
from flows.index.listing.content import content_digest
from flows.index.planning import describe_video, read_names
from flows.index.wallclock import DOUBTS, PathReader, describe_paths
from flows.settings.model import Settings
from flows.settings.views import CameraViews
from storage.disk.addresses import to_address

EXAMPLES = 3  # files shown of each layout
MAX_LAYOUTS = 200
MAX_NAMED = 5  # names listed in a sentence
SOURCES: Mapping[ClockSource, str] = {
    "path_pattern": "the path",
    "path_date": "the date in the path",
    "container": "the container",
    "container_end": "the container's end less the duration",
    "file_end": "the file's time less the duration",
    "file_time": "the file's time",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One file, with what is read of it."""

    path: str
    camera: str
    start_local: str
    time_zone: str
    clock_source: ClockSource
    clock_doubt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PathLayout:
    """Files whose paths differ only in digits."""

    pattern: str  # a path with # for digits
    num_files: int
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an index run would take as cameras and times."""

    num_files: int
    cameras: Mapping[str, int]  # files of each
    views: Mapping[str, tuple[str, ...]]  # how frames are searched, and the cameras of which
    layouts: tuple[PathLayout, ...]
    passed_over: tuple[PassedOver, ...]
    unsure: tuple[str, ...]  # sentences for the operator


def preview_archive(archive: Path, settings: Settings, probe_start: Callable[[Path], ContainerTime | None]) -> Preview:
    """Reads all paths of an archive, and of each layout a few containers.

    Raises:
        ArchiveError: The folder does not exist or contains no video.
        ConfigurationError: A camera pattern is wrong, or a time zone does not exist.
    """
    listing = list_archive(archive, settings.archive)
    paths = listing.videos
    if not paths:
        raise ArchiveError(f"no video under {to_address(archive)!r}")
    reader = read_names(paths, archive, settings)
    groups: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        groups[re.sub("[0-9]+", "#", path.relative_to(archive).as_posix())].append(path)
    layouts = [
        PathLayout(
            pattern=pattern,
            num_files=len(files),
            examples=tuple(_iter_examples(_spread(files), archive, reader, probe_start)),
        )
        for pattern, files in list(groups.items())[:MAX_LAYOUTS]
    ]
    cameras = dict(Counter(clock.camera for clock in reader.known.values()))
    unsure = (*_doubts(reader), *_cameras(cameras), *describe_paths(reader, tuple(reader.known)), *_left(groups))
    return Preview(
        num_files=len(paths),
        cameras=cameras,
        views=_find_views(reader, settings),
        layouts=tuple(layouts),
        passed_over=listing.passed_over,
        unsure=unsure,
    )


def _find_views(reader: PathReader, settings: Settings) -> dict[str, tuple[str, ...]]:
    chosen, found = CameraViews(settings), defaultdict[str, dict[str, None]](dict)
    for path, clock in reader.known.items():
        found[str(chosen.find(clock.camera, path))][clock.camera] = None
    return {view: tuple(cameras) for view, cameras in found.items()}


def _spread(files: Sequence[Path]) -> list[Path]:
    """Chooses the first, a middle and the last file."""
    places = sorted({0, len(files) // 2, len(files) - 1})[:EXAMPLES]
    return [files[place] for place in places]


def _iter_examples(
    files: Sequence[Path], archive: Path, reader: PathReader, probe_start: Callable[[Path], ContainerTime | None]
) -> Iterator[Example]:
    for path in files:
        with suppress(OSError):  # an index run names the files that it can't read
            yield _example(describe_video(path, content_digest(path), archive, reader, frozenset(), probe_start))


def _example(video: Video) -> Example:
    start_local = f"{video.start_utc.astimezone(ZoneInfo(video.time_zone)):%Y-%m-%d %H:%M:%S}"
    return Example(start_local=start_local, **shared_fields(Example, video))


def _doubts(reader: PathReader) -> list[str]:
    """Says for how many files of the whole archive the path leaves something open, with an example."""
    found: dict[str, list[str]] = defaultdict(list)
    for path, clock in reader.known.items():
        for doubt in clock.doubts:
            found[doubt].append(path)
        if not clock.is_dated:
            found["undated"].append(path)
    sentences = DOUBTS | {"undated": "have no time in their path; it is taken from their container or their file"}
    return [
        f"{len(found[doubt])} of {len(reader.known)} files {text}; for example {found[doubt][0]!r}"
        for doubt, text in sentences.items()
        if found[doubt]
    ]


def _cameras(cameras: Mapping[str, int]) -> list[str]:
    """Names cameras that may be none."""
    vague = [f"{name!r} ({number})" for name, number in cameras.items() if not names_place(name)]
    rest = f" and {len(vague) - MAX_NAMED} more" if len(vague) > MAX_NAMED else ""
    text = f"the path names no place for the camera {', '.join(vague[:MAX_NAMED])}{rest}; [[cameras]] can name it"
    return [text] if vague else []


def _left(groups: Mapping[str, Sequence[Path]]) -> list[str]:
    return [f"{len(groups) - MAX_LAYOUTS} more layouts are not shown"] if len(groups) > MAX_LAYOUTS else []
