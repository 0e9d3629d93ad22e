"""Exports from an archive by address whose server fails: what could not be reached is named, and made up for."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from anomalylmm.errors import ArchiveError, ConfigurationError
from flows.cli import app
from flows.export.choice import Choice
from flows.export.clips import ClipStyle
from flows.export.earlier import read_put_off
from flows.export.exporting import ExportReport, ExportRequest, export_hits
from storage.disk.layout import StoreLayout
from tests.fakes import FakeComposition, compose, index_and_sweep, write_video
from tests.faulty_server import ARCHIVE, FaultyServer, faulty_server

QUERIES = '[[query]]\nname = "red"\ntext = "a person in a red jacket walking"\nfloor = -10\n'
CAMERAS = ("dock", "gate", "yard")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyServer]:
    folder = tmp_path_factory.mktemp("archive")
    for number, camera in enumerate(CAMERAS):
        write_video(folder / camera / "2026-03-14/10-00-00.mp4", [("red", number, 6)])
    with pytest.MonkeyPatch.context() as patch, faulty_server(patch) as server:
        server.put(folder)
        yield server


@pytest.fixture(scope="module")
def composition(tmp_path_factory: pytest.TempPathFactory) -> FakeComposition:
    return compose(archive={"scratch": str(tmp_path_factory.mktemp("scratch")), "settle_seconds": 0})


@pytest.fixture(scope="module")
def store(server: FaultyServer, composition: FakeComposition, tmp_path_factory: pytest.TempPathFactory) -> StoreLayout:
    return index_and_sweep(composition, tmp_path_factory.mktemp("store"), ARCHIVE, QUERIES)


def export(
    composition: FakeComposition, store: StoreLayout, output: Path, choice: Choice | None = None
) -> ExportReport:
    request = ExportRequest(
        output=output,
        choice=choice or Choice(query_name="red"),
        archive=ARCHIVE,
        style=ClipStyle(blur=False),
    )
    return export_hits(composition, store, request)


def test_a_silent_server_is_given_up_once_and_a_later_export_makes_what_is_missing(
    server: FaultyServer, composition: FakeComposition, store: StoreLayout, tmp_path: Path
) -> None:
    with server.failing("silent", content_only=True):
        first = export(composition, store, tmp_path / "first.zip")
    assert server.num_faults == 3  # the tries for one video
    assert (first.state, first.num_hits, first.num_clips, first.num_pictures) == ("Degraded", 3, 0, 3)
    assert first.num_put_off == 3
    assert ["given up in this run" in problem.reason for problem in first.problems] == [False, True, True]
    with zipfile.ZipFile(tmp_path / "first.zip") as packed:
        named = json.loads(packed.read("manifest.json"))["put_off"]
    assert set(named) == {problem.hit_id for problem in first.problems}
    second = export(composition, store, tmp_path / "second", Choice(put_off=read_put_off(tmp_path / "first.zip")))
    assert (second.state, second.num_clips) == ("Completed", 3)
    with pytest.raises(ConfigurationError, match="put no hit off"):
        read_put_off(tmp_path / "second")


@pytest.mark.parametrize("fault", ["denied", "failing", "cut", "silent"])
def test_one_video_that_fails_costs_no_other_its_clip(
    server: FaultyServer, composition: FakeComposition, store: StoreLayout, tmp_path: Path, fault: str
) -> None:
    choice = Choice(sql="select hit_id from hits order by camera = 'yard'")
    with server.failing(fault, where="dock"):
        first = export(composition, store, tmp_path / "first", choice)
    at_most = 1 if fault != "silent" else 3
    assert 1 <= first.num_put_off <= at_most
    rest = export(
        composition, store, tmp_path / "rest", Choice(put_off=(*read_put_off(tmp_path / "first"), "erased since"))
    )
    assert (rest.num_hits, rest.num_clips, rest.state) == (first.num_put_off, first.num_put_off, "Completed")


def test_an_export_of_which_nothing_can_be_reached_is_refused(
    server: FaultyServer, composition: FakeComposition, store: StoreLayout, tmp_path: Path
) -> None:
    with server.failing("silent"), pytest.raises(ArchiveError, match="no answer") as caught:
        export(composition, store, tmp_path / "none")
    assert caught.value.exit_code == 4
    assert not (tmp_path / "none").exists()


def test_what_is_no_export_has_put_nothing_off(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no zip file")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/manifest.json").write_text("[]")
    for name in ("text", "folder", "nowhere"):
        with pytest.raises(ConfigurationError, match="no export that can be read"):
            read_put_off(tmp_path / name)


def test_the_command_says_how_to_make_up_for_it(
    server: FaultyServer,
    composition: FakeComposition,
    store: StoreLayout,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flows.commands.export.compose", lambda *_: composition)
    shared = ["--store", str(store.root), "--archive", "memory://footage/night", "--quiet", "--no-blur", "--strict"]
    first, rest = str(tmp_path / "first"), str(tmp_path / "rest")
    with server.failing("cut", content_only=True):
        ran = CliRunner().invoke(app, ["export", first, *shared, "--query", "red"])
    assert ran.exit_code == 8
    assert "3 clips are missing because their videos could not be reached; when they can be: " in ran.stdout
    assert f"--put-off-by {first}" in ran.stdout
    assert CliRunner().invoke(app, ["export", rest, *shared, "--put-off-by", first]).exit_code == 0
