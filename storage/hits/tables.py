"""The tables of the hits database as Arrow schemas; times are UTC without a zone, so that no client converts them."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from storage.shards.schema import clean_text, require_utc

Reader = Callable[[str, Sequence[object]], list[Any]]  # takes SQL and its values, returns rows
HITS_SCHEMA_VERSION = 1
_TYPES: Mapping[str, tuple[pa.DataType, str]] = {
    "text": (pa.string(), "VARCHAR"),
    "texts": (pa.list_(pa.string()), "VARCHAR[]"),
    "int": (pa.int64(), "BIGINT"),
    "real": (pa.float64(), "DOUBLE"),
    "bool": (pa.bool_(), "BOOLEAN"),
    "utc": (pa.timestamp("us"), "TIMESTAMP"),
    "box": (pa.list_(pa.float32(), 4), "FLOAT[4]"),
    "reals_by_name": (pa.map_(pa.string(), pa.float64()), "MAP(VARCHAR, DOUBLE)"),
}


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its columns with their types, its key, and what it is for."""

    name: str
    about: str
    key: tuple[str, ...]
    columns: Mapping[str, str]

    @property
    def schema(self) -> pa.Schema:
        """Its Arrow schema."""
        return pa.schema([(name, _TYPES[kind][0]) for name, kind in self.columns.items()])

    @property
    def create_sql(self) -> str:
        """The statement that creates it if it is missing."""
        columns = [f"{name} {_TYPES[kind][1]}" for name, kind in self.columns.items()]
        return f"CREATE TABLE IF NOT EXISTS {self.name} ({', '.join(columns)}, PRIMARY KEY ({', '.join(self.key)}))"

    def to_arrow(self, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
        """Converts rows to Arrow; of several with the same key, the last one counts."""
        unique = {tuple(row[name] for name in self.key): row for row in rows}
        cleaned = [{name: _clean(row[name]) for name in self.columns} for row in unique.values()]
        return pa.Table.from_pylist(cleaned, schema=self.schema)


def _table(name: str, about: str, key: str, **kinds: str) -> Table:
    columns = {column: kind for kind, names in kinds.items() for column in names.split()}
    return Table(name, about, tuple(key.split()), columns)


QUERIES = _table(
    "queries",
    "Saved queries, one row per version.",
    "query_version",
    text="query_version query_name text masked cloze daily_start daily_stop",
    texts="cameras",
    utc="start_utc stop_utc created_utc",
    real="floor_z accept",
    int="top_n",
    bool="enabled calibrate",
)
SWEEPS = _table(
    "sweeps",
    "Runs of the saved queries, including failed ones.",
    "sweep_id",
    text="sweep_id pipeline judge_id profile rerank status message",
    utc="started_utc finished_utc",
    int="num_queries num_shards num_candidates num_judged num_calls num_cached num_hits",
    real="seconds",
    bool="published",
)
COVERAGE = _table(
    "coverage",
    "Which query versions have been run on which shards, and by which criteria candidates became hits.",
    "query_version shard_id",
    text="query_version shard_id pipeline sweep_id criteria",
)
HITS = _table(
    "hits",
    "Accepted candidates, with place, time and reason.",
    "hit_id",
    text="hit_id query_name query_version sweep_id pipeline camera video_path video_id tracklet_id crop_id shard_id "
    "clock_source time_zone reason judge_id picture_path evidence description",
    utc="start_utc stop_utc best_utc created_utc first_found_utc",
    real="start_seconds stop_seconds best_seconds cosine z_score score confidence affirm",
    int="rank",
    box="box_xyxy_px",
)
JUDGEMENTS = _table(
    "judgements",
    "Every candidate that the judge was asked about, whether it became a hit or not.",
    "query_version tracklet_id pipeline",
    text="query_name query_version sweep_id pipeline camera video_id tracklet_id crop_id shard_id reason judge_id "
    "evidence description",
    int="coarse_rank final_rank num_calls",
    real="cosine z_score confidence score affirm seconds",
    bool="accepted cached",
    utc="created_utc",
)
JUDGEMENT_SLOTS = _table(
    "judgement_slots",
    "What the judge saw in each blank of each candidate.",
    "query_version tracklet_id pipeline slot_index",
    text="query_version tracklet_id pipeline sweep_id word kind answer",
    int="slot_index",
    real="match probability prior saliency posture",
    texts="frames",
)
JUDGEMENT_CACHE = _table(
    "judgement_cache",
    "The judge's answers by question, with the shards of the pictures asked about.",
    "key",
    text="key payload",
    texts="shard_ids",  # empty: not about a picture; NULL: written by an earlier version, which did not record them
    utc="created_utc",
)
INCIDENTS = _table(
    "incidents",
    "Hits that are one event: same query and camera, close in time.",
    "incident_id",
    text="incident_id sweep_id query_name query_version camera best_hit_id",
    texts="hit_ids",
    utc="start_utc stop_utc",
    int="num_hits",
)
THRESHOLDS = _table(
    "thresholds",
    "The confidence that a query's candidates needed in a sweep to become hits, and why.",
    "sweep_id query_version",
    text="sweep_id query_name query_version judge_id evidence",
    real="accept threshold bound",
    int="num_confirmed num_rejected",
    utc="created_utc",
)
FEEDBACK = _table(
    "feedback",
    "What people said about hits; for each hit the newest entry counts.",
    "feedback_id",
    text="feedback_id hit_id verdict who note",
    utc="created_utc",
)
SEARCHES = _table(
    "searches",
    "Who searched for what, and when.",
    "search_id",
    text="search_id text who filters",
    utc="created_utc",
    real="seconds",
    int="num_results",
)
SHARDS = _table(
    "shards",
    "The shards of the galleries.",
    "shard_id",
    text="shard_id pipeline camera date encoder_id directory",
    int="num_crops num_tracklets num_videos",
    utc="created_utc",
    real="seconds",
)
VIDEOS = _table(
    "videos",
    "Indexed videos, with how much of each was decoded.",
    "shard_id video_id",
    text="video_id shard_id pipeline camera path clock_source clock_doubt time_zone decoder status message",
    int="size_bytes width_px height_px num_frames",
    real="seconds_promised seconds_decoded coverage",
    utc="start_utc",
)
TRACKLETS = _table(
    "tracklets",
    "Persons followed through one video.",
    "shard_id tracklet_id",
    text="tracklet_id shard_id pipeline video_id camera",
    real="start_seconds stop_seconds best_detection_score",
    int="num_detections num_crops",
    utc="first_crop_utc last_crop_utc",
)
QUARANTINE = _table(
    "quarantine",
    "Videos that could not be read, with the reason.",
    "pipeline video_id",
    text="video_id pipeline path camera reason",
    int="size_bytes tries",
    utc="first_utc last_utc",
)
ERASURES = _table(
    "erasures",
    "What was erased from the store, and by which rule; names no picture, file or query.",
    "erasure_id",
    text="erasure_id rule",
    texts="shard_ids",
    utc="begun_utc",
    int="num_videos num_crops num_hits num_judgements num_incidents num_feedback num_searches num_cached",
)
RUNS = _table(
    "runs",
    "Runs of commands and flows: how each ended, what it processed and what it needed.",
    "run_id",
    text="run_id kind state profile pipeline sweep_id flow_run_id flow_run_url",
    texts="reasons",
    utc="started_utc ended_utc",
    real="seconds coverage peak_memory_mib peak_child_memory_mib",
    int="num_videos num_unreadable num_quarantined frames_sampled frames_detected num_tracklets num_crops num_shards "
    "num_candidates num_judged num_calls num_cached num_hits",
    reals_by_name="stage_seconds",
)  # kept in small files, not in the database
GAPS = _table(
    "gaps",
    "What is missing from archives, as the last index run of each found it.",
    "archive camera kind start_utc",
    text="archive camera kind",
    utc="start_utc stop_utc found_utc",
    real="seconds",
)  # kept in small files, as index runs do not write the database
SWEEP_TABLES = (COVERAGE, HITS, JUDGEMENTS, JUDGEMENT_SLOTS, INCIDENTS, THRESHOLDS)  # each row belongs to one sweep
SHARD_TABLES = (SHARDS, VIDEOS, TRACKLETS)  # rows read from shards
PUBLISHED = (QUERIES, SWEEPS, *SWEEP_TABLES, FEEDBACK, SEARCHES, *SHARD_TABLES, QUARANTINE, ERASURES)
NAMING_QUERIES = (HITS, JUDGEMENTS, INCIDENTS, THRESHOLDS)
ALL_TABLES = (*PUBLISHED, JUDGEMENT_CACHE)


def create_or_widen(connection: duckdb.DuckDBPyConnection, wanted: Iterable[Table]) -> None:
    """Creates tables, or adds the columns that an earlier version did not have; they are NULL in old rows."""
    listing = "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = current_database()"
    known = set(connection.execute(listing).fetchall())
    present = {table for table, _ in known}
    for table in wanted:
        if table.name not in present:
            connection.execute(table.create_sql)
            continue
        for name, kind in table.columns.items():
            if (table.name, name) not in known:
                connection.execute(f"ALTER TABLE {table.name} ADD COLUMN {name} {_TYPES[kind][1]}")


def record_row(table: Table, record: object, **more: object) -> dict[str, Any]:
    """The row for a record whose fields have the names of the columns; ``more`` gives other columns."""
    return {name: more[name] if name in more else getattr(record, name) for name in table.columns}


def upsert(connection: duckdb.DuckDBPyConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows, replacing those with the same key. It uses Arrow: row by row takes 400 times as long."""
    if not rows:
        return
    connection.register("incoming", table.to_arrow(rows))
    try:
        connection.execute(f"INSERT OR REPLACE INTO {table.name} BY NAME SELECT * FROM incoming")  # noqa: S608 - names are our own
    finally:
        connection.unregister("incoming")


def quote_text(text: str) -> str:
    """A SQL string literal, for the few places where parameters can't be bound."""
    return "'" + text.replace("'", "''") + "'"


def _clean(value: Any) -> Any:
    if value is None or isinstance(value, float | int):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, datetime):
        return require_utc("time", value).replace(tzinfo=None)
    if isinstance(value, Mapping):
        return json.dumps(dict(value), ensure_ascii=False, sort_keys=True)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_clean(item) for item in value]
    return value
