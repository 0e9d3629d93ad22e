from pathlib import Path

from tests.faults.together.playing import PUBLISHES, READS, run


def test_processes_at_work_together_neither_lose_nor_tear(tmp_path: Path) -> None:
    ledger = run(tmp_path, short=True)
    assert ledger.broken == []
    assert ledger.tried[PUBLISHES] >= 4
    assert ledger.tried[READS] >= 10
