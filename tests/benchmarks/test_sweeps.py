"""The benchmark of sweeps."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.sweeps import Cost, Side, measure


def test_a_checkout_may_have_a_store_of_its_own() -> None:
    assert Side.read("/old", Path("/store")) == Side(code=Path("/old"), store=Path("/store"))
    assert Side.read("/old=/other", Path("/store")) == Side(code=Path("/old"), store=Path("/other"))


def test_checkouts_take_turns_and_the_first_round_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []

    def sweep(side: Side, arguments: Sequence[str], cost: Cost) -> None:
        turns.append(side.code.name)
        cost.cpu_seconds.append(float(len(turns)))

    monkeypatch.setattr("benchmarks.sweeps.sweep", sweep)
    sides = [Side(code=Path(name), store=Path("store")) for name in ("ours", "theirs")]
    costs = measure(sides, [], runs=2)
    assert turns == ["ours", "theirs"] * 3
    assert [cost.cpu_seconds for cost in costs] == [[3.0, 5.0], [4.0, 6.0]]


def test_a_line_says_how_far_hits_are_apart() -> None:
    first = Cost(wall_seconds=[1.0], cpu_seconds=[1.0], hits={"fall": 0.5, "run": 0.5})
    other = Cost(wall_seconds=[4.0, 2.0, 9.0], cpu_seconds=[3.0, 1.0, 2.0], hits={"fall": 0.75, "push": 0.5})
    line = other.line(first)
    assert line.startswith("2.00 (1.00 to 3.00) | 4.0 (2.0 to 9.0)")
    assert "2 hits, 1 of them as here, confidences at most 2.5e-01 apart" in line
