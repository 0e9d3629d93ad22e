"""Searches and feedback of anybody at any time: noted without the writer's lock, taken in by the next writer."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from anomalylmm.errors import StoreError
from storage.files import create_directories, guarded, replace_file
from storage.layout import StoreLayout
from storage.records import FeedbackRecord, SearchRecord
from storage.schema import require_utc

Inbox = tuple[list[SearchRecord], list[FeedbackRecord]]


def leave_search(layout: StoreLayout, search: SearchRecord) -> None:
    """Logs a search while another process may be writing.

    Raises:
        StoreError: If it can't be noted.
    """
    _leave(layout, f"search-{search.search_id}.json", search)


def leave_feedback(layout: StoreLayout, feedback: FeedbackRecord) -> None:
    """Notes feedback while another process may be writing.

    Raises:
        StoreError: If it can't be noted.
    """
    _leave(layout, f"feedback-{feedback.feedback_id}.json", feedback)


@contextmanager
def take_in(layout: StoreLayout) -> Iterator[Inbox]:
    """What waits; the notes are removed when the block ends without an error. Damaged ones stay."""
    searches: list[SearchRecord] = []
    feedback: list[FeedbackRecord] = []
    read: list[Path] = []
    for path in sorted(layout.inbox.glob("*.json")):
        record = _read(path)
        if isinstance(record, SearchRecord):
            searches.append(record)
        elif isinstance(record, FeedbackRecord):
            feedback.append(record)
        if record is not None:
            read.append(path)
    yield searches, feedback
    for path in read:
        path.unlink(missing_ok=True)


def _leave(layout: StoreLayout, name: str, record: SearchRecord | FeedbackRecord) -> None:
    content = asdict(record)
    content["created_utc"] = require_utc("created_utc", record.created_utc).isoformat()
    for directory in (layout.inbox, layout.temporary):
        with guarded("create", directory):
            create_directories(directory)
    replace_file(layout.inbox / name, json.dumps(content).encode(), scratch=layout.temporary)


def _read(path: Path) -> SearchRecord | FeedbackRecord | None:
    kind = SearchRecord if path.name.startswith("search-") else FeedbackRecord
    try:
        with guarded("read", path):
            content = json.loads(path.read_text(encoding="utf-8"))
        content["created_utc"] = datetime.fromisoformat(content["created_utc"])
        return kind(**content)
    except (StoreError, ValueError, TypeError, KeyError):
        return None
