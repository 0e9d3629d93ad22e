"""The fault injection of erasures, in its short form."""

from pathlib import Path

from benchmarks.reliability.erasure import COLUMNS, POINTS, run


def test_nothing_of_erased_footage_is_left_however_the_erasure_was_interrupted(tmp_path: Path) -> None:
    section = run(tmp_path, short=True)
    assert section.faults == ()
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in section.rows]
    assert {row["killed at"] for row in rows} == {"", *POINTS}
    assert sum(int(row["pieces sought"]) for row in rows) > 100
    assert {row["found after"] for row in rows} == {0}
    assert all(int(row["found before"]) > 0 for row in rows)
