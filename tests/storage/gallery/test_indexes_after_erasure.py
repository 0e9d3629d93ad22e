"""Erased crops are in no compacted index, and the upkeep knows of indexes."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from storage.disk.layout import CROPS_FILE, INDEX_FILE, StoreLayout
from storage.gallery import compacting
from storage.gallery.index_files import VECTORS_FILE, iter_index_dirs
from storage.upkeep import erasure
from storage.upkeep.erasure import erase_footage
from storage.upkeep.maintenance import collect_garbage, verify_store
from tests.storage.erased_stores import MORNING, OLD
from tests.storage.examples import make_key, make_rows, make_video, open_writer, unit_vectors

compact_store = partial(compacting.compact_store, min_rows=1)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "SETTLE_SECONDS", 0.0)


@pytest.fixture
def layout(filled: StoreLayout) -> StoreLayout:
    """A store with a video to erase whose vectors are like no other's."""
    with open_writer(filled, make_key("early")) as writer:
        writer.append(make_rows("early", unit_vectors(4, seed=77)))
        writer.publish([replace(make_video("early"), start_utc=MORNING)], seconds=1.0)
    return filled


TRACES = [row.tobytes() for row in unit_vectors(4, seed=77)]


def find(layout: StoreLayout, pieces: list[bytes]) -> list[Path]:
    files = [path for path in layout.root.rglob("*") if path.is_file()]
    return [path for path in files if any(piece in path.read_bytes() for piece in pieces)]


def test_what_is_erased_is_in_no_index(layout: StoreLayout) -> None:
    compact_store(layout)
    assert {path.name for path in find(layout, TRACES)} == {CROPS_FILE, INDEX_FILE}
    erase_footage(layout, [OLD])
    assert find(layout, TRACES) == []
    assert list(iter_index_dirs(layout)) == []
    compact_store(layout)
    assert find(layout, TRACES) == []
    assert verify_store(layout, deep=True).is_clean


@pytest.mark.parametrize("point", ["erasure.noted", "erasure.rests_published", "compaction.moved_aside"])
def test_an_interrupted_erasure_takes_the_index_when_it_is_finished(
    layout: StoreLayout, failing: list[str], point: str
) -> None:
    compact_store(layout)
    failing.append(point)
    with pytest.raises(KeyboardInterrupt):
        erase_footage(layout, [OLD])
    collect_garbage(layout)
    assert find(layout, TRACES) == []
    assert verify_store(layout, deep=True).is_clean


def test_verify_names_a_useless_index_and_gc_removes_it(layout: StoreLayout) -> None:
    compact_store(layout)
    (directory,) = iter_index_dirs(layout)
    (directory / VECTORS_FILE).write_bytes(b"short")
    report = verify_store(layout, deep=False)
    assert not report.is_clean
    assert any(str(directory) in problem for problem in report.problems)
    collected = collect_garbage(layout)
    assert directory in collected.removed
    assert verify_store(layout, deep=False).is_clean
