"""Searches and feedback, which anybody can leave without the writer's lock; the next writer saves them.

Feedback stays readable until it is published, which a sweep does hours after it has saved it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from storage.disk.crashpoints import reach
from storage.disk.files import create_directories, digest_json, guarded
from storage.disk.layout import StoreLayout
from storage.disk.notes import find_note, write_note
from storage.hits.rows import FeedbackRecord, SearchRecord

RecordT = TypeVar("RecordT", SearchRecord, FeedbackRecord)
Waiting = SearchRecord | FeedbackRecord
_SEARCH = TypeAdapter(SearchRecord)
_FEEDBACK: TypeAdapter[FeedbackRecord | list[FeedbackRecord]] = TypeAdapter(FeedbackRecord | list[FeedbackRecord])


def leave_search(layout: StoreLayout, search: SearchRecord) -> None:
    """Records a search, even while another process is writing.

    Raises:
        StoreError: If it can't be written.
    """
    write_note(layout, layout.inbox / f"search-{search.search_id}.json", search)


def leave_feedback(layout: StoreLayout, *feedback: FeedbackRecord) -> None:
    """Records feedback, even while another process is writing: all the entries or none.

    Raises:
        StoreError: If it can't be written.
    """
    if len(feedback) == 1:
        write_note(layout, layout.inbox / f"feedback-{feedback[0].feedback_id}.json", feedback[0])
    elif feedback:
        name = digest_json([record.feedback_id for record in feedback])[:32]
        write_note(layout, layout.inbox / f"feedback-{name}.json", [asdict(record) for record in feedback])


@contextmanager
def take_in(layout: StoreLayout) -> Iterator[list[Waiting]]:
    """The waiting records; they leave the inbox if the block ends without an error. Damaged files stay.

    Raises:
        StoreError: If feedback can't be kept for its readers.
    """
    waiting = _read_all(layout.inbox)
    if waiting:
        reach("inbox.read")
    yield [record for records in waiting.values() for record in records]
    if waiting:
        reach("inbox.saved")
    for path, records in waiting.items():
        if layout.snapshot.exists() and isinstance(records[0], FeedbackRecord):
            with guarded("move", path):
                create_directories(layout.unpublished)
                path.replace(layout.unpublished / path.name)
        else:
            path.unlink(missing_ok=True)


def forget_published(layout: StoreLayout) -> None:
    """Removes the feedback that was kept for its readers, once the published database has it."""
    for path in layout.unpublished.glob("*.json"):
        path.unlink(missing_ok=True)


def read_waiting(layout: StoreLayout, kind: type[RecordT]) -> list[RecordT]:
    """The records of one kind that are not published yet; a file that a writer moves meanwhile is still read."""
    folders = (layout.inbox, layout.unpublished)  # in the order in which files move
    found = {path.name: records for folder in folders for path, records in _read_all(folder).items()}
    return [record for records in found.values() for record in records if isinstance(record, kind)]


def _read_all(folder: Path) -> dict[Path, Sequence[Waiting]]:
    found = {path: _read(path) for path in sorted(folder.glob("*.json"))}
    return {path: records for path, records in found.items() if records}


def _read(path: Path) -> Sequence[Waiting]:
    """The records of one file; none if it is damaged."""
    found = find_note(path, _SEARCH) if path.name.startswith("search-") else find_note(path, _FEEDBACK)
    return found if isinstance(found, list) else [found] if found else ()
