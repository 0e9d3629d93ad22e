"""Searches and feedback, which anybody can leave without the writer's lock; the next writer saves them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from anomalylmm.errors import StoreError
from storage.disk.crashpoints import reach
from storage.disk.files import create_directories, digest_json, guarded, replace_file
from storage.disk.layout import StoreLayout
from storage.hits.rows import FeedbackRecord, SearchRecord
from storage.shards.schema import require_utc

Inbox = tuple[list[SearchRecord], list[FeedbackRecord]]


def leave_search(layout: StoreLayout, search: SearchRecord) -> None:
    """Records a search, even while another process is writing.

    Raises:
        StoreError: If it can't be written.
    """
    _leave(layout, f"search-{search.search_id}.json", _to_json(search))


def leave_feedback(layout: StoreLayout, *feedback: FeedbackRecord) -> None:
    """Records feedback, even while another process is writing: all the entries or none.

    Raises:
        StoreError: If it can't be written.
    """
    if len(feedback) == 1:
        _leave(layout, f"feedback-{feedback[0].feedback_id}.json", _to_json(feedback[0]))
    elif feedback:
        name = digest_json([record.feedback_id for record in feedback])[:32]
        _leave(layout, f"feedback-{name}.json", [_to_json(record) for record in feedback])


@contextmanager
def take_in(layout: StoreLayout) -> Iterator[Inbox]:
    """The waiting entries; their files are removed if the block ends without an error. Damaged files stay."""
    waiting, read = _read_all(layout)
    if read:
        reach("inbox.read")
    yield waiting
    if read:
        reach("inbox.saved")
    for path in read:
        path.unlink(missing_ok=True)


def read_waiting(layout: StoreLayout) -> Inbox:
    """The waiting entries; they stay in the inbox."""
    return _read_all(layout)[0]


def _read_all(layout: StoreLayout) -> tuple[Inbox, list[Path]]:
    searches: list[SearchRecord] = []
    feedback: list[FeedbackRecord] = []
    read: list[Path] = []
    for path in sorted(layout.inbox.glob("*.json")):
        records = _read(path)
        searches += [record for record in records if isinstance(record, SearchRecord)]
        feedback += [record for record in records if isinstance(record, FeedbackRecord)]
        if records:
            read.append(path)
    return (searches, feedback), read


def _leave(layout: StoreLayout, name: str, content: Any) -> None:
    for directory in (layout.inbox, layout.temporary):
        with guarded("create", directory):
            create_directories(directory)
    replace_file(layout.inbox / name, json.dumps(content).encode(), scratch=layout.temporary)


def _to_json(record: SearchRecord | FeedbackRecord) -> dict[str, Any]:
    return {**asdict(record), "created_utc": require_utc("created_utc", record.created_utc).isoformat()}


def _read(path: Path) -> Sequence[SearchRecord | FeedbackRecord]:
    """The records of one file; none if it is damaged."""
    kind = SearchRecord if path.name.startswith("search-") else FeedbackRecord
    try:
        with guarded("read", path):
            content = json.loads(path.read_text(encoding="utf-8"))
        rows = content if isinstance(content, list) else [content]
        return [kind(**{**row, "created_utc": datetime.fromisoformat(row["created_utc"])}) for row in rows]
    except (StoreError, ValueError, TypeError, KeyError):
        return ()
