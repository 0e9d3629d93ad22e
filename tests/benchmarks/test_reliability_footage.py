"""Broken footage: the generator's promises and the short run of the fault injection."""

import os
import stat
from pathlib import Path

import pytest

from benchmarks.reliability import footage
from benchmarks.reliability.footage import Outcome
from benchmarks.reliability.footage_kinds import KINDS, Specimen, make_kind
from benchmarks.reliability.footage_plain import Try


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
    section = footage.run(tmp_path, short=True)
    assert section.faults == ()
    assert len(section.rows) == len(KINDS)
    rows = [dict(zip(section.columns, row, strict=True)) for row in section.rows]
    assert sum(int(row["files"]) for row in rows) >= 40
    assert sum(int(row["refused"]) for row in rows) >= 5
    assert next(row for row in rows if row["damage"] == "turned")["share decoded"] == "100%"


def test_a_lost_file_a_crash_and_a_missing_second_are_faults() -> None:
    lost = Specimen(name="lost.mp4", make=os.fspath, seconds=3.0)
    folder = Specimen(name="folder.mp4", make=os.fspath, is_file=False)
    tries = {"pyav": Try(num_frames=8, ended="whole"), "decord": Try(num_frames=8, ended="whole")}
    outcome = Outcome(
        kind="x", specimens=[lost, folder], crash="KeyError: 1", seconds={"lost.mp4": 1e9}, plain={"lost.mp4": tries}
    )
    said = "\n".join(footage._faults(outcome))
    for part in ("ended by KeyError", "took longer", "neither in a shard nor in quarantine", "plain PyAV 1.00 s"):
        assert part in said
    assert "folder.mp4" not in said
