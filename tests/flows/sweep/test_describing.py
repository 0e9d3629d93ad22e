"""The judge's own description on its way from a sweep to the tables, the report and the export's rows."""

from pathlib import Path

from flows.index.indexing import index_archive
from flows.search.outcome import SearchRequest
from flows.search.searching import search_store
from flows.sweep.sweeping import sweep_store
from storage.disk.layout import StoreLayout
from storage.hits.analyst import run_sql
from tests.fakes import compose, write_video

SETTINGS = {
    "rerank": {"description_weight": 1.0},
    "judge": {"family": "endpoint", "endpoint": {"model": "a stand-in"}},  # the shipped judge can't describe
}
QUERIES = '[[query]]\nname = "{0}"\ntext = "a person in a red {0} walking"\nfloor = -10\naccept = 0.5\n'


def test_descriptions_are_kept_beside_verdicts_and_asked_for_once_for_all_queries(tmp_path: Path) -> None:
    write_video(tmp_path / "archive/gate/2026-03-14/10-00-00.mp4", [("red", 0, 6)])
    store, file, composition = StoreLayout(tmp_path / "store"), tmp_path / "queries.toml", compose(**SETTINGS)
    index_archive(compose(), store, tmp_path / "archive")
    file.write_text(QUERIES.format("jacket"))
    first = sweep_store(composition, store, file)
    assert run_sql(store, "select description from hits")[1] == [("walking",)]  # what the stand-in writes
    assert run_sql(store, "select description from judgements")[1] == [("walking",)]
    assert "<q>walking</q>" in (store.reports / "sweep-latest.html").read_text()
    file.write_text(QUERIES.format("coat"))
    second = sweep_store(composition, store, file)
    assert second.num_cached == 1
    assert second.num_calls == first.num_calls - 1
    report = search_store(composition, store, SearchRequest(text="a person in red walking"))
    assert [result.description for result in report.results] == ["walking"]
