from pathlib import Path

from benchmarks.reliability.kills_content import compare
from benchmarks.reliability.together import run


def test_processes_at_work_together_neither_lose_nor_tear(tmp_path: Path) -> None:
    section = run(tmp_path, short=True)
    assert section.faults == ()
    (row,) = section.rows
    publishes, reads = int(row[2]), int(row[3])
    assert publishes >= 4
    assert reads >= 10


def test_a_comparison_finds_what_is_lost_and_what_is_there_twice() -> None:
    difference = compare(["a", "b", "b"], ["b", "b", "b", "c"])
    assert (difference.lost, difference.doubled) == (("a",), ("b", "c"))
