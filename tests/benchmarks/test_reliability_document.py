from pathlib import Path

import pytest

from benchmarks.reliability.document import write_document
from benchmarks.reliability.kept import Finding, find_or_try, read_kept
from benchmarks.reliability.section import Section

FAULT = "lost 3 rows"


def _section(*faults: str) -> Section:
    return Section(title="Kills", intro="Ended.", columns=("phase", "kills"), rows=(("index", 3),), faults=faults)


def test_a_part_that_is_kept_is_not_tried_again(tmp_path: Path) -> None:
    first = find_or_try(tmp_path / "keep", "kills", False, lambda: _section(FAULT))
    again = find_or_try(tmp_path / "keep", "kills", False, lambda: pytest.fail("it was tried again"))
    assert Finding.from_json(first.to_json()) == again
    assert again.section == _section(FAULT)


def test_a_short_part_is_not_taken_for_a_long_one(tmp_path: Path) -> None:
    find_or_try(tmp_path, "kills", True, _section)
    assert find_or_try(tmp_path, "kills", False, lambda: _section(FAULT)).section.faults == (FAULT,)


def test_what_is_kept_is_of_a_long_run_where_there_is_one(tmp_path: Path) -> None:
    assert read_kept(tmp_path, "kills") is None
    for is_short in (True, False):
        find_or_try(tmp_path, "kills", is_short, _section)
        kept = read_kept(tmp_path, "kills")
        assert kept is not None
        assert kept.is_short == is_short


def test_a_part_that_was_interrupted_leaves_nothing(tmp_path: Path) -> None:
    def end() -> Section:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_or_try(tmp_path, "kills", False, end)
    assert list(tmp_path.iterdir()) == []


def test_the_document_names_dates_faults_and_what_is_not_tried() -> None:
    finding = find_or_try(None, "kills", False, lambda: _section(FAULT))
    text = write_document([finding])
    assert f"| kills | long | {finding.began_utc:%Y-%m-%d %H:%M} | 0 | 1 |" in text
    assert "**fault:** kills: 1, see below" in text
    assert f"**fault:** {FAULT}" in text
    assert "Power cuts" in text
