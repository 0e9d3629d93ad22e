from pathlib import Path

from tests.faults.hostile.trying import run


def test_no_hostile_input_is_let_through(tmp_path: Path) -> None:
    ledger = run(tmp_path, short=True)
    assert ledger.broken == []
    assert ledger.tried.total() >= 100
