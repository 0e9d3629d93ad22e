from pathlib import Path

from tests.faults.content import compare
from tests.faults.kills.killing import POINTS, REACHED, run


def test_nothing_is_lost_or_doubled_by_kills(tmp_path: Path) -> None:
    ledger = run(tmp_path, short=True)
    assert ledger.broken == []
    assert ledger.tried[REACHED] == len(POINTS)
    assert ledger.tried.total() > 2 * len(POINTS)


def test_a_comparison_finds_what_is_lost_and_what_is_there_twice() -> None:
    difference = compare(["a", "b", "b"], ["b", "b", "b", "c"])
    assert (difference.lost, difference.doubled) == (("a",), ("b", "c"))
