"""The switches of the dependencies: which are set, what the user may turn on, and that they come early enough."""

import subprocess
import sys

import pytest

from anomalylmm import offline
from anomalylmm.models.video.frames import child_environment

SWITCHES = """
import os, anomalylmm
print(anomalylmm.offline.SWITCHES.items() <= os.environ.items())
"""
OPENVINO = """
import anomalylmm, openvino.tools.ovc.telemetry_utils as used
print(used.tm.__name__)
"""
SERVER = """
import flows.index.flow
from prefect.settings import get_current_settings
print(get_current_settings().server.analytics_enabled)
"""
MILESTONES = """
import sys, prefect, flows.index.flow
sys.stdout.isatty = lambda: True
from prefect._internal.analytics import try_mark_milestone
print(try_mark_milestone("first_flow_run"))
"""


def in_a_fresh_process(program: str) -> str:
    environment = {name: value for name, value in child_environment().items() if name not in offline.SWITCHES}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.strip()


@pytest.mark.parametrize(
    ("program", "printed"),
    [(SWITCHES, "True"), (OPENVINO, "openvino.tools.ovc.telemetry_stub"), (SERVER, "False"), (MILESTONES, "False")],
    ids=["every switch is set", "OpenVINO uses its stand-in", "flows come before Prefect", "or after, in a worker"],
)
def test_importing_the_package_switches_telemetry_off(program: str, printed: str) -> None:
    assert in_a_fresh_process(program) == printed


@pytest.mark.parametrize(
    ("name", "value", "is_on"),
    [
        ("PREFECT_SERVER_ANALYTICS_ENABLED", "true", True),
        ("PREFECT_SERVER_ANALYTICS_ENABLED", "False", False),
        ("DO_NOT_TRACK", "0", True),
        ("DO_NOT_TRACK", "TRUE", False),
        ("ORT_DISABLE_TELEMETRY", "", False),
    ],
)
def test_what_the_user_has_turned_on_stays_on_and_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, is_on: bool
) -> None:
    monkeypatch.setenv(name, value)
    offline.switch_off()
    assert offline.find_switched_on() == [name] * is_on


def test_a_telemetry_package_that_was_imported_before_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, offline.OPENVINO_TELEMETRY, sys)
    offline.switch_off()
    assert offline.find_switched_on() == ["openvino_telemetry"]
