"""Named points between the steps of a publish, where a test can kill the process. Does nothing otherwise."""

from collections.abc import Callable

_STEPS = {  # by what is written
    "shard": "crops_written index_written manifest_written moved_aside renamed",
    "index": "rebuilt",
    "file": "written replaced",  # any file replaced in one step: notes, pictures, pages, a repaired manifest
    "database": "created",
    "inbox": "read saved",
    "query": "saved",
    "judgements": "cached",
    "sweep": "rows_replaced committed published",
    "shards": "listed",
    "snapshot": "written replaced",
    "compaction": "codes_written rows_written manifest_written renamed moved_aside",
    "growth": "rests_published rows_moved shards_removed",
    "mending": "published rows_moved shards_removed",
    "erasure": "noted rests_published shards_removed rows_deleted rows_committed database_copied database_replaced "
    "published leftovers_removed finished",
}
CRASH_POINTS = tuple(f"{what}.{step}" for what, steps in _STEPS.items() for step in steps.split())
hooks: list[Callable[[str], None]] = []  # called at each crash point of this process


def reach(name: str) -> None:
    """Tells the hooks that the crash point ``name`` has been passed."""
    for hook in hooks:
        hook(name)
