"""Searches and feedback, which anybody can leave without the writer's lock; the next writer saves them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from storage.disk.crashpoints import reach
from storage.disk.files import digest_json
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
    """The waiting records; their files are removed if the block ends without an error. Damaged files stay."""
    waiting = _read_all(layout)
    if waiting:
        reach("inbox.read")
    yield [record for records in waiting.values() for record in records]
    if waiting:
        reach("inbox.saved")
    for path in waiting:
        path.unlink(missing_ok=True)


def read_waiting(layout: StoreLayout, kind: type[RecordT]) -> list[RecordT]:
    """The waiting records of one kind; they stay in the inbox."""
    return [record for records in _read_all(layout).values() for record in records if isinstance(record, kind)]


def _read_all(layout: StoreLayout) -> dict[Path, Sequence[Waiting]]:
    found = {path: _read(path) for path in sorted(layout.inbox.glob("*.json"))}
    return {path: records for path, records in found.items() if records}


def _read(path: Path) -> Sequence[Waiting]:
    """The records of one file; none if it is damaged."""
    found = find_note(path, _SEARCH) if path.name.startswith("search-") else find_note(path, _FEEDBACK)
    return found if isinstance(found, list) else [found] if found else ()
