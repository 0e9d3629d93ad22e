"""Which hits are new, and which show events that were reported before."""

import dataclasses
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from anomalylmm.records import Query
from flows.sweep.novelty import date_hits, find_kin
from storage.disk.layout import StoreLayout
from storage.hits.rows import SweepContent
from storage.hits.writer import HitStore
from tests.storage.examples import NOON, make_hit, make_query, make_sweep

LATER = NOON + timedelta(days=1)


def rename(query: Query, name: str) -> Query:
    return dataclasses.replace(query, name=name)


def kin_of(queries: Sequence[Query], known: Sequence[Query]) -> dict[str, frozenset[str]]:
    rows = [(query.version, query.name, json.dumps(dataclasses.asdict(query.cloze))) for query in known]
    return find_kin(queries, lambda _sql, _values: rows)


@pytest.mark.parametrize(
    ("query", "known"),
    [
        (rename(make_query("q1"), "tumble"), make_query("q1")),
        (make_query("q2"), make_query("q1")),
        (rename(make_query("q2"), "tumble"), make_query("q1")),
    ],
    ids=["renamed", "reworded", "renamed and reworded"],
)
def test_versions_that_asked_the_same_are_kin(query: Query, known: Query) -> None:
    assert "q1" in kin_of([query], [known])[query.version]


def test_two_queries_that_are_asked_side_by_side_are_not_kin() -> None:
    both = [make_query("q1"), rename(make_query("q2"), "tumble")]
    assert kin_of(both, both) == {"q1": {"q1"}, "q2": {"q2"}}


def test_a_removed_query_for_other_words_is_not_kin() -> None:
    other = make_query("q1")
    cloze = dataclasses.replace(other.cloze, slots=())
    query = dataclasses.replace(rename(make_query("q2"), "walk"), cloze=cloze)
    assert kin_of([query], [other, query]) == {"q2": {"q2"}}
    assert kin_of([query], [dataclasses.replace(other, cloze=cloze)]) == {"q2": set()}


@pytest.mark.parametrize(
    ("earlier", "is_new"),
    [
        ({}, False),
        ({"pipeline": "other", "tracklet_id": "other"}, False),
        ({"camera": "yard"}, True),
        ({"query_version": "q0"}, True),
        ({"start_utc": LATER, "stop_utc": LATER}, True),
    ],
)
def test_a_hit_is_new_unless_an_earlier_one_of_its_kin_overlaps_at_its_camera(
    tmp_path: Path, earlier: dict[str, Any], is_new: bool
) -> None:
    reported = dataclasses.replace(make_hit(), **earlier)
    hit = dataclasses.replace(make_hit("s2"), created_utc=LATER)
    layout = StoreLayout(tmp_path)
    layout.create()
    with HitStore(layout) as store:
        store.record_sweep(SweepContent(sweep=make_sweep(), hits=(reported,)))
        (dated,) = date_hits([hit], {"q1": frozenset({"q1"})}, store.read)
    assert dated.is_new == is_new
    assert dated.first_found_utc == (None if is_new else NOON)
