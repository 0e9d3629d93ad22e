"""Notifications about hits and problems, and that they never affect a run."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from anomalylmm.errors import ArchiveError, ConfigurationError, QueryError, StoreError
from flows.cli import app
from flows.export.exporting import ExportReport, Problem
from flows.runs.notifying import CALLER_ERRORS, notify_failure, notify_report, run_command
from flows.search.outcome import Result, SearchReport
from flows.settings.model import load_settings
from flows.settings.sections import NotifySettings
from flows.sweep.outcome import SweepReport
from storage.disk.layout import StoreLayout
from tests.fakes import FakeComposition
from tests.listeners import Notes

KEEP = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())"


def keeping(path: Path, **more: Any) -> NotifySettings:
    return NotifySettings(command=(sys.executable, "-c", KEEP, str(path)), **more)


def report(**changed: Any) -> SweepReport:
    plain = {
        "sweep_id": "s",
        "state": "Completed",
        "queries": (),
        "num_hits": 0,
        "num_new": 0,
        "num_incidents": 0,
        "num_calls": 0,
        "num_cached": 0,
        "seconds": 0.0,
        "warnings": (),
        "report_path": "",
    }
    return SweepReport(**{**plain, **changed})


@pytest.mark.parametrize(
    ("changed", "on", "events"),
    [
        ({"num_hits": 2, "num_new": 1}, ("hits", "degraded", "failed"), ["hits"]),
        ({"num_hits": 2, "num_new": 0}, ("hits", "degraded", "failed"), None),
        (
            {"num_hits": 2, "num_new": 2, "state": "Degraded", "warnings": ("\udcff $(rm)",)},
            ("hits", "degraded"),
            ["hits", "degraded"],
        ),
        ({"num_hits": 2, "num_new": 2}, ("failed",), None),
        ({}, ("hits", "degraded", "failed"), None),
    ],
)
def test_a_sweep_notifies_about_the_events_in_the_settings(
    changed: dict[str, Any], on: tuple[Any, ...], events: list[str] | None, tmp_path: Path
) -> None:
    listener = Notes()
    notify_report(keeping(tmp_path / "document", on=on), StoreLayout(tmp_path), "sweep", report(**changed), listener)
    assert listener.warnings == []
    assert (tmp_path / "document").exists() == (events is not None)
    if events is not None:
        document = json.loads((tmp_path / "document").read_text())
        assert (document["events"], document["work"], document["num_hits"]) == (events, "sweep", 2)
        assert document["warnings"] == list(changed.get("warnings", ()))


def test_a_failure_notifies_and_is_raised_again(tmp_path: Path) -> None:
    listener = Notes()
    layout = StoreLayout(tmp_path)
    with (
        pytest.raises(ArchiveError, match="gone"),
        notify_failure(keeping(tmp_path / "document"), layout, "index", listener),
    ):
        raise ArchiveError("gone")
    document = json.loads((tmp_path / "document").read_text())
    assert (document["state"], document["events"], document["message"]) == ("Failed", ["failed"], "gone")
    with pytest.raises(KeyboardInterrupt), notify_failure(keeping(tmp_path / "no"), layout, "index", listener):
        raise KeyboardInterrupt
    assert not (tmp_path / "no").exists()


def search_report(*accepted: bool, **changed: Any) -> SearchReport:
    results = tuple(
        Result(
            tracklet_id="t",
            camera="gate",
            when="now",
            video="gate/a.mp4",
            moment="0:01",
            cosine=0.1,
            z_score=1.0,
            judged=True,
            accepted=item,
            score=0.5,
            confidence=0.5,
            reason="red",
            slots=(),
            picture=b"jpeg",
        )
        for item in accepted
    )
    plain = {"text": "a person in red", "cloze": "", "results": results, "warnings": (), "num_crops": 9}
    more = {"num_candidates": 2, "num_calls": 2, "seconds": 0.1, "page_path": "page.html"}
    return SearchReport(**{**plain, **more, **changed})


@pytest.mark.parametrize(
    ("found", "on", "events"),
    [
        (search_report(True, False), ("hits", "degraded", "failed"), None),
        (search_report(True, False), ("hits", "search_hits"), ["search_hits"]),
        (search_report(False), ("search_hits",), None),
        (search_report(True, num_open=1), ("search_hits", "degraded"), ["search_hits", "degraded"]),
    ],
)
def test_a_search_notifies_about_the_events_in_the_settings(
    found: SearchReport, on: tuple[Any, ...], events: list[str] | None, tmp_path: Path
) -> None:
    notify_report(keeping(tmp_path / "document", on=on), StoreLayout(tmp_path), "search", found, Notes())
    assert (tmp_path / "document").exists() == (events is not None)
    if events is not None:
        document = json.loads((tmp_path / "document").read_text())
        assert (document["work"], document["events"], document["num_accepted"]) == ("search", events, 1)
        assert [result["camera"] for result in document["results"]] == ["gate"]


def test_an_incomplete_export_notifies(tmp_path: Path) -> None:
    problems = (Problem(hit_id="h", reason="no clip: it is gone"),)
    plain = {"output": "a.zip", "num_hits": 2, "num_clips": 1, "num_pictures": 2, "items": (), "seconds": 0.1}
    for given in ((), problems):
        report = ExportReport(problems=given, **plain)  # type: ignore[arg-type]
        notify_report(keeping(tmp_path / f"document{len(given)}"), StoreLayout(tmp_path), "export", report, Notes())
    assert not (tmp_path / "document0").exists()
    document = json.loads((tmp_path / "document1").read_text())
    assert (document["work"], document["events"], document["num_problems"]) == ("export", ["degraded"], 1)
    assert document["problems"] == [{"hit_id": "h", "reason": "no clip: it is gone"}]


def test_mistakes_of_the_caller_cause_no_notification(tmp_path: Path) -> None:
    settings, layout = keeping(tmp_path / "document"), StoreLayout(tmp_path)
    for error in (QueryError("no word"), ConfigurationError("nothing fits")):
        with (
            pytest.raises(type(error)),
            notify_failure(settings, layout, "search", Notes(), except_for=CALLER_ERRORS),
        ):
            raise error
    assert not (tmp_path / "document").exists()
    with pytest.raises(StoreError), notify_failure(settings, layout, "search", Notes(), except_for=CALLER_ERRORS):
        raise StoreError("the disk is full")
    assert json.loads((tmp_path / "document").read_text())["work"] == "search"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("/nowhere/program",), "can't be run"),
        ((sys.executable, "-c", "import sys; sys.exit('no mail today')"), "exited with 1: no mail today"),
        ((sys.executable, "-c", "import time; time.sleep(60)"), "took more than 0.3 s"),
        (("nul\0",), "can't be run"),
        ((sys.executable, "-c", "pass"), ""),
    ],
)
def test_a_failing_program_causes_a_warning(command: tuple[str, ...], said: str) -> None:
    settings = NotifySettings(command=command, timeout_seconds=0.3 if "sleep" in command[-1] else 30)
    problem = run_command(settings, {"reason": "x" * 200_000})
    assert said in problem
    assert bool(problem) == bool(said)


def test_the_commands_notify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def compose(profile: str | None, settings: Path | None) -> FakeComposition:
        return FakeComposition(load_settings(profile, settings, notify=keeping(tmp_path / "document").model_dump()))

    monkeypatch.setattr("flows.commands.index_and_sweep.compose", compose)
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive/a.mp4").write_text("no video")
    store = ["--store", str(tmp_path / "store"), "--quiet"]
    assert CliRunner().invoke(app, ["index", str(tmp_path / "archive"), *store]).exit_code == 0
    document = json.loads((tmp_path / "document").read_text())
    assert (document["events"], document["unreadable"][0]["path"]) == (["degraded"], "a.mp4")
    assert CliRunner().invoke(app, ["sweep", *store]).exit_code != 0
    document = json.loads((tmp_path / "document").read_text())
    assert (document["work"], document["state"]) == ("sweep", "Failed")
    assert "anomalylmm index" in document["message"]
