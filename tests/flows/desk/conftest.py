"""A store with two incidents, and a browser of a desk that serves a copy of it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.desk.clips import ClipShelf
from flows.desk.desk import Desk
from flows.desk.searches import Uploads
from flows.search.searcher import Searcher
from storage.disk.layout import StoreLayout
from storage.hits.board import Board
from tests.fakes import compose, index_and_sweep, write_video
from tests.flows.desk.browsing import Browser

QUERIES = """\
# what the night looks for
[[query]]
name = "red"
text = "a person in a red jacket walking"  # the thief's
floor = -10
accept = 0.5

[[query]]
name = "green"
text = "a person in a green jacket walking"
floor = -10
accept = 0.5
"""
VIDEO = "gate/2026-03-14/10-00-00.mp4"
COMPOSITION = compose(time_zone="Europe/Berlin")


@pytest.fixture(scope="session")
def desk_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk-archive")
    write_video(folder / VIDEO, [("red", 1, 3.5), ("green", 0, 4)], seconds=4)
    return folder


@pytest.fixture(scope="session")
def swept(desk_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> StoreLayout:
    """The store after one sweep; only read."""
    return index_and_sweep(COMPOSITION, tmp_path_factory.mktemp("desk-store"), desk_archive, QUERIES)


@pytest.fixture
def layout(swept: StoreLayout, tmp_path: Path) -> StoreLayout:
    return StoreLayout(shutil.copytree(swept.root, tmp_path / "store"))


@pytest.fixture
def desk(layout: StoreLayout, desk_archive: Path, tmp_path: Path) -> Iterator[Desk]:
    queries = tmp_path / "queries.toml"
    queries.write_text(QUERIES)
    board, clips = Board(layout), tmp_path / "clips"
    clips.mkdir()
    yield Desk(
        layout=layout,
        board=board,
        clips=ClipShelf(clips, layout, COMPOSITION.previews, desk_archive, COMPOSITION.copies, 20.0),
        composition=COMPOSITION,
        searcher=Searcher(COMPOSITION, layout),
        uploads=Uploads(clips),
        archive=desk_archive,
        queries_file=queries,
        user="ann",
    )
    board.close()


@pytest.fixture
def browser(desk: Desk) -> Iterator[Browser]:
    with Browser(desk) as found:
        yield found
