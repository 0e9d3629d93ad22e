"""Named points between the steps of a publish, where a test can end the process. Does nothing otherwise."""

from collections.abc import Callable

CRASH_POINTS = (
    "shard.crops_written",
    "shard.index_written",
    "shard.manifest_written",
    "shard.renamed",
    "sweep.rows_replaced",
    "sweep.committed",
    "snapshot.written",
    "snapshot.replaced",
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
