"""Which store this is: an id by which a worker on another machine tells whether it sees the same folder."""

from contextlib import suppress
from uuid import uuid4

from storage.disk.files import guarded, replace_file
from storage.disk.layout import StoreLayout


def identify_store(layout: StoreLayout) -> str:
    """Returns the id of a store that has its folders, and gives it one if it has none yet.

    Raises:
        StoreError: The id can't be read or written.
    """
    known = find_identity(layout)
    if not known:
        with guarded("write", layout.identity), suppress(FileExistsError), layout.identity.open("x") as file:
            file.write(uuid4().hex)  # of two processes that do this at the same time, one is the first
        known = find_identity(layout)
    if not known:  # a process was killed before it wrote
        replace_file(layout.identity, uuid4().hex.encode(), scratch=layout.temporary)
        known = find_identity(layout)
    return known


def find_identity(layout: StoreLayout) -> str:
    """Returns the id of a store; empty if there is no store, or if it was never used by several machines.

    Raises:
        StoreError: The id can't be read.
    """
    with guarded("read", layout.identity):
        try:
            return layout.identity.read_text(encoding="ascii", errors="replace").strip()
        except (FileNotFoundError, NotADirectoryError):
            return ""
