from pathlib import Path

from tests.faults.erasure.erasing import POINTS, WAYS, run


def test_nothing_of_erased_footage_is_left_however_the_erasure_was_interrupted(tmp_path: Path) -> None:
    ledger = run(tmp_path, short=True)
    assert ledger.broken == []
    assert sum(ledger.tried[f"before noon, killed and finished by {way}"] for way in WAYS) == len(POINTS)
