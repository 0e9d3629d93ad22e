"""The command line: help, exit codes, messages."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from flows.cli import app, main
from flows.commands.analysis import tell_apart
from flows.settings.model import load_settings
from tests.fakes import FakeComposition, write_video

RUNNER = CliRunner()
COMMANDS = sorted(typer.main.get_group(app).commands)


@pytest.fixture(autouse=True)
def _stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    def compose(profile: str | None, settings: Path | None) -> FakeComposition:
        return FakeComposition(load_settings(profile, settings))

    for module in ("checks", "index_and_sweep", "search"):
        monkeypatch.setattr(f"flows.commands.{module}.compose", compose)


def test_all_designed_commands_exist() -> None:
    assert set(COMMANDS) >= {"index", "sweep", "search", "sql", "report", "verify", "gc", "serve", "models", "doctor"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_an_example(command: str) -> None:
    result = RUNNER.invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"anomalylmm {command}" in " ".join(result.output.split())
    assert "Example" in result.output


def test_the_command_line_indexes_sweeps_and_searches(tmp_path: Path) -> None:
    store, queries = str(tmp_path / "store"), tmp_path / "queries.toml"
    write_video(tmp_path / "archive/gate/2026-03-14/10-00-00.mp4", [("red", 0, 5)])
    queries.write_text('[[query]]\nname = "red"\ntext = "a person in a red coat walking"\nfloor = -10\n')
    indexed = RUNNER.invoke(app, ["index", str(tmp_path / "archive"), "--store", store, "--json", "--quiet"])
    assert indexed.exit_code == 0, indexed.output
    assert json.loads(indexed.stdout)["tracklets"] == 1
    swept = RUNNER.invoke(app, ["sweep", "--store", store, "--queries", str(queries), "--quiet"])
    assert swept.exit_code == 0, swept.output
    assert "1 hits (1 new) in 1 incidents" in swept.stdout
    asked = RUNNER.invoke(app, ["sql", "select query_name, camera from hits", "--store", store, "--json"])
    assert json.loads(asked.stdout) == [{"query_name": "red", "camera": "gate"}]
    listed = RUNNER.invoke(app, ["sql", "--store", store])
    assert "incidents" in listed.stdout
    assert RUNNER.invoke(app, ["verify", "--store", store, "--deep"]).exit_code == 0
    next(Path(store).rglob("index.faiss")).write_bytes(b"")
    assert RUNNER.invoke(app, ["verify", "--store", store]).exit_code == 5
    repaired = RUNNER.invoke(app, ["verify", "--store", store, "--repair"])
    assert (repaired.exit_code, "rebuilt: " in repaired.stdout) == (0, True)
    assert Path(RUNNER.invoke(app, ["report", "--store", store]).stdout.strip()).exists()
    found = RUNNER.invoke(app, ["search", "a person in a red coat", "--store", store, "--json", "--quiet"])
    assert json.loads(found.stdout)["results"][0]["camera"] == "gate"


def test_the_tables_can_be_asked_before_the_first_sweep(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    write_video(tmp_path / "archive/gate/2026-03-14/10-00-00.mp4", [("red", 0, 5)])
    RUNNER.invoke(app, ["index", str(tmp_path / "archive"), "--store", store])
    sql = "select count(*) as a, (select count(*) from hits) as a from videos"
    asked = RUNNER.invoke(app, ["sql", sql, "--store", store, "--json"])
    assert json.loads(asked.stdout) == [{"a": 1, "a_2": 0}]
    assert "no sweep has run yet" in asked.stderr


def test_a_store_without_videos_says_so(tmp_path: Path) -> None:
    (tmp_path / "store" / "shards").mkdir(parents=True)
    asked = RUNNER.invoke(app, ["sql", "from crops", "--store", str(tmp_path / "store")])
    assert asked.exit_code == 0
    assert "no indexed video" in asked.stderr


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (["camera", "camera"], ["camera", "camera_2"]),
        (["a", "a", "a_2", "a"], ["a", "a_3", "a_2", "a_4"]),
        (["a_2", "a", "a"], ["a_2", "a", "a_3"]),
    ],
)
def test_columns_of_one_name_are_numbered(columns: list[str], names: list[str]) -> None:
    assert tell_apart(columns) == names


def test_strict_indexing_of_a_damaged_file_exits_with_8(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "a.mp4").write_text("no video")
    arguments = ["index", str(tmp_path / "archive"), "--store", str(tmp_path / "store"), "--strict", "--quiet"]
    result = RUNNER.invoke(app, arguments)
    assert result.exit_code == 8
    assert "a.mp4" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["index", "missing"], 4, "not a folder"),
        (["sql", "select 1", "--store", "nowhere"], 5, "anomalylmm index ARCHIVE"),
        (["verify", "--store", "nowhere"], 5, "not a store"),
        (["index", ".", "--profile", "giant"], 2, "pocket"),
        (["sweep", "--queries", "missing.toml", "--store", "nowhere"], 2, "missing.toml"),
        (["serve", "--time-zone", "Mars/X"], 2, "Europe/Berlin"),
    ],
)
def test_user_errors_give_one_message_and_an_exit_code(
    arguments: list[str],
    code: int,
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["anomalylmm", *arguments])
    monkeypatch.setattr("flows.cli.end_in_order", lambda: None)  # the signals stay those of the test
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    assert named in " ".join(capsys.readouterr().err.split())


def test_an_error_of_a_program_is_printed_without_a_traceback(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(Path(__file__).parents[3]), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "flows.cli", "gc", "--store", "nowhere"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert ran.returncode == 5, ran.stderr
    assert "not a store" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["settings"], ["settings", "--json"]])
def test_output_without_a_reader_ends_a_command_quietly(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-m", "flows.cli", *arguments]
    ran = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    os.close(writer)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_documented_commands_are_up_to_date() -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "typer", "flows.cli", "utils", "docs", "--name", "anomalylmm"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=root, check=True)
    written = (root / "docs/commands.md").read_text()
    assert written.strip() == ran.stdout.strip(), "run scripts/docs and commit docs/commands.md"


def test_importing_the_method_loads_no_model_library() -> None:
    question = "import sys, anomalylmm, anomalylmm.rerank.stages; print([m for m in sys.modules if m in sys.argv[1:]])"
    heavy = ["torch", "transformers", "ultralytics", "decord", "av", "prefect", "duckdb", "pyarrow", "faiss"]
    ran = subprocess.run([sys.executable, "-c", question, *heavy], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_dry_run_and_doctor_show_cameras_and_times_and_store_nothing(tmp_path: Path) -> None:
    write_video(tmp_path / "archive/Front Door 3-14-2026, 10.15.00am.mp4", [("red", 0, 1)])
    write_video(tmp_path / "archive/clip.mp4", [("red", 0, 1)])
    store = ["--store", str(tmp_path / "store")]
    shown = RUNNER.invoke(app, ["index", str(tmp_path / "archive"), "--dry-run", *store])
    assert shown.exit_code == 0, shown.output
    assert "camera Front Door, starts 2026-03-14 10:15:00 UTC, from the path" in shown.stdout
    assert "unsure: 1 of 2 files have no time in their path" in shown.stdout
    assert not (tmp_path / "store").exists()
    listed = RUNNER.invoke(app, ["index", str(tmp_path / "archive"), "--dry-run", "--json", *store])
    assert json.loads(listed.stdout)["cameras"] == {"Front Door": 1, "default": 1}
    examined = RUNNER.invoke(app, ["doctor", str(tmp_path / "archive"), *store])
    assert "camera Front Door" in examined.stdout
    assert "unsure: " in examined.stdout
