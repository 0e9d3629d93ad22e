"""Archives by address, with fsspec's memory in place of a server."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import fsspec
import pytest

from anomalylmm.errors import ArchiveError, UnreachedError, VideoError
from flows.archives import asking, remote
from flows.archives.copies import Copies
from flows.archives.remote import RemoteFiles, connect
from flows.export.sources import Sources
from flows.index.indexing import index_archive
from flows.index.listing.archive_files import list_archive
from flows.index.listing.content import content_digest
from storage.disk.addresses import is_address, to_address
from storage.disk.layout import StoreLayout
from storage.hits.gaps import list_archives
from storage.shards.quarantine import read_quarantine
from tests.fakes import compose, write_video

GATE, YARD = "gate/2026-03-14/10-00-00.mp4", "yard/2026-03-14/10-00-00.mp4"
ARCHIVE = Path("memory://footage/night")


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty file system in memory that fails at once."""
    monkeypatch.setattr(asking, "PAUSES_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(remote, "_connect", remote._connect.__wrapped__)  # no server remembers failures of other tests
    files = fsspec.filesystem("memory")
    files.store.clear()
    yield files
    files.store.clear()


def put(memory: Any, name: str, content: bytes) -> None:
    memory.pipe_file(f"/footage/night/{name}", content)


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    read, whole = [], RemoteFiles.read

    def counted(self: RemoteFiles, path: Path, pieces: Any) -> list[bytes]:
        read.append(path.name)
        return whole(self, path, pieces)

    monkeypatch.setattr(RemoteFiles, "read", counted)
    return read


@pytest.fixture
def clip(tmp_path: Path) -> bytes:
    write_video(tmp_path / "clip.mp4", [("red", 0, 2)], seconds=2.0)
    return (tmp_path / "clip.mp4").read_bytes()


def settings(tmp_path: Path, **archive: Any) -> Any:
    return compose(archive={"scratch": str(tmp_path), "settle_seconds": 0, **archive})


@pytest.mark.parametrize("address", ["s3://bucket/a/b", "memory://bucket", "file:///media/cameras"])
def test_an_address_comes_back_from_its_path(address: str) -> None:
    assert is_address(Path(address))
    assert to_address(Path(address)) == address


def test_a_folder_is_no_address() -> None:
    assert not any(map(is_address, [Path("/media/s3:/x"), Path("media"), Path("c:/x"), Path("s3:")]))


def test_an_address_is_listed_like_the_folder_with_the_same_files(memory: Any, tmp_path: Path) -> None:
    for name in (GATE, YARD, "#recycle/old.mp4", "gate/notes.txt", "gate/half.mp4.part"):
        put(memory, name, b"x")
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    local, listed = list_archive(tmp_path), list_archive(ARCHIVE)
    assert [path.relative_to(ARCHIVE) for path in listed.videos] == [
        path.relative_to(tmp_path) for path in local.videos
    ]
    assert listed.passed_over == local.passed_over


def test_a_second_run_reads_no_file_that_is_unchanged(
    memory: Any, clip: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(memory, GATE, clip)
    layout = StoreLayout(tmp_path / "store")
    report = index_archive(settings(tmp_path), layout, ARCHIVE)
    assert (report.state, report.total("num_videos")) == ("Completed", 1)
    assert list_archives(layout) == ("memory://footage/night",)
    assert [unit.camera for unit in report.units] == ["gate"]
    read = count_reads(monkeypatch)
    put(memory, YARD, clip + b"\0" * 8)
    again = index_archive(settings(tmp_path), layout, ARCHIVE)
    assert (again.known, again.total("num_videos")) == (1, 1)
    assert read.count("10-00-00.mp4") == len(read) > 0
    read.clear()
    assert index_archive(settings(tmp_path), layout, ARCHIVE).known == 2
    assert read == []
    assert [path.name for path in tmp_path.glob("anomalylmm-*/*")] == ["lock"]


def test_a_video_that_can_not_be_copied_is_tried_again_by_the_next_run(
    memory: Any, clip: bytes, tmp_path: Path
) -> None:
    put(memory, GATE, clip)
    layout = StoreLayout(tmp_path / "store")
    small = index_archive(settings(tmp_path, scratch_gib=1e-6), layout, ARCHIVE)
    assert small.state == "Degraded"
    assert "archive.scratch_gib" in small.unreadable[0].reason
    assert not read_quarantine(layout)
    assert index_archive(settings(tmp_path), layout, ARCHIVE).total("num_videos") == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError("no"), "access is denied (no); check the credentials"),
        (ConnectionError("cut"), "the server failed at every try, the last time with: cut"),
    ],
)
def test_a_server_that_fails_leaves_all_videos_to_the_next_run(
    memory: Any, clip: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, reason: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    put(memory, GATE, clip)
    layout = StoreLayout(tmp_path / "store")
    with monkeypatch.context() as patch:
        patch.setattr(type(memory), "cat_ranges", fail)
        failed = index_archive(settings(tmp_path), layout, ARCHIVE)
    assert failed.state == "Degraded"
    assert failed.unreadable[0].reason.startswith(reason)
    assert failed.unreadable[0].reason.endswith("the next run tries it again")
    assert not read_quarantine(layout)
    assert index_archive(settings(tmp_path), layout, ARCHIVE).total("num_videos") == 1


def test_a_file_that_changes_while_it_is_copied_is_refused(memory: Any, tmp_path: Path) -> None:
    put(memory, GATE, b"old content")
    path = ARCHIVE / GATE
    connect(path).status(path)
    list_archive(ARCHIVE)
    files = RemoteFiles(memory, asking.Server())
    files.list_folders(ARCHIVE)
    put(memory, GATE, b"new content")
    assert files.status(path) != files.status(path, fresh=True)


def test_what_a_killed_process_left_is_removed_by_the_next_copy(memory: Any, tmp_path: Path) -> None:
    put(memory, GATE, b"content")
    copies = Copies(tmp_path, 1 << 20)
    with copies.local(ARCHIVE / GATE) as local:
        assert local.read_bytes() == b"content"
        left = local.parents[1] / "copy-left"
        left.mkdir()
        (left / "video.mp4").write_bytes(b"x")
        with copies.local(ARCHIVE / GATE) as other:
            assert not left.exists()
            assert other != local
            assert local.exists()
    assert not local.exists()


def test_a_server_that_does_not_answer_is_left_alone_after_some_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PAUSES_SECONDS", ())
    asked = []

    def fail() -> None:
        asked.append(1)
        raise ConnectionError("http://me:secret@host/x?X-Amz-Signature=abc refused")

    server = asking.Server()
    for _ in range(asking.MAX_FAILURES + 2):
        with pytest.raises(OSError, match=r"the server (has )?failed") as caught:
            server.ask(fail)
        assert "secret" not in str(caught.value)
        assert "abc" not in str(caught.value)
    assert len(asked) == asking.MAX_FAILURES


def test_a_long_listing_goes_on_while_its_server_answers_and_ends_when_it_falls_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "PAUSES_SECONDS", ())
    monkeypatch.setattr(asking, "STALL_SECONDS", 0.5)
    questions, silent = list[int](), threading.Event()

    def answer() -> None:
        questions.append(1)
        raise PermissionError("refused, and so answered")

    assert asking.Server().ask(lambda: time.sleep(1.6) or "listed", 60, answer) == "listed"
    assert len(questions) > 1
    with pytest.raises(asking.NoAnswerError, match=r"no answer for 0\.5 s"):
        asking.Server().ask(lambda: silent.wait(20), 60, lambda: silent.wait(20))
    silent.set()


def test_where_a_person_waits_a_silent_server_is_asked_once_and_then_left_alone() -> None:
    server, asked, silent = asking.Server(), list[int](), threading.Event()

    def hang() -> None:
        asked.append(1)
        silent.wait(20)

    with asking.hurried(0.05):
        with pytest.raises(OSError, match=r"no answer for 0.05 s.*archive.wait_seconds"):
            server.ask(hang)
        with pytest.raises(OSError, match=r"no answer for 0.05 s\) and is left alone for 30 s"):
            server.ask(hang)
    silent.set()
    assert asked == [1]


def test_a_server_that_fails_does_not_make_a_video_one_that_has_changed(
    memory: Any, clip: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(memory, GATE, clip)
    path = tmp_path / "clip.mp4"
    video_id = content_digest(path)

    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("cut")

    for name in ("cat_ranges", "info"):
        with closing(Sources(ARCHIVE, Copies(tmp_path / "copies", 1 << 30))) as sources:
            with monkeypatch.context() as patch:
                patch.setattr(type(memory), name, fail)
                with pytest.raises(UnreachedError, match=f"{to_address(ARCHIVE / GATE)} can't be read: .*cut"):
                    sources.find(video_id, GATE, len(clip))
            assert sources.find(video_id, GATE, len(clip)).read_bytes() == clip
            with pytest.raises(VideoError, match="is not in the archive"):
                sources.find("another", YARD, len(clip))


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("nope://bucket/x", "no library knows"),
        ("memory://not/there", "no such folder or bucket"),
        ("ftp://user:secret@host/x", "contains a password"),
    ],
)
def test_an_address_that_can_not_be_used_is_explained(memory: Any, address: str, reason: str) -> None:
    with pytest.raises(ArchiveError, match=reason) as caught:
        list_archive(Path(address))
    assert "secret" not in str(caught.value)


def test_a_folder_needs_no_library_for_addresses(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from flows.index.listing.archive_files import list_archive; "
        f"list_archive(Path({str(tmp_path)!r})); sys.exit('fsspec' in sys.modules or 's3fs' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
