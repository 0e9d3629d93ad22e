"""The command that prints the settings in force."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from anomalylmm.errors import ConfigurationError
from anomalylmm.rerank.score import PRESETS
from flows.cli import app
from flows.settings.model import Settings

RUNNER = CliRunner()


def rows(*arguments: str) -> dict[str, dict[str, Any]]:
    result = RUNNER.invoke(app, ["settings", "--json", *arguments])
    assert result.exit_code == 0, result.output
    return {f"{row['section']}.{row['name']}": row for row in json.loads(result.stdout)}


def names_of(model: type[BaseModel], section: str = "") -> set[str]:
    names: set[str] = set()
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names |= names_of(kind, f"{section}.{name}".strip("."))
        else:
            names.add(f"{section}.{name}")
    return names


def test_every_setting_is_listed_and_described() -> None:
    listed = rows()
    assert set(listed) == names_of(Settings)
    assert all(row["description"] for row in listed.values())


def test_numbers_named_by_a_unit_have_it() -> None:
    units = {"seconds": "s", "pixels": "px", "fps": "frames/s", "mib": "MiB", "bytes": "bytes", "days": "days"}
    for name, row in rows().items():
        for ending, unit in units.items():
            assert row["unit"] == unit or not name.endswith(ending), name


def test_a_file_and_the_environment_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[[cameras]]\npattern = "{camera}/{any}"\n[decode]\nsample_fps = 4\n')
    monkeypatch.setenv("ANOMALYLMM_PROFILE", "cpu")
    monkeypatch.setenv("ANOMALYLMM_GATE__ENABLED", "no")
    listed = rows("--settings", str(file))
    (camera,) = listed[".cameras"]["value"]
    assert (camera["pattern"], camera["tiles"]) == ("{camera}/{any}", None)
    assert (listed["decode.sample_fps"]["value"], listed["decode.sample_fps"]["origin"]) == (4.0, str(file))
    assert (listed["gate.enabled"]["value"], listed["gate.enabled"]["origin"]) == (False, "ANOMALYLMM_GATE__ENABLED")
    assert (listed[".profile"]["value"], listed[".profile"]["origin"]) == ("cpu", "ANOMALYLMM_PROFILE")


def test_what_the_preset_decides_is_shown() -> None:
    row = rows("--profile", "gpu")["rerank.affirm_weight"]
    assert (row["value"], row["origin"]) == (PRESETS["default"].affirm_weight, "preset default")
    assert rows()["rerank.affirm_weight"]["origin"] == "profile pocket"


def test_the_text_fits_into_100_columns_and_has_no_control_characters(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'description = "\\u001b[2J and words that go on for a while, longer than one line of text has room"'
    )
    result = RUNNER.invoke(app, ["settings", "--profile", "cpu", "--settings", str(file)])
    assert max(map(len, result.stdout.splitlines())) <= 100
    assert "\x1b" not in result.stdout
    assert "[judge.endpoint]" in result.stdout.splitlines()
    assert "sample_fps = 3.0 frames/s" in result.stdout


def test_a_wrong_value_is_an_error_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[decode]\nsample_fps = -1\n")
    result = RUNNER.invoke(app, ["settings", "--settings", str(file)])
    assert isinstance(result.exception, ConfigurationError)
    assert result.exception.exit_code == 2
    assert "decode.sample_fps" in str(result.exception)
