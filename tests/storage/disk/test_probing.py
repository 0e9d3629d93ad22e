"""What a store relies on is tried on its file system."""

import fcntl
import os
from pathlib import Path

import pytest

from anomalylmm.errors import StoreError
from storage.disk.probing import describe_file_system, kind_of


def test_a_good_file_system_is_described_and_left_empty(tmp_path: Path) -> None:
    assert describe_file_system(tmp_path).startswith("renames, flushes, locks and claims work on ")
    assert not list(tmp_path.iterdir())


def test_locks_that_exclude_nobody_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda descriptor, how: None)
    with pytest.raises(StoreError, match=r"two holders had one lock\. Mount it with locks"):
        describe_file_system(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_system_whose_folders_keep_no_times_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    utime = os.utime

    def keep(path: Path, *times: object) -> None:
        if not Path(path).is_dir():
            utime(path, *times)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "utime", keep)
    with pytest.raises(StoreError, match=r"Claims don't work on the file system of .*\. Let one machine use the store"):
        describe_file_system(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_failing_rename_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(StoreError, match=f"in {tmp_path}: Invalid cross-device link"):
        describe_file_system(tmp_path)


def test_the_longest_mount_that_holds_the_folder_counts(tmp_path: Path) -> None:
    mounts, inner = tmp_path / "mounts", tmp_path / "with space" / "store"
    inner.mkdir(parents=True)
    escaped = str(inner.parent).replace(" ", "\\040")
    mounts.write_text(f"disk / ext4 rw 0 0\nserver:/share {escaped} nfs4 rw 0 0\nbroken line\n", encoding="utf-8")
    assert kind_of(inner, mounts) == "nfs4"
    assert kind_of(tmp_path, mounts) == "ext4"
    assert kind_of(inner, tmp_path / "none") == ""


def test_a_shared_file_system_is_said_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.disk.probing.kind_of", lambda folder: "nfs4")
    assert "run doctor on each machine that uses the store" in describe_file_system(tmp_path)
