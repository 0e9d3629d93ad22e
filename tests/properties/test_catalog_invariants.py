"""Whatever happens to a store, its gallery is the same through the catalog and without it."""

import os
import shutil
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.disk.layout import CROPS_FILE, INDEX_FILE, MANIFEST_FILE, StoreLayout
from storage.gallery import catalog
from storage.gallery.catalog import catalog_path
from storage.gallery.compacting import compact_store
from storage.gallery.gallery import Gallery, iter_shard_dirs
from storage.upkeep import erasure
from storage.upkeep.erasure import erase_footage
from storage.upkeep.erasure_log import ErasureRule
from storage.upkeep.maintenance import collect_garbage
from tests.storage.erased_stores import publish_videos
from tests.storage.examples import NOON, PIPELINE
from tests.storage.gallery.test_catalog import say

TICK = 0.02  # longer than a tick of the file system's clock
OPERATIONS = st.sampled_from(
    "publish publish publish publish erase compact gc touch rewrite edit cut cut unlink clear move spoil forget".split()
)
OFTEN = st.sampled_from([True, True, False])


@pytest.mark.parametrize("settle_seconds", [0.0, 2 * TICK])
def test_a_catalog_changes_nothing_but_the_time(monkeypatch: pytest.MonkeyPatch, settle_seconds: float) -> None:
    monkeypatch.setattr(erasure, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(catalog, "SETTLE_SECONDS", settle_seconds)
    _try_sequences()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(OPERATIONS, st.integers(0, 5), OFTEN), min_size=3, max_size=12))
def _try_sequences(steps: list[tuple[str, int, bool]]) -> None:
    with TemporaryDirectory() as root:
        layout = StoreLayout(Path(root) / "store")
        layout.create()
        for operation, number, is_opened in steps:
            _OPERATIONS.get(operation, _harm)(layout, operation, number)
            if is_opened:
                assert say(Gallery.open(layout, PIPELINE)) == say(Gallery.open(layout, PIPELINE, cataloged=False))
            time.sleep(TICK)
        assert say(Gallery.open(layout, PIPELINE)) == say(Gallery.open(layout, PIPELINE, cataloged=False))


def _publish(layout: StoreLayout, _: str, number: int) -> None:
    names = {f"v{number}": NOON, f"w{number}": NOON + timedelta(hours=number)}
    publish_videos(layout, names, camera="gate" if number % 2 else "yard")


def _erase(layout: StoreLayout, _: str, number: int) -> None:
    rule = ErasureRule(videos=(f"video-v{number}",)) if number < 4 else ErasureRule(cameras=("gate",))
    erase_footage(layout, [rule])


def _collect(layout: StoreLayout, _: str, number: int) -> None:
    collect_garbage(layout, grace_seconds=0.0, remove_invalid=number % 2 == 0)


def _compact(layout: StoreLayout, _: str, number: int) -> None:
    compact_store(layout)


def _move(layout: StoreLayout, _: str, number: int) -> None:
    """Moves a shard to a place that is not its own, or away."""
    for directory in list(iter_shard_dirs(layout))[number : number + 1]:
        target = directory.with_name(f"{directory.name}x") if number % 2 else layout.root / f"moved-{time.time_ns()}"
        if not target.exists():
            directory.rename(target)


def _harm(layout: StoreLayout, operation: str, number: int) -> None:
    """Does something to a file of a shard, or to the catalog."""
    directories = list(iter_shard_dirs(layout))
    directory = directories[number % len(directories)] if directories else layout.root / "none"
    name = (CROPS_FILE, INDEX_FILE, MANIFEST_FILE)[number % 3]
    paths = {
        "edit": directory / MANIFEST_FILE,
        "clear": directory,
        "spoil": catalog_path(layout, PIPELINE),
        "forget": layout.catalogs,
    }
    path = paths.get(operation, directory / name)
    if path.exists():
        _HARMS[operation](path)


def _edit(path: Path) -> None:
    """Changes one digit and puts back the time of the last change."""
    state, content = path.stat(), path.read_bytes()
    path.write_bytes(content.replace(b'"rows": 8', b'"rows": 9'))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


_HARMS: dict[str, Callable[[Path], object]] = {
    "touch": os.utime,
    "rewrite": lambda path: path.write_bytes(path.read_bytes()),
    "edit": _edit,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "unlink": Path.unlink,
    "clear": shutil.rmtree,
    "spoil": lambda path: path.write_bytes(path.read_bytes()[::-1]),
    "forget": shutil.rmtree,
}
_OPERATIONS: dict[str, Callable[[StoreLayout, str, int], None]] = {
    "publish": _publish,
    "erase": _erase,
    "compact": _compact,
    "gc": _collect,
    "move": _move,
}
