from pathlib import Path

from benchmarks.reliability.hostile import run


def test_no_hostile_input_is_let_through(tmp_path: Path) -> None:
    section = run(tmp_path, short=True)
    assert section.faults == ()
    kind, tried, through = section.rows[-1]
    assert (kind, through) == ("all", 0)
    assert int(tried) >= 100
