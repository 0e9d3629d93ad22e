"""The writer's database: queries, sweeps and what they found. One writer at a time, one transaction a sweep."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import duckdb

from anomalylmm.errors import StoreError
from anomalylmm.records import Query
from storage.disk.crashpoints import reach
from storage.disk.layout import StoreLayout
from storage.disk.locks import writer_lock
from storage.hits import tables
from storage.hits.database import open_working, roll_back, say_why
from storage.hits.feedback_sql import read_reviews
from storage.hits.inbox import take_in
from storage.hits.rows import CoverageRecord, FeedbackRecord, PublishReport, ReviewRecord, SearchRecord, SweepContent
from storage.hits.shrinking import copy_database, replace_database
from storage.hits.snapshot import synchronize, write_snapshot


class HitStore:
    """Everything that writes to the hits database; a context manager that holds the writer's lock."""

    def __init__(self, layout: StoreLayout) -> None:
        """Remembers the place; nothing is opened before the context is entered."""
        self._layout = layout
        self._resources = ExitStack()
        self._open_connection: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> Self:
        """Takes the lock, opens the database, takes in waiting searches and feedback.

        Raises:
            StoreBusyError: If another process writes.
            StoreError: If the database can't be opened, or has another schema version.
        """
        with ExitStack() as resources:
            resources.enter_context(writer_lock(self._layout.hits_lock))
            self._open_connection = resources.enter_context(open_working(self._layout))
            self._transact("prepare", self._prepare)
            self.take_in_waiting()
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the database and frees the lock."""
        self._open_connection = None
        self._resources.close()

    def register_query(self, query: Query) -> None:
        """Saves one version of a query; saved again, its name, criteria and whether it is enabled change.

        Raises:
            StoreError: If it can't be saved.
        """

        def save() -> None:
            known = "SELECT created_utc FROM queries WHERE query_version = ?"
            found = self._read(known, [query.version])
            created = found[0][0].replace(tzinfo=UTC) if found else datetime.now(UTC)
            self._upsert(tables.QUERIES, [tables.query_row(query, created)])
            for table in tables.NAMING_QUERIES:
                sql = f"UPDATE {table.name} SET query_name = ? WHERE query_version = ? AND query_name <> ?"  # noqa: S608 - names are our own
                self._connection.execute(sql, [query.name, query.version, query.name])

        self._transact("save the query", save)
        reach("query.saved")

    def pending(self, criteria: Mapping[str, str], shard_ids: Iterable[str]) -> set[tuple[str, str]]:
        """The (query version, shard id) pairs that no sweep has covered by these criteria, not counting failed sweeps.

        Args:
            criteria: What decides which candidates become hits, by query version.
            shard_ids: The shards that are there.

        Raises:
            StoreError: If the database can't be read.
        """
        sql = (
            "SELECT query_version, shard_id, criteria FROM coverage JOIN sweeps USING (sweep_id) "
            "WHERE status <> 'Failed'"
        )
        covered = {(version, shard) for version, shard, known in self._read(sql) if criteria.get(version) == known}
        return {(version, shard) for shard in shard_ids for version in criteria} - covered

    def record_sweep(self, content: SweepContent) -> frozenset[str]:
        """Puts the rows of one sweep in the place of those it had, in one transaction.

        Returns:
            The pictures, relative to the reports, of hits that are hits no longer.

        Raises:
            StoreError: If they can't be written; nothing has changed then.
        """
        dropped: set[str] = set()

        def replace_rows() -> None:
            sweep_id = content.sweep.sweep_id
            for table in tables.SWEEP_TABLES:
                self._connection.execute(f"DELETE FROM {table.name} WHERE sweep_id = ?", [sweep_id])  # noqa: S608 - names are our own
            dropped.update(self._forget_decisions(content.coverage))
            grouped = [hit_id for incident in content.incidents for hit_id in incident.hit_ids]
            self._connection.execute("DELETE FROM incidents WHERE list_has_any(hit_ids, ?::VARCHAR[])", [grouped])
            for table, rows in _sweep_rows(content):
                self._upsert(table, rows)
            reach("sweep.rows_replaced")

        self._transact("record the sweep", replace_rows)
        reach("sweep.committed")
        return frozenset(dropped - {hit.picture_path for hit in content.hits})

    def _forget_decisions(self, covered: Sequence[CoverageRecord]) -> list[str]:
        """Removes the hits in these shards, and gives their pictures; judgements stay, as not accepted."""
        chosen = "(query_version, shard_id) IN (SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[]))"
        pairs = [[pair.query_version for pair in covered], [pair.shard_id for pair in covered]]
        found = self._read(f"SELECT hit_id, picture_path FROM hits WHERE {chosen}", pairs)  # noqa: S608 - names are our own
        if found:
            gone = [hit_id for hit_id, _ in found]
            self._connection.execute("DELETE FROM incidents WHERE list_has_any(hit_ids, ?::VARCHAR[])", [gone])
            self._connection.execute("DELETE FROM hits WHERE hit_id IN (SELECT unnest(?::VARCHAR[]))", [gone])
            marks = f"UPDATE judgements SET accepted = false WHERE accepted AND {chosen}"  # noqa: S608 - names are our own
            self._connection.execute(marks, pairs)
        return [path for _, path in found]

    def record_feedback(self, feedback: FeedbackRecord) -> None:
        """Saves what a person says of a hit.

        Raises:
            StoreError: If it can't be saved.
        """
        rows = [tables.record_row(tables.FEEDBACK, feedback)]
        self._transact("save the feedback", lambda: self._upsert(tables.FEEDBACK, rows))

    def reviews(self) -> list[ReviewRecord]:
        """All feedback with the hits it is about.

        Raises:
            StoreError: If the database can't be read.
        """
        return read_reviews(self._read)

    def record_search(self, search: SearchRecord) -> None:
        """Logs a search.

        Raises:
            StoreError: If it can't be saved.
        """
        rows = [tables.record_row(tables.SEARCHES, search)]
        self._transact("log the search", lambda: self._upsert(tables.SEARCHES, rows))

    def cached_judgements(self, keys: Sequence[str]) -> dict[str, str]:
        """Payloads of those keys that are known.

        Raises:
            StoreError: If the database can't be read.
        """
        sql = "SELECT key, payload FROM judgement_cache WHERE key IN (SELECT unnest(?::VARCHAR[]))"
        return dict(self._read(sql, [list(keys)]))

    def cache_judgements(self, payloads: Mapping[str, str], shard_ids: Iterable[str] = ()) -> None:
        """Remembers answers by key, at once, so that a crash later in the sweep asks nothing again.

        They are erased with the shards of the pictures asked about.

        Raises:
            StoreError: If they can't be saved.
        """
        now = datetime.now(UTC)
        shared = {"created_utc": now, "shard_ids": sorted(set(shard_ids))}
        rows = [{"key": key, "payload": payload, **shared} for key, payload in payloads.items()]
        self._transact("cache judgements", lambda: self._upsert(tables.JUDGEMENT_CACHE, rows))
        reach("judgements.cached")

    def take_in_waiting(self) -> int:
        """Saves the searches and feedback that wait in the inbox; gives their number.

        Raises:
            StoreError: If they can't be saved; they wait on then.
        """
        with take_in(self._layout) as (searches, feedback):
            if searches or feedback:
                search_rows = [tables.record_row(tables.SEARCHES, search) for search in searches]
                feedback_rows = [tables.record_row(tables.FEEDBACK, entry) for entry in feedback]

                def save() -> None:
                    self._upsert(tables.SEARCHES, search_rows)
                    self._upsert(tables.FEEDBACK, feedback_rows)

                self._transact("take in searches and feedback", save)
        return len(searches) + len(feedback)

    def publish(self) -> PublishReport:
        """Replaces the snapshot that analysts open; those who read the old one keep it until they close it.

        Raises:
            StoreError: If it can't be written; the old one stays then.
        """
        self.take_in_waiting()
        unreadable: list[str] = []
        self._transact("list the shards", lambda: unreadable.extend(synchronize(self._layout, self._connection)))
        reach("shards.listed")
        mark = "UPDATE sweeps SET published = true WHERE status <> 'Failed' AND NOT published"
        self._transact("publish", lambda: self._connection.execute(mark))
        reach("sweep.published")
        try:
            write_snapshot(self._layout, self._connection)
        except duckdb.Error as error:
            raise StoreError(say_why(f"Can't write {self._layout.snapshot}", error, self._layout)) from error
        counts = (
            "SELECT (SELECT count(*) FROM sweeps WHERE published), "
            "(SELECT count(*) FROM hits JOIN sweeps USING (sweep_id) WHERE published), (SELECT count(*) FROM shards)"
        )
        num_sweeps, num_hits, num_shards = self._read(counts)[0]
        return PublishReport(
            num_sweeps=num_sweeps, num_hits=num_hits, num_shards=num_shards, unreadable=tuple(unreadable)
        )

    def read(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Rows of one SELECT of our own.

        Raises:
            StoreError: If the database can't be read.
        """
        return self._read(sql, parameters)

    def change(self, action: str, work: Callable[[duckdb.DuckDBPyConnection], object]) -> None:
        """Runs ``work`` in one transaction.

        Raises:
            StoreError: If it can't be written; nothing has changed then.
        """
        self._transact(action, lambda: work(self._connection))

    def rewrite_file(self) -> None:
        """Puts a new file with the same rows in the place of the old one, whose free blocks hold deleted rows.

        Raises:
            StoreError: If it can't be written; the old one stays then.
        """
        try:
            built = copy_database(self._layout, self._connection)
            self._connection.close()
        except duckdb.Error as error:
            raise StoreError(say_why(f"Can't rewrite {self._layout.working}", error, self._layout)) from error
        self._open_connection = None
        replace_database(self._layout, built)
        self._open_connection = self._resources.enter_context(open_working(self._layout))

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        if self._open_connection is None:
            raise StoreError("The hits database is not open: use HitStore in a with block.")
        return self._open_connection

    def _prepare(self) -> None:
        for table in tables.ALL_TABLES:
            tables.create_or_widen(self._connection, table)
        self._connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER)")
        version = self._read("SELECT max(version) FROM schema_version")[0][0]
        if version is None:
            self._connection.execute("INSERT INTO schema_version VALUES (?)", [tables.HITS_SCHEMA_VERSION])
        elif version != tables.HITS_SCHEMA_VERSION:
            raise StoreError(
                f"{self._layout.working} has schema version {version}, but this version reads "
                f"{tables.HITS_SCHEMA_VERSION}. Use the anomalylmm that wrote it, or move the file away to begin anew."
            )

    def _upsert(self, table: tables.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        tables.upsert(self._connection, table, rows)

    def _read(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        try:
            return self._connection.execute(sql, list(parameters)).fetchall()
        except duckdb.Error as error:
            raise StoreError(say_why(f"Can't read {self._layout.working}", error, self._layout)) from error

    def _transact(self, action: str, work: Callable[[], object]) -> None:
        try:
            self._connection.execute("BEGIN TRANSACTION")
            try:
                work()
                self._connection.execute("COMMIT")
            except BaseException:
                roll_back(self._connection)
                raise
        except duckdb.Error as error:
            raise StoreError(say_why(f"Can't {action} in {self._layout.working}", error, self._layout)) from error


def _sweep_rows(content: SweepContent) -> list[tuple[tables.Table, list[dict[str, Any]]]]:
    sweep = content.sweep
    shared = {"sweep_id": sweep.sweep_id, "pipeline": sweep.pipeline}
    slots = [row for judgement in content.judgements for row in tables.slot_rows(judgement)]
    return [
        (tables.SWEEPS, [tables.record_row(tables.SWEEPS, sweep, published=False)]),
        (tables.COVERAGE, [tables.record_row(tables.COVERAGE, pair, **shared) for pair in content.coverage]),
        (tables.HITS, [tables.record_row(tables.HITS, hit) for hit in content.hits]),
        (tables.JUDGEMENTS, [tables.judgement_row(judgement) for judgement in content.judgements]),
        (tables.JUDGEMENT_SLOTS, slots),
        (tables.INCIDENTS, [tables.record_row(tables.INCIDENTS, incident) for incident in content.incidents]),
        (tables.THRESHOLDS, [tables.record_row(tables.THRESHOLDS, used, **shared) for used in content.thresholds]),
    ]
