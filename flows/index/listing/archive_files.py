"""Finds the videos of an archive, and names what looks like a video but is not read, with the reason."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.archives.files import cannot_list, check_archive, read_head
from flows.archives.remote import Entry, connect
from flows.index.listing.containers import (
    HEAD_BYTES,
    SHARED_SUFFIXES,
    VIDEO_SUFFIXES,
    has_other_name,
    has_video_name,
    is_sidecar,
    name_container,
)
from flows.index.listing.left_out import LeftOut
from flows.settings.archive_section import ArchiveSettings
from storage.disk.addresses import is_address

MAX_LEFT_OUT = 20_000  # entries of left-out folders that are looked at; snapshots can repeat the archive many times
_NO_SETTINGS = ArchiveSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """A file that looks like a video, or a linked folder, that is not read."""

    path: str  # relative to the archive
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What lies in an archive."""

    videos: tuple[Path, ...]  # in each folder first its files, then its subfolders, by name; what links lead to is last
    unreadable: tuple[tuple[str, str], ...]  # folders that can't be listed, with the reason
    passed_over: tuple[PassedOver, ...]


def list_archive(archive: Path, settings: ArchiveSettings = _NO_SETTINGS) -> Listing:
    """Lists the videos of an archive and what is passed over; reads a few bytes of files without a known extension.

    Links are followed once: what is also reached without a link counts there, and circles end.

    Raises:
        ArchiveError: The path is not an existing folder, or the address can't be read.
    """
    check_archive(archive)
    walk = _Walk(archive, settings)
    if is_address(archive):
        try:
            walk.remote, odd = connect(archive).list_folders(archive)
        except OSError as error:
            raise cannot_list(archive, error) from error
        walk.unreadable += odd
    videos = tuple(walk.iter_videos())
    return Listing(videos=videos, unreadable=tuple(walk.unreadable), passed_over=tuple(walk.passed_over))


class _Walk:
    """One pass over an archive, without recursion: folders may be nested deeper than Python's stack allows."""

    def __init__(self, archive: Path, settings: ArchiveSettings) -> None:
        self.unreadable: list[tuple[str, str]] = []
        self.remote: dict[Path, list[Entry]] | None = None  # the entries of all folders, if the archive is an address
        self._archive, self._settings, self._left_out = archive, settings, LeftOut(settings)
        self._inside = os.path.realpath(archive)
        self._folders: set[str] = set()  # real paths of those that were walked, as all keys below
        self._files: set[str] = set()
        self._passed_over: dict[str, PassedOver] = {}
        self._links: list[Path] = []
        self._num_left_out = 0

    def iter_videos(self) -> Iterator[Path]:
        """Yields the videos; the other lists are complete at the end."""
        yield from self._iter_below(self._archive, self._inside)
        for link in self._links:  # it grows, because linked folders may contain links
            yield from self._follow(link)

    @property
    def passed_over(self) -> tuple[PassedOver, ...]:
        """What looks like a video and was reached by no way on which it is read."""
        reached = self._files | self._folders
        found = [item for real, item in self._passed_over.items() if real not in reached]
        return tuple(sorted(found, key=lambda item: item.path))

    def _iter_below(self, top: Path, real_top: str) -> Iterator[Path]:
        waiting = [(top, real_top, "")]
        while waiting:
            folder, real, reason = waiting.pop()
            if real in self._folders or (reason and self._is_too_much(folder, real, reason)):
                continue
            self._folders |= set() if reason else {real}
            entries = self._list(folder, reason)
            for entry in entries:
                path, place = folder / entry.name, f"{real}/{entry.name}"
                if entry.is_symlink():
                    self._links += [] if reason else [path]
                elif not entry.is_dir() and place not in self._files and self._takes(path, place, reason):
                    self._files.add(place)
                    yield path
            for entry in reversed(entries):
                if entry.is_dir(follow_symlinks=False):
                    why = reason or self._left_out.explain(self._name(folder / entry.name), is_folder=True)
                    waiting.append((folder / entry.name, f"{real}/{entry.name}", why))

    def _list(self, folder: Path, reason: str) -> Sequence[os.DirEntry[str] | Entry]:
        if self.remote is not None:
            return self.remote.get(folder, [])
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            if not reason:
                self.unreadable.append((self._name(folder), f"the folder can't be listed: {error}"))
            return []
        self._num_left_out += len(entries) if reason else 0
        return entries

    def _follow(self, link: Path) -> Iterator[Path]:
        """Yields what a link leads to and was not reached otherwise.

        A broken link is yielded itself if it is to lead to a video or out of the archive, maybe to a disk that is gone.
        """
        real = os.path.realpath(link)  # unlike Path.resolve, it accepts circular links
        is_folder, is_broken = Path(real).is_dir(), not Path(real).exists()
        is_inside = os.path.commonpath([real, self._inside]) == self._inside
        reason = self._left_out.explain(self._name(link), is_folder=is_folder)
        if not is_inside and not self._settings.follow_links_out:
            reason = reason or "the link leads out of the archive; to read it, set archive.follow_links_out = true"
        if reason:
            if is_folder or is_broken or _looks_like_video(link) or _looks_like_video(Path(real)):
                self._pass_over(link, real, reason)
        elif is_broken:
            yield from [link] if link.suffix.lower() in VIDEO_SUFFIXES or not is_inside else []
        elif is_folder:
            yield from self._iter_below(link, real)
        elif real not in self._files and self._takes(link, real, ""):
            self._files.add(real)
            yield link

    def _takes(self, path: Path, real: str, reason: str) -> bool:
        """Returns whether a file is to be read; if not, but it looks like a video, it is passed over."""
        name, suffix = self._name(path), path.suffix.lower()
        if self._left_out.includes(name):
            return True
        reason = reason or self._left_out.explain(name)
        if not reason and suffix in VIDEO_SUFFIXES:
            return True
        container = "" if has_other_name(path.name) else _read_container(path)
        if not reason and container and suffix in SHARED_SUFFIXES:
            return True
        if container or _looks_like_video(path):
            self._pass_over(path, real, reason or _explain_name(suffix, container))
        return False

    def _is_too_much(self, folder: Path, real: str, reason: str) -> bool:
        if self._num_left_out > MAX_LEFT_OUT:
            self._pass_over(folder, real, f"{reason}; its files are not counted")
        return self._num_left_out > MAX_LEFT_OUT

    def _pass_over(self, path: Path, real: str, reason: str) -> None:
        self._passed_over.setdefault(real, PassedOver(path=self._name(path), reason=reason))

    def _name(self, path: Path) -> str:
        return path.relative_to(self._archive).as_posix()


def _looks_like_video(path: Path) -> bool:
    """Returns whether any of the extensions is of a video, as in ``gate.mp4.part``, but not in ``gate.mp4.thumb``."""
    return not is_sidecar(path.name) and any(has_video_name(f"x{suffix.rstrip('~')}") for suffix in path.suffixes)


def _explain_name(suffix: str, container: str) -> str:
    if container:
        extension = f"the extension {suffix} is not known" if suffix else "it has no extension"
        return f"its content is a video ({container}), but {extension}; rename it, or name it in archive.include"
    if not has_video_name(f"x{suffix}"):
        return f"it is named like a video, but {suffix} is not one of a video's extensions, nor is its content a video"
    return f"{suffix} is a video format that is not read; convert it, or name it in archive.include to try it"


def _read_container(path: Path) -> str:
    """Names the container of a regular file; empty if it is no video or can't be read."""
    try:
        return name_container(read_head(path, HEAD_BYTES))
    except OSError:
        pass
    return ""


def path_id(relative: str) -> str:
    """Returns an id made from the path, for a file whose content can't be read."""
    return hashlib.sha256(b"anomalylmm path " + os.fsencode(relative)).hexdigest()[:32]
