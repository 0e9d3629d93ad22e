"""The incidents of the published database in memory, with what people said of them: for pages that must be quick.

Feedback that waits in the inbox counts at once, and so does what a running sweep has saved and not published.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from anomalylmm.errors import StoreError
from storage.disk.files import read_stamp
from storage.disk.layout import StoreLayout, require_store
from storage.hits import tables
from storage.hits.board_filter import ALL, BoardFilter, Cursor, Facet
from storage.hits.database import CONNECTION_SETTINGS
from storage.hits.feedback_sql import known_hits
from storage.hits.inbox import read_waiting
from storage.hits.rows import FeedbackRecord

State = Literal["new", "confirmed", "rejected", "unsure"]
STATES: tuple[State, ...] = ("new", "unsure", "confirmed", "rejected")
Row = dict[str, Any]
_ID_COLUMNS = "hit_id, query_name, query_version, camera, tracklet_id, shard_id, crop_id, video_path, time_zone"
_HITS_SQL = f"""
CREATE TABLE hits AS
SELECT {_ID_COLUMNS}, start_utc, stop_utc, best_utc, confidence, reason, picture_path, clock_source, judge_id,
coalesce(incident_id, hit_id) AS incident_id, created_utc, first_found_utc,
'new' AS state, NULL::VARCHAR AS who, NULL::TIMESTAMP AS said_utc
FROM store.hits LEFT JOIN (SELECT incident_id, unnest(hit_ids) AS hit_id FROM store.incidents) USING (hit_id)
QUALIFY row_number() OVER (PARTITION BY hit_id ORDER BY incident_id) = 1
"""  # noqa: S608 - names are our own
_SAID_SQL = "CREATE TABLE said AS SELECT hit_id, verdict, who, note, created_utc, feedback_id FROM store.feedback"
_STATE_SQL = """
UPDATE hits SET state = said.state, who = said.who, said_utc = said.created_utc FROM (
  SELECT hit_id, who, created_utc, CASE verdict WHEN 'confirm' THEN 'confirmed' WHEN 'reject' THEN 'rejected'
  WHEN 'unsure' THEN 'unsure' ELSE 'new' END AS state FROM said
  QUALIFY row_number() OVER (PARTITION BY hit_id ORDER BY created_utc DESC, verdict) = 1
) AS said WHERE hits.hit_id = said.hit_id
"""
_GATHER_SQL = """
SELECT incident_id, any_value(query_name) AS query_name, any_value(camera) AS camera, min(start_utc) AS start_utc,
max(stop_utc) AS stop_utc, count(*) AS num_hits, max(confidence) AS confidence, any_value(time_zone) AS time_zone,
arg_max(hit_id, confidence) AS best_hit_id, arg_max(best_utc, confidence) AS best_utc,
arg_max(reason, confidence) AS reason, arg_max(picture_path, confidence) AS picture_path,
arg_max(video_path, confidence) AS video_path, arg_max(clock_source, confidence) AS clock_source,
min(start_utc) + to_seconds(any_value(offset_seconds)) AS local_start,
CASE WHEN bool_or(state = 'confirmed') THEN 'confirmed' WHEN bool_and(state = 'rejected') THEN 'rejected'
WHEN bool_or(state = 'unsure') THEN 'unsure' ELSE 'new' END AS state,
arg_max(who, said_utc) AS who, max(said_utc) AS said_utc
FROM hits LEFT JOIN zones USING (time_zone, start_utc) {where} GROUP BY incident_id
"""
_NEIGHBORS_SQL = """
SELECT *, abs(epoch(start_utc) - epoch(?::TIMESTAMP)) AS away FROM incidents
WHERE camera = ? AND incident_id <> ? AND stop_utc >= ?::TIMESTAMP AND start_utc <= ?::TIMESTAMP
ORDER BY away, incident_id LIMIT ?
"""
_OF_IDS = "IN (SELECT unnest(?::VARCHAR[]))"
_ORDERS = {"newest": "start_utc", "confident": "confidence"}


class Board:
    """What the published database and the inbox say now; safe to use from several threads."""

    def __init__(self, layout: StoreLayout) -> None:
        """Reads the store.

        Raises:
            StoreError: If there is no store, or its published database can't be read.
        """
        require_store(layout)
        self._layout, self._lock = layout, threading.RLock()
        self._stamps: tuple[object, object] = (None, None)  # of the published file and of the inbox
        self._connection = duckdb.connect(config=dict(CONNECTION_SETTINGS))
        self.version = 0  # counts how often the published database was read
        self.refresh()

    def refresh(self, *, has_said: bool = False) -> None:
        """Takes in what has changed: another published database, or feedback (``has_said`` if there surely is some).

        Raises:
            StoreError: If the published database can't be read.
        """
        with self._lock:
            published = read_stamp(self._layout.snapshot)
            inbox = (read_stamp(self._layout.inbox), read_stamp(self._layout.unpublished))
            is_new = published != self._stamps[0] or not self.version
            if is_new:
                self._connection = _load(self._layout)
                self.version += 1
            if is_new or has_said or inbox != self._stamps[1]:
                self._take_in()
            self._stamps = (published, inbox)

    def close(self) -> None:
        """Gives the memory back."""
        with self._lock:
            self._connection.close()

    def _take_in(self) -> None:
        known = {feedback_id for (feedback_id,) in self._run("SELECT feedback_id FROM said").fetchall()}
        waiting = read_waiting(self._layout, FeedbackRecord)
        fresh = [record for record in waiting if record.feedback_id not in known]
        if not fresh:
            return
        columns = ("hit_id", "verdict", "who", "note", "created_utc", "feedback_id")
        rows = [{name: getattr(record, name) for name in columns} for record in fresh]
        table = tables.FEEDBACK.to_arrow(rows)
        self._connection.register("incoming", table)
        self._run("INSERT INTO said BY NAME SELECT * FROM incoming WHERE hit_id IN (SELECT hit_id FROM hits)")
        self._connection.unregister("incoming")
        ids = [record.hit_id for record in fresh]
        self._run(f"{_STATE_SQL} AND hits.hit_id {_OF_IDS}", [ids])
        changed = f"WHERE incident_id IN (SELECT incident_id FROM hits WHERE hit_id {_OF_IDS})"  # noqa: S608 - names are our own
        self._run(f"DELETE FROM incidents {changed}", [ids])  # noqa: S608 - names are our own
        self._run(f"INSERT INTO incidents {_GATHER_SQL.format(where=changed)}", [ids])

    def page(self, wanted: BoardFilter, after: Cursor | None, size: int) -> list[Row]:
        """The next ``size`` incidents behind a place in the order (None: from the start)."""
        where, values = wanted.where()
        column = _ORDERS[wanted.order]
        if after is not None:
            kind = "TIMESTAMP" if column == "start_utc" else "DOUBLE"
            sign, other = (">", "<") if wanted.is_reversed else ("<", ">")
            where += f" AND ({column} {sign} ?::{kind} OR ({column} = ?::{kind} AND incident_id {other} ?))"
            values = [*values, after.value, after.value, after.incident_id]
        order = f"{column}, incident_id DESC" if wanted.is_reversed else f"{column} DESC, incident_id"
        sql = f"SELECT * FROM incidents WHERE {where} ORDER BY {order} LIMIT {int(size)}"  # noqa: S608 - values are bound
        return self.select(sql, values)

    def cursor_after(self, wanted: BoardFilter, row: Mapping[str, Any]) -> Cursor:
        """The place of a row in the order."""
        value = row[_ORDERS[wanted.order]]
        text = value.isoformat() if isinstance(value, datetime) else repr(value)
        return Cursor(value=text, incident_id=row["incident_id"])

    def counts(self, wanted: BoardFilter) -> dict[Facet, dict[str, int]]:
        """How many incidents each value of a facet would show, with the other filters as they are."""
        found: dict[Facet, dict[str, int]] = {}
        facets: tuple[tuple[Facet, str], ...] = (("query", "query_name"), ("camera", "camera"), ("state", "state"))
        for facet, column in facets:
            where, values = wanted.where(without=facet)
            sql = f"SELECT {column}, count(*) FROM incidents WHERE {where} GROUP BY 1 ORDER BY 1"  # noqa: S608 - values are bound
            found[facet] = dict(self.read(sql, values))
        return found

    def count(self, wanted: BoardFilter = ALL) -> int:
        """The number of incidents that fit."""
        where, values = wanted.where()
        return int(self.read(f"SELECT count(*) FROM incidents WHERE {where}", values)[0][0])  # noqa: S608 - values are bound

    def incidents(self, ids: Sequence[str]) -> list[Row]:
        """The incidents among ``ids``."""
        return self.select(f"SELECT * FROM incidents WHERE incident_id {_OF_IDS}", [list(ids)])  # noqa: S608 - values are bound

    def hits(self, incident_ids: Sequence[str]) -> list[Row]:
        """The hits of some incidents, best first."""
        sql = f"SELECT * FROM hits WHERE incident_id {_OF_IDS} ORDER BY confidence DESC, hit_id"  # noqa: S608 - values are bound
        return self.select(sql, [list(incident_ids)])

    def hit(self, hit_id: str) -> Row | None:
        """One hit; None if there is none (any more)."""
        found = self.select("SELECT * FROM hits WHERE hit_id = ?", [hit_id])
        return found[0] if found else None

    def neighbors(self, incident: Mapping[str, Any], seconds: float, limit: int) -> list[Row]:
        """Other incidents at the same camera at about the same time, nearest first."""
        margin = timedelta(seconds=seconds)
        start, stop = incident["start_utc"] - margin, incident["stop_utc"] + margin
        values = [incident["start_utc"], incident["camera"], incident["incident_id"], start, stop, limit]
        return self.select(_NEIGHBORS_SQL, values)

    def beside(self, wanted: BoardFilter, incident: Mapping[str, Any]) -> tuple[Row | None, Row | None]:
        """The incidents before and after one in the order, of those that fit; None at the ends."""
        before = self.page(wanted.reversed(), self.cursor_after(wanted, incident), 1)
        after = self.page(wanted, self.cursor_after(wanted, incident), 1)
        return before[0] if before else None, after[0] if after else None

    def query(self, version: str) -> tuple[str, str]:
        """The text of a query version, and its masked sentence as JSON; empty if it is not known."""
        found = self.read("SELECT text, cloze FROM queries WHERE query_version = ?", [version])
        return (found[0][0] or "", found[0][1] or "") if found else ("", "")

    def remarks(self, hit_ids: Sequence[str]) -> list[Row]:
        """All that people said of some hits, newest first."""
        return self.select(f"SELECT * FROM said WHERE hit_id {_OF_IDS} ORDER BY created_utc DESC", [list(hit_ids)])  # noqa: S608 - values are bound

    def cameras(self) -> list[str]:
        """The cameras of the published shards."""
        return [camera for (camera,) in self.read("SELECT DISTINCT camera FROM shards ORDER BY camera")]

    def known(self, hit_ids: Iterable[str]) -> set[str]:
        """The ids among ``hit_ids`` that belong to hits."""
        return known_hits(self.read, hit_ids)

    def select(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Rows of one SELECT that we wrote ourselves, by the names of their columns."""
        with self._lock:
            cursor = self._run(sql, values)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def read(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Rows of one SELECT that we wrote ourselves."""
        with self._lock:
            return self._run(sql, values).fetchall()

    def _run(self, sql: str, values: Sequence[object] = ()) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(sql, list(values))


def _load(layout: StoreLayout) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config=dict(CONNECTION_SETTINGS))
    try:
        if layout.snapshot.exists():
            connection.execute(f"ATTACH {tables.quote_text(str(layout.snapshot))} AS store (READ_ONLY)")
        else:
            _attach_nothing(connection)
        connection.execute(_HITS_SQL)
        connection.execute(_SAID_SQL)
        for name in ("queries", "shards"):
            connection.execute(f"CREATE TABLE {name} AS FROM store.{name}")
        connection.execute("DETACH store")
        connection.execute(_STATE_SQL)
        _add_zones(connection)
        connection.execute(f"CREATE TABLE incidents AS {_GATHER_SQL.format(where='')}")
    except duckdb.Error as error:
        raise StoreError(f"Can't read {layout.snapshot}: {error}. To write it again: anomalylmm sweep") from error
    return connection


def _attach_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    """Stands in for the published database of a store without one."""
    connection.execute("ATTACH ':memory:' AS store")
    connection.execute("USE store")
    for table in (tables.HITS, tables.INCIDENTS, tables.FEEDBACK, tables.QUERIES, tables.SHARDS):
        connection.execute(table.create_sql)
    connection.execute("USE memory")


def _add_zones(connection: duckdb.DuckDBPyConnection) -> None:
    """Adds how far each hit's local time is ahead of UTC; 0 where this computer lacks the zone."""
    moments = connection.execute("SELECT DISTINCT time_zone, start_utc FROM hits").fetchall()
    zones = {name: _find_zone(name) for name in {name for name, _ in moments}}
    table = pa.table(
        {
            "time_zone": pa.array([name for name, _ in moments], pa.string()),
            "start_utc": pa.array([moment for _, moment in moments], pa.timestamp("us")),
            "offset_seconds": pa.array([_offset(zones[name], moment) for name, moment in moments], pa.int64()),
        }
    )
    connection.register("found_zones", table)
    connection.execute("CREATE TABLE zones AS SELECT * FROM found_zones")
    connection.unregister("found_zones")


def _find_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # a store may come from elsewhere
        return ZoneInfo("UTC")


def _offset(zone: ZoneInfo, moment: datetime) -> int:
    return int((moment.replace(tzinfo=UTC).astimezone(zone).utcoffset() or timedelta()).total_seconds())
