"""What a kind of fault found is counted, shown and kept."""

from pathlib import Path

import pytest

from tests.faults.ledger import Ledger, find_or_try


def find() -> Ledger:
    ledger = Ledger()
    ledger.count("index, killed")
    ledger.count("index, killed", "lost 3\nrows", "left a file behind")
    ledger.note("no test of power cuts")
    return ledger


def test_trials_are_counted_and_each_broken_promise_is_shown_in_full() -> None:
    text = find().markdown("kills")
    assert "| index, killed | 2 | 1 | 1 |\n| all | 2 | 1 | 1 |" in text
    assert "- no test of power cuts" in text
    assert "- **broken:** index, killed: lost 3 rows\n- **broken:** index, killed: left a file behind" in text


def test_what_is_kept_is_not_tried_again_but_a_short_run_is_no_long_one(tmp_path: Path) -> None:
    first = find_or_try(tmp_path, "kills", False, find)
    again = find_or_try(tmp_path, "kills", False, lambda: pytest.fail("it was tried again"))
    assert again.markdown("kills") == first.markdown("kills")
    assert find_or_try(tmp_path, "kills", True, Ledger).broken == []


def test_what_was_interrupted_leaves_nothing(tmp_path: Path) -> None:
    def end() -> Ledger:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_or_try(tmp_path, "kills", False, end)
    assert list(tmp_path.iterdir()) == []
