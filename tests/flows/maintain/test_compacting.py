"""The command and the flow that compact a store's indexes."""

import json
from pathlib import Path

from typer.testing import CliRunner

from flows.cli import app
from flows.maintain.flow import maintain
from flows.settings.forms import MaintainForm
from storage.disk.layout import StoreLayout
from storage.disk.locks import writer_lock
from storage.gallery.index_files import iter_index_dirs
from tests.storage.examples import make_rows, publish_shard, unit_vectors

RUNNER = CliRunner()


def fill(root: Path) -> StoreLayout:
    layout = StoreLayout(root)
    for number, name in enumerate("ab"):
        publish_shard(layout, name, make_rows(name, unit_vectors(600, number)))
    return layout


def test_the_command_reports_its_work_and_has_none_the_second_time(tmp_path: Path) -> None:
    layout = fill(tmp_path)
    first = RUNNER.invoke(app, ["compact", "--store", str(tmp_path)])
    assert first.exit_code == 0
    assert "made 1 indexes from 2 shards (1200 crops" in first.stdout
    assert len(list(iter_index_dirs(layout))) == 1
    again = RUNNER.invoke(app, ["compact", "--store", str(tmp_path), "--json"])
    assert json.loads(again.stdout) == {"built": [], "removed": [], "num_indexes": 1, "num_loose": 0}


def test_a_missing_store_and_a_busy_one_have_exit_codes(tmp_path: Path) -> None:
    missing = RUNNER.invoke(app, ["compact", "--store", str(tmp_path / "missing")])
    assert getattr(missing.exception, "exit_code", None) == 5
    layout = fill(tmp_path)
    with writer_lock(layout.locks / "indexes.lock"):
        busy = RUNNER.invoke(app, ["compact", "--store", str(tmp_path)])
    assert getattr(busy.exception, "exit_code", None) == 6


def test_the_flow_compacts(tmp_path: Path) -> None:
    layout = fill(tmp_path)
    state = maintain.fn(MaintainForm(store=str(tmp_path), profile="pocket", action="compact indexes"))
    assert state.is_completed()
    assert "2 shards" in (state.message or "")
    assert len(list(iter_index_dirs(layout))) == 1
