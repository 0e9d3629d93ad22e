"""Finds the ids of an archive's files; those of remote files that have not changed are known without reading them."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flows.archives.files import read_status
from flows.index.listing.content import content_digest
from storage.disk.addresses import is_address
from storage.disk.layout import StoreLayout
from storage.hits.gaps import name_archive
from storage.shards.identities import Identity, read_identities, write_identities
from storage.shards.schema import clean_text

AT_ONCE = 16  # remote files read at the same time


class Identities:
    """The ids of the files of one archive, for one run."""

    def __init__(self, layout: StoreLayout, archive: Path) -> None:
        """Reads what earlier runs noted of a remote archive."""
        self._layout, self._archive, self._is_remote = layout, archive, is_address(archive)
        self._known = read_identities(layout, name_archive(archive)) if self._is_remote else {}
        self._found: dict[str, Identity] = {}

    def iter_ids(self, paths: Sequence[Path]) -> Iterator[str | OSError]:
        """Yields the id of each file, or why it can't be read; reads only a little ahead."""
        if not self._is_remote:
            yield from iter_ids(paths)
            return
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for first in range(0, len(paths), 4 * AT_ONCE):
                yield from pool.map(self._find, paths[first : first + 4 * AT_ONCE])

    def save(self, *, is_complete: bool) -> None:
        """Notes the ids; unless the run has seen the whole archive, those of other files are kept.

        Raises:
            StoreError: They can't be written.
        """
        files = self._found if is_complete else {**self._known, **self._found}
        if self._is_remote and files != self._known:
            write_identities(self._layout, name_archive(self._archive), files)

    def _find(self, path: Path) -> str | OSError:
        name = clean_text(path.relative_to(self._archive).as_posix())
        try:
            status, known = read_status(path), self._known.get(name)
            is_same = (
                known is not None and status.tag and (known.size_bytes, known.tag) == (status.size_bytes, status.tag)
            )
            found = known.video_id if known is not None and is_same else content_digest(path)
        except OSError as error:
            return error
        self._found[name] = Identity(status.size_bytes, status.tag, found)
        return found


def iter_ids(paths: Sequence[Path]) -> Iterator[str | OSError]:
    """Yields the id of each file, or why it can't be read."""
    for path in paths:
        try:
            yield content_digest(path)
        except OSError as error:
            yield error
