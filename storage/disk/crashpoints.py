"""Named points between the steps of a publish, where a test can end the process. Does nothing otherwise."""

from collections.abc import Callable

CRASH_POINTS = (
    "shard.crops_written",
    "shard.index_written",
    "shard.manifest_written",
    "shard.moved_aside",
    "shard.renamed",
    "index.rebuilt",
    "file.written",  # whatever is replaced whole: notes, quarantine, pictures, pages, a repaired manifest
    "file.replaced",
    "database.created",
    "inbox.read",
    "inbox.saved",
    "query.saved",
    "judgements.cached",
    "sweep.rows_replaced",
    "sweep.committed",
    "shards.listed",
    "sweep.published",
    "snapshot.written",
    "snapshot.replaced",
    "compaction.codes_written",
    "compaction.rows_written",
    "compaction.manifest_written",
    "compaction.renamed",
    "compaction.moved_aside",
    "erasure.noted",
    "erasure.rests_published",
    "erasure.shards_removed",
    "erasure.rows_deleted",
    "erasure.rows_committed",
    "erasure.database_copied",
    "erasure.database_replaced",
    "erasure.published",
    "erasure.leftovers_removed",
    "erasure.finished",
)
_hooks: list[Callable[[str], None]] = []


def reach(name: str) -> None:
    """Tells the installed hooks that the point ``name`` is passed."""
    for hook in _hooks:
        hook(name)


def install(hook: Callable[[str], None]) -> None:
    """Has ``hook`` called at each crash point of this process, for fault injection."""
    _hooks.append(hook)


def uninstall(hook: Callable[[str], None]) -> None:
    """Takes back what ``install`` did."""
    _hooks.remove(hook)
