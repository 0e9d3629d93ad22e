"""The files that an operator copies: systemd accepts them, and our commands know the options in them."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from flows.cli import app

FOLDER = Path("docs/deploy")
PROGRAMS = "/opt/anomalylmm/.venv/bin/"
UNITS = sorted(path for path in FOLDER.iterdir() if path.suffix in (".service", ".timer"))


def command_lines(program: str) -> list[list[str]]:
    lines = [line for unit in UNITS for line in unit.read_text().splitlines() if line.startswith("ExecStart")]
    words = [shlex.split(line.partition("=")[2]) for line in lines]
    return [line[1:] for line in words if line[0] == f"{PROGRAMS}{program}"]


@pytest.mark.parametrize("line", command_lines("anomalylmm"), ids=lambda line: line[0])
def test_each_unit_gives_a_command_options_that_it_knows(line: list[str]) -> None:
    command = typer.main.get_command(app).commands[line[0]]  # type: ignore[attr-defined] - a group, as it has commands
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in line if word.startswith("--")} <= known


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze")
    stand_in = shutil.which("true")
    for unit in UNITS:
        lines = [_with_program(line, str(stand_in)) for line in unit.read_text().splitlines()]
        (tmp_path / unit.name).write_text("\n".join(line for line in lines if not line.startswith("WorkingDirectory")))
    command = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit.name) for unit in UNITS)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    complaints = [line for line in ran.stderr.splitlines() if "anomalylmm" in line]
    assert (ran.returncode, complaints) == (0, [])


def timer_lines() -> list[tuple[str, str]]:
    lines = [(unit.name, line) for unit in UNITS for line in unit.read_text().splitlines()]
    return [(name, line.partition("=")[2]) for name, line in lines if line.startswith("OnCalendar=")]


@pytest.mark.parametrize(("unit", "when"), timer_lines())
def test_each_timer_elapses_once_a_day(unit: str, when: str) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze")
    command = ["systemd-analyze", "calendar", "--base-time=2026-03-27 13:00:00 UTC", "--iterations=3", f"{when} UTC"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env={"TZ": "UTC"})
    elapses = [line.partition(": ")[2] for line in ran.stdout.splitlines() if re.search("Next elapse:|Iter. #", line)]
    hour = when.partition(" ")[2]
    assert elapses == [f"{day} {hour} UTC" for day in ("Sat 2026-03-28", "Sun 2026-03-29", "Mon 2026-03-30")]


def _with_program(line: str, stand_in: str) -> str:
    """The line with a program that is there in place of the one that is installed later."""
    if not line.startswith("ExecStart"):
        return line
    name, _, command = line.partition("=")
    return f"{name}={stand_in} {command.partition(' ')[2]}"
