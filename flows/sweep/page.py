"""Writes the page of the published hits: the newest version of each query, best hits first."""

from datetime import UTC
from itertools import groupby
from pathlib import Path
from typing import Any

from anomalylmm.records import SlotVerdict
from flows.report.page import Card, Page, Section, local_time, media_time, write_page
from storage.disk.layout import StoreLayout
from storage.hits.analyst import Snapshot, open_snapshot
from storage.upkeep.erasure_log import erasure_stamp

MAX_CARDS = 60  # for each query
NAME = "sweep-latest"
QUERIES_SQL = """
select query_version, query_name, text, masked from queries where enabled
qualify row_number() over (partition by query_name order by created_utc desc) = 1 order by query_name
"""
HITS_SQL = """
select * from hits
qualify row_number() over (partition by query_version order by confidence desc, hit_id) <= ?
order by query_version, confidence desc, hit_id
"""
SLOTS_SQL = "select * from judgement_slots order by query_version, tracklet_id, slot_index"
HAS_THRESHOLDS_SQL = "select table_name from duckdb_tables() where table_name = 'thresholds'"
THRESHOLDS_SQL = "select query_version, arg_max(evidence, created_utc) as evidence from thresholds group by all"
SWEEPS_SQL = "select * from sweeps order by finished_utc desc limit 1"
COUNTS_SQL = """
select (select count(*) from hits) as hits, (select count(*) from incidents) as incidents,
(select count(*) from tracklets) as tracklets, (select count(*) from videos) as videos
"""
Row = dict[str, Any]


def write_latest_page(layout: StoreLayout) -> Path:
    """Writes the page and returns its path.

    Raises:
        StoreError: No sweep has published yet, or the page can't be written.
    """
    while True:
        stamp = erasure_stamp(layout)
        path = write_page(build_page(layout), layout, NAME)
        if erasure_stamp(layout) == stamp:
            return path  # otherwise the page may show hits that an erasure has just removed


def build_page(layout: StoreLayout) -> Page:
    """Builds the page from the published snapshot.

    Raises:
        StoreError: No sweep has published yet.
    """
    with open_snapshot(layout) as snapshot:
        hits = {version: list(rows) for version, rows in groupby(snapshot.select(HITS_SQL, [MAX_CARDS]), _version)}
        slots = {key: list(rows) for key, rows in groupby(snapshot.select(SLOTS_SQL), _place)}
        thresholds, sweeps = _read_thresholds(snapshot), snapshot.select(SWEEPS_SQL)
        queries, (counts,) = snapshot.select(QUERIES_SQL), snapshot.select(COUNTS_SQL)
    last_sweep = sweeps[0]["sweep_id"] if sweeps else ""
    sections = tuple(
        Section(
            title=query["query_name"],
            text=query["text"],
            cloze=query["masked"],
            cards=tuple(
                build_card(hit, slots.get(_place(hit), []), last_sweep) for hit in hits.get(query["query_version"], [])
            ),
            threshold=thresholds.get(query["query_version"], ""),
        )
        for query in queries
    )
    ordered = sorted(sections, key=lambda section: not section.cards)
    return Page(
        title="Hits of the saved queries",
        subtitle=_describe_sweep(sweeps),
        facts={name: f"{value:,}" for name, value in counts.items()},
        sections=tuple(ordered),
    )


def _read_thresholds(snapshot: Snapshot) -> dict[str, str]:
    """Returns the newest evidence of each query version; empty for a snapshot from an earlier program version."""
    if not snapshot.read(HAS_THRESHOLDS_SQL):
        return {}
    return {_version(row): row["evidence"] for row in snapshot.select(THRESHOLDS_SQL)}


def _version(row: Row) -> str:
    return str(row["query_version"])


def _place(row: Row) -> tuple[str, str]:
    return row["query_version"], row["tracklet_id"]


def _describe_sweep(sweeps: list[Row]) -> str:
    if not sweeps:
        return "no sweep yet"
    last = sweeps[0]
    finished = f"{last['finished_utc']:%Y-%m-%d %H:%M} UTC"
    return f"last sweep {finished}, {last['status']}, profile {last['profile']}, judge {last['judge_id']}"


def build_card(hit: Row, slots: list[Row], last_sweep: str) -> Card:
    """Builds the card of one published hit; it is new if the last sweep was the first to report its event."""
    return Card(
        where=hit["camera"],
        when=local_time(hit["best_utc"].replace(tzinfo=UTC), hit["time_zone"]),
        video=hit["video_path"],
        moment=media_time(hit["best_seconds"]),
        pictures=(hit["picture_path"],),
        judged=True,
        accepted=True,
        confidence=hit["confidence"],
        cosine=hit["cosine"],
        z_score=hit["z_score"],
        reason=hit["reason"],
        slots=tuple(read_slot(row) for row in slots),
        evidence=hit.get("evidence") or "",
        description=hit.get("description") or "",
        hit_id=hit["hit_id"],
        feedback=hit.get("feedback") or "",
        is_new=hit["sweep_id"] == last_sweep and hit.get("first_found_utc") == hit["created_utc"],
    )


def read_slot(row: Row) -> SlotVerdict:
    """Builds a slot's verdict from its row; earlier program versions recorded neither posture nor frames."""
    names = ("word", "kind", "answer", "match", "probability", "prior", "saliency")
    return SlotVerdict(
        **{name: row[name] for name in names}, posture=row.get("posture"), frames=tuple(row.get("frames") or ())
    )
