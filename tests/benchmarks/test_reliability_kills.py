from pathlib import Path

from benchmarks.reliability.kills import POINTS, run


def test_nothing_is_lost_or_doubled_by_kills(tmp_path: Path) -> None:
    section = run(tmp_path, short=True)
    assert section.faults == ()
    assert section.rows[-1][0] == "all"
    assert int(section.rows[-1][3]) >= len(POINTS)
