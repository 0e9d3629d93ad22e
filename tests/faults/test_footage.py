"""Broken footage: the generator's promises and the short run of the fault injection."""

import os
import stat
from pathlib import Path

import pytest

from tests.faults.footage.indexing import Outcome, judge, run
from tests.faults.footage.kinds import KINDS, Specimen, make_kind
from tests.faults.ledger import Ledger


def contents(folder: Path) -> dict[str, bytes]:
    """Reads what is a file; pipes and broken links are not opened."""
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if path.exists() and stat.S_ISREG(path.stat().st_mode)
    }


@pytest.mark.parametrize("kind", ["noise in the middle", "broken clock"])
def test_the_same_seed_makes_the_same_files(kind: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        make_kind(kind, tmp_path / name, short=True)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_the_short_run_finds_every_file_again_and_loses_nothing(tmp_path: Path) -> None:
    ledger = run(tmp_path, short=True)
    assert ledger.broken == []
    assert set(ledger.tried) == set(KINDS)
    assert ledger.tried.total() >= 40
    assert "turned: 0 in part, 0 refused, 100% decoded, 100% by plain pyav" in "\n".join(ledger.notes)


def test_a_lost_file_a_crash_and_a_missing_second_break_a_promise() -> None:
    lost = Specimen(name="lost.mp4", make=os.fspath, seconds=3.0)
    folder = Specimen(name="folder.mp4", make=os.fspath, is_file=False)
    outcome = Outcome(
        kind="x",
        specimens=[lost, folder],
        crash="KeyError: 1",
        seconds={"lost.mp4": 1e9},
        plain={"pyav": {"lost.mp4": 1.0}},
    )
    judge(outcome, ledger := Ledger())
    said = "\n".join(ledger.broken)
    for part in ("ended by KeyError", "took longer", "neither in a shard nor in quarantine", "plain pyav 1.00 s"):
        assert part in said
    assert "folder.mp4" not in said
