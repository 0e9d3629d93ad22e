"""The files below an address, by fsspec: what is there, since when, and pieces of their content."""

import errno
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from anomalylmm.errors import ArchiveError
from flows.archives.asking import Server, say
from storage.disk.addresses import to_address

LIST_SECONDS = 3600.0  # for the listing of a whole bucket, many requests that have limits of their own
_WITHOUT_FOLDERS = ("abfs", "abfss", "az", "gcs", "gs", "s3", "s3a")  # listed at once; others folder by folder
_TAGS = ("ETag", "etag", "md5Hash", "content_md5")  # fields that change with the content
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "modified", "created")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStatus:
    """What is known of a file without reading it."""

    size_bytes: int
    modified_ns: int | None  # since 1970
    tag: str = ""  # changes with the content: the ETag, else the time of the last change; empty if there is neither


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder of a listing, with the methods of ``os.DirEntry`` that are needed."""

    name: str
    is_folder: bool

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002 - as of os.DirEntry
        """Whether it is a folder."""
        return self.is_folder

    def is_symlink(self) -> bool:
        """Nothing is a link: where there are links, they are followed by the server."""
        return False


class RemoteFiles:
    """The files of one server or bucket. Paths are addresses as ``storage.disk.addresses`` writes them."""

    def __init__(self, filesystem: Any, server: Server) -> None:
        self._filesystem, self._server = filesystem, server
        self._listed: dict[str, FileStatus] = {}  # as of the last listing

    def list_folders(self, root: Path) -> tuple[dict[Path, list[Entry]], list[tuple[str, str]]]:
        """Lists all folders below an address, and remembers the status of their files.

        Returns:
            The entries of each folder, by name; and names that no file can have, or folders that can't be listed,
            relative to the root, each with the reason.

        Raises:
            OSError: The address can't be listed.
        """
        top, odd = self._key(root), list[tuple[str, str]]()
        found = self._server.ask(lambda: self._find(top, odd), LIST_SECONDS, lambda: self._filesystem.info(top))
        folders: dict[Path, dict[str, Entry]] = {root: {}}
        self._listed = {}
        for key, info in found.items():
            relative = key[len(top) :].lstrip("/")
            if info.get("type") != "file" or not relative:
                continue
            if not _is_plain(key[len(top) :].removeprefix("/")):
                odd.append((relative, "its name can't be a path (empty parts, '.' or '..'); give it another name"))
                continue
            self._listed[key] = _status(info)
            _add(folders, root, relative)
        return {
            folder: sorted(entries.values(), key=lambda entry: entry.name) for folder, entries in folders.items()
        }, odd

    def _find(self, top: str, odd: list[tuple[str, str]]) -> Mapping[str, Any]:
        if set(_protocols(self._filesystem)) & set(_WITHOUT_FOLDERS):
            found: Mapping[str, Any] = self._filesystem.find(top, detail=True)
            if not found and not self._filesystem.exists(top):
                raise FileNotFoundError(top)
            return found
        self._filesystem.ls(top, detail=True)  # raises where the walk would only go on

        def note(error: OSError) -> None:
            odd.append(
                (
                    str(getattr(error, "filename", "") or top).removeprefix(top).lstrip("/"),
                    f"the folder can't be listed: {say(error)}",
                )
            )

        walked = self._filesystem.walk(top, detail=True, on_error=note)
        return {info["name"]: info for _, _, files in walked for info in files.values()}

    def status(self, path: Path, *, fresh: bool = False) -> FileStatus:
        """Gives the status of a file, as of the last listing or, if ``fresh``, as of now.

        Raises:
            OSError: It is not there, or the server does not answer.
        """
        key = self._key(path)
        known = None if fresh else self._listed.get(key)
        return known or _status(self._server.ask(lambda: self._filesystem.info(key)))

    def is_folder(self, path: Path) -> bool:
        """Whether there is a folder, or a bucket with a file below this prefix.

        Raises:
            OSError: The server does not answer.
        """
        key = self._key(path)
        try:
            return bool(self._server.ask(lambda: self._filesystem.info(key))["type"] == "directory")
        except FileNotFoundError:
            return False

    def read(self, path: Path, pieces: Sequence[tuple[int, int]]) -> list[bytes]:
        """Reads pieces of a file, each from an offset up to another one.

        Raises:
            OSError: It can't be read, or is shorter.
        """
        key, starts, stops = self._key(path), [start for start, _ in pieces], [stop for _, stop in pieces]
        if starts == stops:
            return [b""] * len(pieces)

        def read() -> list[bytes]:
            found: list[bytes] = self._filesystem.cat_ranges([key] * len(pieces), starts, stops, on_error="raise")
            return found

        found = self._server.ask(read)
        self._server.forgive()
        for piece, start, stop in zip(found, starts, stops, strict=True):
            if len(piece) != stop - start:
                raise OSError(
                    errno.EIO, f"the server sent {len(piece)} bytes instead of {stop - start}: it may have changed"
                )
        return found

    def iter_content(self, path: Path, size_bytes: int, piece_bytes: int) -> Iterator[bytes]:
        """Yields a file in pieces; a piece that fails is asked for again.

        Raises:
            OSError: It can't be read.
        """
        for start in range(0, size_bytes, piece_bytes):
            yield self.read(path, [(start, min(start + piece_bytes, size_bytes))])[0]

    def forget(self) -> None:
        """Forgets the last listing."""
        self._listed = {}

    def _key(self, path: Path) -> str:
        return str(self._filesystem._strip_protocol(to_address(path))).rstrip("/")


def connect(path: Path) -> RemoteFiles:
    """Gives access to the files at an address; nothing is asked of the server yet.

    Raises:
        ArchiveError: The address can't be used, or a library is missing.
    """
    scheme, *rest = path.parts
    host = rest[0] if rest else ""
    if "::" in str(path):
        raise ArchiveError("the archive's address has several parts joined by '::'; give one plain address")
    if ":" in host.rpartition("@")[0]:
        raise ArchiveError(
            "the archive's address contains a password, which would be stored; leave it out, and give it in the "
            "environment as the library for this address reads it"
        )
    return _connect(scheme.removesuffix(":"), host)


@lru_cache(maxsize=64)
def _connect(scheme: str, host: str) -> RemoteFiles:
    import fsspec

    try:
        filesystem, _ = fsspec.core.url_to_fs(to_address(Path(f"{scheme}:/{host}")), use_listings_cache=False)
    except ImportError as error:
        raise ArchiveError(
            f"addresses that begin with {scheme}:// need a library that is not installed ({error}); "
            "for S3 it comes with: pip install 'anomalylmm[s3]'"
        ) from error
    except ValueError as error:
        raise ArchiveError(
            f"no library knows addresses that begin with {scheme}:// ({error}); give a folder, or an address that "
            "fsspec knows, such as s3://bucket/prefix"
        ) from error
    return RemoteFiles(filesystem, Server())


def _protocols(filesystem: Any) -> tuple[str, ...]:
    return (filesystem.protocol,) if isinstance(filesystem.protocol, str) else tuple(filesystem.protocol)


def _is_plain(relative: str) -> bool:
    parts = relative.split("/")
    return not {"", ".", ".."} & set(parts) and PurePosixPath(relative).as_posix() == relative


def _add(folders: dict[Path, dict[str, Entry]], root: Path, relative: str) -> None:
    """Adds a file, and the folders it lies in."""
    *parents, name = relative.split("/")
    folder = root
    for parent in parents:
        folders[folder].setdefault(parent, Entry(parent, True))
        folder /= parent
        folders.setdefault(folder, {})
    folders[folder][name] = Entry(name, False)


def _status(info: Mapping[str, Any]) -> FileStatus:
    if not isinstance(info.get("size"), int):
        raise OSError(errno.EINVAL, "the server does not say how long the file is")
    modified_ns = _to_ns(_first(info, _TIMES))
    tag = str(_first(info, _TAGS) or modified_ns or "").strip('"')
    return FileStatus(size_bytes=info["size"], modified_ns=modified_ns, tag=tag)


def _first(info: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((info[name] for name in names if info.get(name)), None)


def _to_ns(moment: Any) -> int | None:
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            return None
    if isinstance(moment, datetime):
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return int(moment * 1e9) if isinstance(moment, int | float) else None
