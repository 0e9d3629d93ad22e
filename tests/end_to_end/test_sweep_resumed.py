"""Sweeps that were not judged to the end, and events that go on from one sweep to the next."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from anomalylmm.errors import JudgeError
from anomalylmm.protocols import Views
from flows.index.indexing import index_archive
from flows.sweep.sweeping import sweep_store
from storage.disk.layout import StoreLayout
from storage.hits.analyst import run_sql
from tests.fakes import ColorJudge, FakeComposition, compose, write_video

QUERIES = """
[[query]]
name = "red"
text = "a person in a red jacket walking"
floor = -10
accept = 0.5
"""


class _FlakyJudge(ColorJudge):
    """Fails while told so."""

    fails = True

    def score_answers(self, views: Sequence[Views], prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        if self.fails:
            raise JudgeError("the server is gone")
        return super().score_answers(views, prompt, answers)

    def affirm(self, views: Sequence[Views], prompt: str) -> NDArray[np.float64]:
        if self.fails:
            raise JudgeError("the server is gone")
        return super().affirm(views, prompt)


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    file = tmp_path / "queries.toml"
    file.write_text(QUERIES)
    return file


@pytest.fixture
def layout(tmp_path: Path) -> StoreLayout:
    return StoreLayout(tmp_path / "store")


def with_judge(judge: ColorJudge, **sections: object) -> FakeComposition:
    composition = compose(**sections)
    composition.__dict__["judge"] = judge
    return composition


def count(layout: StoreLayout, table: str) -> int:
    return int(run_sql(layout, f"select count(*) from {table}")[1][0][0])


def test_a_night_without_its_judge_covers_nothing_and_the_next_one_finds_all(
    tmp_path: Path, layout: StoreLayout, queries: Path
) -> None:
    write_video(tmp_path / "archive/gate/2026-03-14/10-00-00.mp4", [("red", 0, 6), ("blue", 2, 5)])
    index_archive(compose(), layout, tmp_path / "archive")
    judge = _FlakyJudge()
    night = sweep_store(with_judge(judge), layout, queries)
    assert night.state == "Degraded"
    assert any("asks about them again" in warning for warning in night.warnings)
    assert (night.num_hits, count(layout, "coverage")) == (0, 0)
    judge.fails = False
    next_night = sweep_store(with_judge(judge), layout, queries)
    assert (next_night.state, next_night.num_hits, count(layout, "coverage")) == ("Completed", 1, 1)
    assert sweep_store(with_judge(judge), layout, queries).num_calls == 0


def test_what_a_budget_leaves_is_judged_by_the_next_sweeps(tmp_path: Path, layout: StoreLayout, queries: Path) -> None:
    write_video(tmp_path / "archive/gate/2026-03-14/10-00-00.mp4", [("red", 0, 6), ("blue", 1, 5), ("green", 2, 6)])
    index_archive(compose(), layout, tmp_path / "archive")
    judge = ColorJudge()
    thrifty = with_judge(judge, rerank={"budget_calls": 3, "affirm_weight": 0.0, "focus": False})
    states = [sweep_store(thrifty, layout, queries).state for _ in range(4)]
    assert states[0] == "Degraded"
    assert states[-1] == "Completed"
    asked = judge.calls
    sweep_store(thrifty, layout, queries)
    assert (judge.calls, count(layout, "coverage"), count(layout, "judgements")) == (asked, 1, 3)


def test_an_event_that_goes_on_in_footage_indexed_later_stays_one_incident(
    tmp_path: Path, layout: StoreLayout, queries: Path
) -> None:
    archive = tmp_path / "archive"
    for name in ("10-00-00", "10-00-06"):
        write_video(archive / f"gate/2026-03-14/{name}.mp4", [("red", 0, 5.5 if name.endswith("06") else 6)])
        index_archive(compose(), layout, archive)
        report = sweep_store(compose(), layout, queries)
        assert report.num_incidents == 1
    assert count(layout, "hits") == 2
    _, rows = run_sql(layout, "select len(hit_ids), stop_utc - start_utc from incidents")
    assert [row[0] for row in rows] == [2]
    assert rows[0][1].total_seconds() > 9
