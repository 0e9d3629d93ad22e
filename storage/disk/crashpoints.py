"""Named points between the steps of a publish, where a test can kill the process. Does nothing otherwise."""

from collections.abc import Callable

CRASH_POINTS = (
    "shard.crops_written",
    "shard.index_written",
    "shard.manifest_written",
    "shard.moved_aside",
    "shard.renamed",
    "index.rebuilt",
    "file.written",  # any file replaced in one step: notes, pictures, pages, a repaired manifest
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
hooks: list[Callable[[str], None]] = []  # called at each crash point of this process


def reach(name: str) -> None:
    """Tells the hooks that the crash point ``name`` has been passed."""
    for hook in hooks:
        hook(name)
