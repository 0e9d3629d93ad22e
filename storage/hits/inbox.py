"""Searches and feedback, which anybody can leave without the writer's lock; the next writer saves them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from anomalylmm.errors import StoreError
from storage.disk.crashpoints import reach
from storage.disk.files import create_directories, digest_json, guarded, replace_file
from storage.disk.layout import StoreLayout
from storage.hits.rows import FeedbackRecord, SearchRecord
from storage.shards.schema import require_utc

RecordT = TypeVar("RecordT", SearchRecord, FeedbackRecord)


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
def take_in(layout: StoreLayout) -> Iterator[list[SearchRecord | FeedbackRecord]]:
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


def _read_all(layout: StoreLayout) -> dict[Path, Sequence[SearchRecord | FeedbackRecord]]:
    found = {path: _read(path) for path in sorted(layout.inbox.glob("*.json"))}
    return {path: records for path, records in found.items() if records}


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
