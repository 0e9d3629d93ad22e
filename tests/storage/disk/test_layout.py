import errno
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalylmm.errors import StoreError
from storage.disk.files import find_remedy, guarded
from storage.disk.layout import ShardKey, StoreLayout, encode_name, make_shard_id
from tests.storage.examples import make_key

HOSTILE_NAMES = ["../x\n'", "..", ".", "", "/etc", "a/b", "*?[x]", "c:\\x", "%2E", "~", "\udcff", "é" * 300, "-rf"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_camera_name_is_one_folder_below_its_pipeline(name: str) -> None:
    directory = StoreLayout(Path("/store")).shard_dir(make_key("a", camera=name))
    inside = directory.relative_to("/store/shards/p1")
    assert len(inside.parts) == 3
    assert Path(os.path.normpath(directory)) == directory


@given(st.text(), st.text())
def test_different_names_are_encoded_differently(first: str, second: str) -> None:
    assert (encode_name(first) == encode_name(second)) == (first == second)


@given(st.text(st.characters(codec=None), max_size=400))
def test_an_encoded_name_fits_the_file_system(name: str) -> None:
    try:
        encoded = encode_name(name)
    except UnicodeEncodeError:
        return  # a lone surrogate that can't come from a file name
    assert 0 < len(encoded) <= 200
    assert not set(encoded) & set("/\\*?[]'\"\n\0 ")
    assert not encoded.startswith(".")


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a\n", "x" * 129])
def test_an_id_that_could_lead_out_of_its_directory_is_refused(name: str) -> None:
    with pytest.raises(StoreError, match="shard_id must be"):
        make_key(name)


def test_an_invalid_date_is_refused() -> None:
    with pytest.raises(StoreError, match="2026-03-01"):
        ShardKey(pipeline_digest="p", camera="c", date="yesterday", shard_id="s")


def test_a_shard_id_does_not_depend_on_the_order_of_videos() -> None:
    assert make_shard_id(["b", "a"], "p") == make_shard_id(["a", "b"], "p") != make_shard_id(["a", "b"], "q")


def test_a_store_below_a_file_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=r"file/store"):
        StoreLayout(tmp_path / "file" / "store").check_writable()


def test_checking_leaves_nothing_behind(layout: StoreLayout) -> None:
    layout.check_writable()
    assert [path for path in layout.root.rglob("*") if path.is_file()] == []


def test_a_probe_that_a_killed_process_left_is_removed_by_the_next(layout: StoreLayout, failing: list[str]) -> None:
    failing.append("file.replaced")
    with pytest.raises(KeyboardInterrupt):
        layout.check_writable()
    assert len(list(layout.shards.iterdir())) == 1
    layout.check_writable()
    assert list(layout.shards.iterdir()) == []


@pytest.mark.parametrize(
    ("num_inodes", "room_bytes", "remedy"),
    [
        (2, 1 << 30, r"no inodes left \(see df -i\)"),
        (1000, 0, "Free space"),
        (2, 8192, "Free space"),  # as in file systems that create inodes from free space
    ],
)
def test_a_lack_of_inodes_is_distinguished_from_a_lack_of_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_inodes: int, room_bytes: int, remedy: str
) -> None:
    state = SimpleNamespace(f_files=5000, f_favail=num_inodes, f_bavail=room_bytes // 4096, f_frsize=4096)
    monkeypatch.setattr(os, "statvfs", lambda _: state)
    with pytest.raises(StoreError, match=remedy), guarded("write", tmp_path / "a" / "b"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert re.search(remedy, find_remedy("IO Error: No space left on device", tmp_path / "working.duckdb"))
    assert find_remedy("IO Error: something else", tmp_path) == ""
