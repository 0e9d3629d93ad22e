"""What ``doctor`` reports about telemetry."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app


@pytest.mark.parametrize(("value", "good"), [("true", False), ("false", True)])
def test_telemetry_that_the_environment_switches_on_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, good: bool
) -> None:
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", value)
    result = CliRunner().invoke(app, ["doctor", "--store", str(tmp_path / "store"), "--json"])
    (finding,) = [item for item in json.loads(result.stdout) if item["name"] == "telemetry"]
    assert finding["good"] == good
    assert ("PREFECT_SERVER_ANALYTICS_ENABLED" in finding["message"]) == (not good)
    assert (result.exit_code == 0) == good
