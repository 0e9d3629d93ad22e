from pathlib import Path

from benchmarks.reliability.disk import TROUBLES, run


def test_what_is_missing_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    section = run(tmp_path, short=True)
    assert section.faults == ()
    assert len(section.rows) == 2 * len(TROUBLES)
    said = {str(row[0]): row[3] for row in section.rows if row[1] == "sweep"}
    assert said["leave for large files (ulimit -f)"] == 1  # needs no mount, so it is tried everywhere
