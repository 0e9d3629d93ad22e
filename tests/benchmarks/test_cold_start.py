"""The benchmark of starting commands."""

import subprocess
from pathlib import Path

import pytest

from benchmarks.cold_start import HERE, commands_of, measure, medians, time_command


def test_the_median_of_each_time_is_given() -> None:
    assert medians([(1.0, 0.1), (9.0, 0.2), (2.0, 0.9)]) == (2.0, 0.2)


def test_the_first_round_does_not_count_and_each_checkout_is_timed_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([(100.0, 100.0), (100.0, 100.0), (1.0, 0.1), (5.0, 0.5), (3.0, 0.3), (7.0, 0.7)])
    monkeypatch.setattr("benchmarks.cold_start.time_command", lambda code, arguments: next(times))
    found = measure([Path("ours"), Path("theirs")], {"help": ["--help"]}, runs=2)
    assert found == {"help": [(2.0, pytest.approx(0.2)), (6.0, pytest.approx(0.6))]}


def test_a_command_that_fails_is_not_timed(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        time_command(HERE, commands_of(tmp_path)["sql"])
