"""The writer's database: queries, sweeps and what they found. One writer at a time, one transaction per sweep."""

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import duckdb

from anomalylmm.errors import StoreError
from anomalylmm.records import Query
from storage.disk.claims import LEASE_SECONDS, Claim
from storage.disk.crashpoints import reach
from storage.disk.files import guarded
from storage.disk.layout import StoreLayout
from storage.disk.locks import writer_lock
from storage.hits import tables
from storage.hits.database import database_error, open_working, rewrite_database, transaction
from storage.hits.inbox import forget_published, take_in
from storage.hits.place import hold_place
from storage.hits.rows import CoverageRecord, FeedbackRecord, HitRecord, JudgementRecord, SearchRecord, SweepContent
from storage.hits.snapshot import synchronize, write_snapshot

_NOT_OPEN = "The hits database is not open: use HitStore in a with block."
_VERDICT_COLUMNS = (
    *("tracklet_id", "accepted", "confidence", "score", "affirm"),
    *("reason", "judge_id", "num_calls", "seconds", "cached", "evidence", "description"),
)


class HitStore:
    """All that writes to the hits database; a context manager that holds the writer's lock."""

    def __init__(self, layout: StoreLayout, lease_seconds: float = LEASE_SECONDS) -> None:
        self._layout, self._lease_seconds = layout, lease_seconds
        self._resources = ExitStack()
        self._open_claim: Claim | None = None
        self._open_connection: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> Self:
        """Takes the lock and the place, opens the database, and saves waiting searches and feedback.

        Raises:
            StoreBusyError: If another process is writing.
            StoreError: If the database can't be opened, or has another schema version.
        """
        with ExitStack() as resources:
            resources.enter_context(writer_lock(self._layout.hits_lock))
            self._open_claim = resources.enter_context(hold_place(self._layout, self._lease_seconds))
            self._open_connection = resources.enter_context(open_working(self._layout, self._claim.folder))
            self.change("prepare", self._prepare)
            self._take_in_waiting()
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._open_connection = None
        self._resources.close()
        self._open_claim = None

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder on the store for passing files, which goes with the writer, or when another one takes over.

        Raises:
            LostClaimError: In place of a StoreError, if another machine has taken over.
            StoreError: If the folder can't be created.
        """
        with self._claim.guard():
            folder = self._claim.folder / "scratch"
            with guarded("create", folder):
                folder.mkdir()
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def register_query(self, query: Query) -> None:
        """Saves one version of a query, or updates its name, its criteria and whether it is enabled.

        Raises:
            StoreError: If it can't be saved.
        """

        def save(connection: duckdb.DuckDBPyConnection) -> None:
            found = self.read("SELECT created_utc FROM queries WHERE query_version = ?", [query.version])
            created = found[0][0].replace(tzinfo=UTC) if found else datetime.now(UTC)
            tables.upsert(connection, tables.QUERIES, [_query_row(query, created)])
            for table in tables.NAMING_QUERIES:
                sql = f"UPDATE {table.name} SET query_name = ? WHERE query_version = ? AND query_name <> ?"  # noqa: S608 - names are our own
                connection.execute(sql, [query.name, query.version, query.name])

        self.change("save the query", save)
        reach("query.saved")

    def retire_queries(self, versions: Iterable[str]) -> None:
        """Marks versions as disabled that another query has replaced.

        Raises:
            StoreError: If it can't be saved.
        """
        sql = "UPDATE queries SET enabled = false WHERE enabled AND list_contains(?::VARCHAR[], query_version)"
        self.change("save the queries", lambda connection: connection.execute(sql, [sorted(set(versions))]))

    def pending(self, criteria: Mapping[str, str], shard_ids: Iterable[str]) -> set[tuple[str, str]]:
        """The (query version, shard id) pairs that no successful sweep has covered with these criteria.

        The criteria, by query version, decide which candidates become hits.

        Raises:
            StoreError: If the database can't be read.
        """
        sql = (
            "SELECT query_version, shard_id, criteria FROM coverage JOIN sweeps USING (sweep_id) "
            "WHERE status <> 'Failed'"
        )
        covered = {(version, shard) for version, shard, known in self.read(sql) if criteria.get(version) == known}
        return {(version, shard) for shard in shard_ids for version in criteria} - covered

    def record_sweep(self, content: SweepContent) -> frozenset[str]:
        """Saves the rows of one sweep in one transaction, replacing those saved for it before.

        Returns:
            The pictures, relative to the reports, of hits that are no longer hits.

        Raises:
            StoreError: If they can't be written; then nothing has changed.
        """
        dropped: set[str] = set()

        def replace_rows(connection: duckdb.DuckDBPyConnection) -> None:
            sweep_id = content.sweep.sweep_id
            for table in tables.SWEEP_TABLES:
                connection.execute(f"DELETE FROM {table.name} WHERE sweep_id = ?", [sweep_id])  # noqa: S608 - names are our own
            dropped.update(self._forget_decisions(connection, content.coverage))
            grouped = [hit_id for incident in content.incidents for hit_id in incident.hit_ids]
            connection.execute("DELETE FROM incidents WHERE list_has_any(hit_ids, ?::VARCHAR[])", [grouped])
            for table, rows in _sweep_rows(content):
                tables.upsert(connection, table, rows)
            reach("sweep.rows_replaced")

        self.change("record the sweep", replace_rows)
        reach("sweep.committed")
        return frozenset(dropped - {hit.picture_path for hit in content.hits})

    def _forget_decisions(self, connection: duckdb.DuckDBPyConnection, covered: Sequence[CoverageRecord]) -> list[str]:
        """Removes the hits in these shards and returns their pictures; their judgements stay as not accepted."""
        chosen = "(query_version, shard_id) IN (SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[]))"
        pairs = [[pair.query_version for pair in covered], [pair.shard_id for pair in covered]]
        found = self.read(f"SELECT hit_id, picture_path FROM hits WHERE {chosen}", pairs)  # noqa: S608 - names are our own
        if found:
            gone = [hit_id for hit_id, _ in found]
            connection.execute("DELETE FROM incidents WHERE list_has_any(hit_ids, ?::VARCHAR[])", [gone])
            connection.execute("DELETE FROM hits WHERE hit_id IN (SELECT unnest(?::VARCHAR[]))", [gone])
            connection.execute(f"UPDATE judgements SET accepted = false WHERE accepted AND {chosen}", pairs)  # noqa: S608 - names are our own
        return [path for _, path in found]

    def cached_judgements(self, keys: Sequence[str]) -> dict[str, str]:
        """The cached answers among ``keys``.

        Raises:
            StoreError: If the database can't be read.
        """
        sql = "SELECT key, payload FROM judgement_cache WHERE key IN (SELECT unnest(?::VARCHAR[]))"
        return dict(self.read(sql, [list(keys)]))

    def cache_judgements(self, payloads: Mapping[str, str], shard_ids: Iterable[str] = ()) -> None:
        """Saves answers by key at once, so that none has to be asked for again if the sweep crashes later.

        They are erased together with the shards of the pictures asked about.

        Raises:
            StoreError: If they can't be saved.
        """
        shared = {"created_utc": datetime.now(UTC), "shard_ids": sorted(set(shard_ids))}
        rows = [{"key": key, "payload": payload, **shared} for key, payload in payloads.items()]
        self.change("cache judgements", lambda connection: tables.upsert(connection, tables.JUDGEMENT_CACHE, rows))
        reach("judgements.cached")

    def publish(self) -> tuple[str, ...]:
        """Replaces the snapshot that analysts open; readers that have the old one open keep reading it.

        Returns:
            The reason for each shard whose videos and tracklets could not be listed.

        Raises:
            StoreError: If it can't be written; then the old one stays.
        """
        self._take_in_waiting()
        unreadable: list[str] = []
        self.change("list the shards", lambda connection: unreadable.extend(synchronize(self._layout, connection)))
        reach("shards.listed")
        mark = "UPDATE sweeps SET published = true WHERE status <> 'Failed' AND NOT published"
        self.change("publish", lambda connection: connection.execute(mark))
        reach("sweep.published")
        with self._claim.guard():
            try:
                write_snapshot(self._layout, self._connection, self._claim.folder)
            except duckdb.Error as error:
                raise database_error(f"write {self._layout.snapshot}", error, self._layout) from error
        forget_published(self._layout)
        return tuple(unreadable)

    def read(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Rows of one SELECT that we wrote ourselves.

        Raises:
            StoreError: If the database can't be read.
        """
        try:
            return self._connection.execute(sql, list(parameters)).fetchall()
        except duckdb.Error as error:
            raise database_error(f"read {self._layout.working}", error, self._layout) from error

    def change(self, action: str, work: Callable[[duckdb.DuckDBPyConnection], object]) -> None:
        """Runs ``work`` in one transaction.

        Raises:
            LostClaimError: If another machine has taken over; then nothing has changed.
            StoreError: If it can't be written; then nothing has changed.
        """
        connection = self._connection
        self._claim.check()
        try:
            with transaction(connection):
                work(connection)
                self._claim.check()
        except duckdb.Error as error:
            raise database_error(f"{action} in {self._layout.working}", error, self._layout) from error

    def rewrite_file(self) -> None:
        """Replaces the database file with a new one that has the same rows and no remains of deleted ones.

        Raises:
            StoreError: If it can't be written; then the old one stays.
        """
        with self._claim.guard():
            try:
                rewrite_database(self._layout, self._connection, self._claim.folder)
            except duckdb.Error as error:
                raise database_error(f"rewrite {self._layout.working}", error, self._layout) from error
        self._open_connection = self._resources.enter_context(open_working(self._layout, self._claim.folder))

    @property
    def _claim(self) -> Claim:
        if self._open_claim is None:
            raise StoreError(_NOT_OPEN)
        return self._open_claim

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        if self._open_connection is None:
            raise StoreError(_NOT_OPEN)
        return self._open_connection

    def _prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        tables.create_or_widen(connection, tables.ALL_TABLES)
        connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER)")
        version = self.read("SELECT max(version) FROM schema_version")[0][0]
        if version is None:
            connection.execute("INSERT INTO schema_version VALUES (?)", [tables.HITS_SCHEMA_VERSION])
        elif version != tables.HITS_SCHEMA_VERSION:
            raise StoreError(
                f"{self._layout.working} has schema version {version}, but this version reads "
                f"{tables.HITS_SCHEMA_VERSION}. Use the anomalylmm that wrote it, or move the file away to start over."
            )

    def _take_in_waiting(self) -> None:
        """Saves the searches and feedback in the inbox; if that fails, they stay there.

        Feedback that an earlier writer saved and did not publish is saved already.
        """
        with take_in(self._layout) as records:

            def save(connection: duckdb.DuckDBPyConnection) -> None:
                for table, kind in ((tables.SEARCHES, SearchRecord), (tables.FEEDBACK, FeedbackRecord)):
                    rows = [tables.record_row(table, record) for record in records if isinstance(record, kind)]
                    tables.upsert(connection, table, rows)

            if records:
                self.change("save waiting searches and feedback", save)


def _query_row(query: Query, created_utc: datetime) -> dict[str, Any]:
    return tables.record_row(
        tables.QUERIES,
        query,
        query_version=query.version,
        query_name=query.name,
        masked=query.cloze.masked,
        cloze=json.dumps(dataclasses.asdict(query.cloze), ensure_ascii=False),
        created_utc=created_utc,
    )


def _sweep_rows(content: SweepContent) -> list[tuple[tables.Table, list[dict[str, Any]]]]:
    sweep = content.sweep
    shared = {"sweep_id": sweep.sweep_id, "pipeline": sweep.pipeline}
    return [
        (tables.SWEEPS, [tables.record_row(tables.SWEEPS, sweep, published=False)]),
        (tables.COVERAGE, [tables.record_row(tables.COVERAGE, pair, **shared) for pair in content.coverage]),
        (tables.HITS, [_hit_row(hit) for hit in content.hits]),
        (tables.JUDGEMENTS, [_judgement_row(judgement) for judgement in content.judgements]),
        (tables.JUDGEMENT_SLOTS, [row for judgement in content.judgements for row in _slot_rows(judgement)]),
        (tables.INCIDENTS, [tables.record_row(tables.INCIDENTS, incident) for incident in content.incidents]),
        (tables.THRESHOLDS, [tables.record_row(tables.THRESHOLDS, used, **shared) for used in content.thresholds]),
    ]


def _hit_row(hit: HitRecord) -> dict[str, Any]:
    return tables.record_row(tables.HITS, hit, first_found_utc=hit.first_found_utc or hit.created_utc)


def _judgement_row(record: JudgementRecord) -> dict[str, Any]:
    verdict = {name: getattr(record.verdict, name) for name in _VERDICT_COLUMNS}
    return tables.record_row(tables.JUDGEMENTS, record, **verdict)


def _slot_rows(record: JudgementRecord) -> list[dict[str, Any]]:
    shared = {
        "query_version": record.query_version,
        "tracklet_id": record.verdict.tracklet_id,
        "pipeline": record.pipeline,
        "sweep_id": record.sweep_id,
    }
    return [
        tables.record_row(tables.JUDGEMENT_SLOTS, slot, slot_index=index, **shared)
        for index, slot in enumerate(record.verdict.slots)
    ]
