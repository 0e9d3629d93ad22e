from pathlib import Path

from tests.faults.disk.trying import TROUBLES, run


def test_what_is_missing_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    ledger = run(tmp_path, short=True)
    assert ledger.broken == []
    for trouble in TROUBLES:
        if trouble.must_say and not (ledger.notes and trouble.needs_mount):
            assert ledger.tried[f"sweep without {trouble.name}: said so"] >= 1
