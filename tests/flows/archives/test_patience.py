"""How long one run asks a server that fails."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from anomalylmm.errors import UnreachedError
from flows.archives.asking import REST_SECONDS
from flows.archives.copies import Copies
from flows.export.sources import Sources
from flows.index.listing.content import content_digest
from tests.faulty_server import ARCHIVE, FaultyServer, faulty_server

NAMES = ("a.mp4", "b.mp4", "c.mp4", "d.mp4")
TRIES = 3


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[FaultyServer]:
    with faulty_server(monkeypatch) as server:
        server.put(folder)
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_bytes(name.encode() * 100)
    return folder


def find(sources: Sources, folder: Path, name: str) -> str:
    """Looks for a video; gives its first letter, or why it could not be reached."""
    path = folder / name
    try:
        return sources.find(content_digest(path), name, path.stat().st_size).read_text()[0]
    except UnreachedError as error:
        return str(error)


@pytest.mark.parametrize("content_only", [False, True])
def test_a_server_that_does_not_answer_is_given_up_after_one_video(
    server: FaultyServer, folder: Path, tmp_path: Path, content_only: bool
) -> None:
    with closing(Sources(ARCHIVE, Copies(tmp_path, 1 << 20))) as sources:
        assert find(sources, folder, "a.mp4") == "a"
        with server.failing("silent", content_only=content_only):
            first, *others = [find(sources, folder, name) for name in NAMES[1:]]
            assert first.startswith("memory://footage/night/b.mp4 can't be read: the server failed at every try")
            assert all(other.startswith("memory://footage was given up in this run: ") for other in others)
            assert all("no answer for 0.3 s" in other for other in others)
            assert server.num_faults == TRIES


@pytest.mark.parametrize("fault", ["failing", "cut"])
def test_a_server_that_fails_is_given_up_after_two_videos(
    server: FaultyServer, folder: Path, tmp_path: Path, fault: str
) -> None:
    with closing(Sources(ARCHIVE, Copies(tmp_path, 1 << 20))) as sources, server.failing(fault, content_only=True):
        told = [find(sources, folder, name) for name in NAMES]
    assert ["given up" in text for text in told] == [False, False, True, True]
    assert server.num_faults == 2 * TRIES


@pytest.mark.parametrize("fault", ["denied", "failing", "cut"])
def test_a_video_that_its_server_can_not_read_costs_no_other(
    server: FaultyServer, folder: Path, tmp_path: Path, fault: str
) -> None:
    with closing(Sources(ARCHIVE, Copies(tmp_path, 1 << 20))) as sources:
        with server.failing(fault, where="b.mp4"):
            told = [find(sources, folder, name) for name in NAMES]
        assert [text[0] for text in told] == ["a", "m", "c", "d"]
        assert find(sources, folder, "b.mp4") == "b"


def test_a_video_that_was_copied_is_there_when_its_server_has_been_given_up(
    server: FaultyServer, folder: Path, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        sources = stack.enter_context(closing(Sources(ARCHIVE, Copies(tmp_path, 1 << 20))))
        assert find(sources, folder, "a.mp4") == "a"
        stack.enter_context(server.failing("silent"))
        assert "no answer" in find(sources, folder, "b.mp4")
        assert find(sources, folder, "a.mp4") == "a"


def test_the_next_run_asks_again(server: FaultyServer, folder: Path, tmp_path: Path) -> None:
    for _ in range(2):
        with closing(Sources(ARCHIVE, Copies(tmp_path, 1 << 20))) as sources, server.failing("silent"):
            assert "no answer" in find(sources, folder, "a.mp4")
            assert server.num_faults == TRIES


def test_a_server_that_knows_files_but_can_not_read_them_is_left_alone_by_all_runs(
    server: FaultyServer, folder: Path, tmp_path: Path
) -> None:
    with server.failing("failing", content_only=True):
        for _ in range(3):  # the fifth failure in a row is that of the third run's first video
            with closing(Sources(ARCHIVE, Copies(tmp_path, 1 << 20))) as sources:
                told = [find(sources, folder, name) for name in NAMES[:2]]
    assert f"left alone for {REST_SECONDS:.0f} s" in told[1]
