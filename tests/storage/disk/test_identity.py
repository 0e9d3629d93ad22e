"""The id by which workers on several machines know a store."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from storage.disk.identity import find_identity, identify_store
from storage.disk.layout import StoreLayout


def test_a_store_keeps_the_id_that_it_was_given(tmp_path: Path) -> None:
    layout, other = StoreLayout(tmp_path / "a"), StoreLayout(tmp_path / "b")
    for store in (layout, other):
        store.create()
    assert not find_identity(layout)
    assert identify_store(layout) == identify_store(layout) == find_identity(layout)
    assert identify_store(other) != identify_store(layout)


def test_processes_that_begin_together_agree_on_one_id(tmp_path: Path) -> None:
    layout = StoreLayout(tmp_path)
    layout.create()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: identify_store(layout), range(8)))
    assert len({identify_store(layout) for _ in range(3)}) == 1


def test_an_id_that_was_not_written_before_the_process_died_is_written_again(tmp_path: Path) -> None:
    layout = StoreLayout(tmp_path)
    layout.create()
    layout.identity.touch()
    assert len(identify_store(layout)) == 32


def test_a_folder_that_is_missing_has_no_id(tmp_path: Path) -> None:
    assert not find_identity(StoreLayout(tmp_path / "missing"))
    (tmp_path / "file").touch()
    assert not find_identity(StoreLayout(tmp_path / "file"))
