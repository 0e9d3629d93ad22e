import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from anomalylmm.errors import QueryError, StoreError
from storage.disk.layout import CROPS_FILE, StoreLayout
from storage.hits.analyst import SqlLimits, open_snapshot, open_tables, run_sql
from storage.hits.writer import HitStore
from tests.storage.examples import make_content, make_rows, publish_shard, unit_vectors


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> StoreLayout:
    return make_published(StoreLayout(tmp_path_factory.mktemp("store's [files]*")))


def make_published(layout: StoreLayout) -> StoreLayout:
    layout.create()
    publish_shard(layout, "a", make_rows("a", unit_vectors(6)))
    with HitStore(layout) as store:
        store.record_sweep(make_content())
        store.publish()
    return layout


REFUSED = [
    "DELETE FROM hits",
    "INSERT INTO hits SELECT * FROM hits",
    "CREATE TABLE x AS SELECT 1",
    "CREATE TEMP TABLE x AS SELECT 1",
    "DROP TABLE hits",
    "SELECT 1; DROP TABLE hits",
    "COPY hits TO '{root}/out.csv'",
    "COPY (SELECT 1) TO '{snapshot}.wal'",
    "WITH x AS (COPY (SELECT 1) TO '{snapshot}.wal') SELECT 1",
    "WITH x AS (COPY (SELECT 1) TO '{crops}') SELECT 1",
    "SELECT * FROM (WITH x AS (COPY (SELECT 1) TO '{snapshot}.wal') SELECT 1)",
    "WITH x AS (DELETE FROM hits RETURNING *) SELECT * FROM x",
    "FROM query('WITH x AS (COPY (SELECT 1) TO ''{snapshot}.wal'') SELECT 1')",
    "FROM \"QUERY\"('SELECT 1')",
    "FROM json_execute_serialized_sql('{{}}')",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{snapshot}.wal'",
    "EXPORT DATABASE '{root}/out'",
    "ATTACH '{working}' AS w",
    "FROM read_text('/etc/passwd')",
    "FROM '/etc/passwd'",
    "FROM read_csv('{root}/../../../../etc/passwd')",
    "FROM read_parquet('{crops}')",
    "FROM glob('/etc/*')",
    "INSTALL fts",
    "LOAD fts",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "PRAGMA enable_profiling",
    "CALL pragma_version()",
    "CHECKPOINT",
    "SELECT nothing FROM hits",
    "not SQL",
    "",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_sql_that_does_more_than_read_the_snapshot_is_refused(published: StoreLayout, sql: str) -> None:
    def list_files() -> dict[Path, int]:
        return {path: path.stat().st_size for path in published.root.rglob("*") if path.is_file()}

    before = list_files()
    (crops,) = published.shards.rglob("crops.parquet")
    places = {"root": published.root, "snapshot": published.snapshot, "working": published.working, "crops": crops}
    with pytest.raises(QueryError):
        run_sql(published, sql.format(**{name: str(path).replace("'", "''") for name, path in places.items()}))
    assert list_files() == before


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM hits",
        "FROM hits",
        "WITH x AS (SELECT * FROM hits) SELECT * FROM x UNION ALL SELECT * FROM x",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT * FROM t",
        "SHOW TABLES",
        "DESCRIBE hits",
        "SUMMARIZE hits",
        "SELECT crop_id, octet_length(jpeg) FROM crops JOIN hits USING (crop_id)",
    ],
)
def test_reading_works(published: StoreLayout, sql: str) -> None:
    columns, rows = run_sql(published, sql)
    assert columns
    assert rows


def test_values_are_bound(published: StoreLayout) -> None:
    assert run_sql(published, "SELECT ? AS x", ["'; DROP TABLE hits"]) == (["x"], [("'; DROP TABLE hits",)])


def test_a_refused_query_leaves_the_snapshot_usable(published: StoreLayout) -> None:
    with open_snapshot(published) as snapshot:
        with pytest.raises(QueryError):
            snapshot.run("SELECT 1 / 'x' FROM hits")
        assert snapshot.run("SELECT count(*) FROM hits")[1] == [(1,)]


def test_an_endless_query_is_stopped(published: StoreLayout) -> None:
    with open_snapshot(published, SqlLimits(seconds=0.3)) as snapshot, pytest.raises(QueryError):
        snapshot.run("SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b")


def test_without_a_snapshot_the_message_says_what_to_do(layout: StoreLayout) -> None:
    with pytest.raises(StoreError, match=r"No sweep has published yet.*anomalylmm sweep"):
        run_sql(layout, "SELECT 1")


def test_a_damaged_snapshot_is_named(layout: StoreLayout) -> None:
    published = make_published(layout)
    published.snapshot.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match=r"hits\.duckdb"):
        run_sql(published, "SELECT 1")


def test_any_client_can_read_the_crops_of_the_snapshot(published: StoreLayout) -> None:
    code = "import duckdb, sys; print(duckdb.connect(sys.argv[1], read_only=True).sql('FROM crops').fetchall())"
    ended = subprocess.run(
        [sys.executable, "-c", code, str(published.snapshot)], check=True, capture_output=True, text=True
    )
    assert "jpeg a 5" in ended.stdout


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("SELECT string_agg(repeat('x', 1000), '') FROM range(10000000)", "refuses"),
        ("FROM range(1001)", "over 1,000 rows"),
        ("SELECT interval '100000000 years'", "cast it to VARCHAR"),
        ("SELECT '\ud800'", "not UTF-8"),
    ],
)
def test_a_query_can_not_exceed_its_limits(published: StoreLayout, sql: str, named: str) -> None:
    limits = SqlLimits(seconds=0.5, memory_bytes=100_000_000, rows=1000)
    with pytest.raises(QueryError, match=named):
        run_sql(published, sql, limits=limits)


def test_a_deeply_nested_query_is_refused_without_a_crash(published: StoreLayout) -> None:
    def dive(_: str) -> None:
        raise RecursionError

    with open_snapshot(published) as snapshot, pytest.MonkeyPatch.context() as patch:
        patch.setattr("storage.hits.analyst.json.loads", dive)
        with pytest.raises(QueryError, match="nested too deeply"):
            snapshot.run("SELECT 1")


def test_tables_of_an_unpublished_store_show_what_is_indexed(layout: StoreLayout) -> None:
    layout.create()
    publish_shard(layout, "a", make_rows("a", unit_vectors(6)))
    before = sorted(layout.root.rglob("*"))
    with open_tables(layout) as snapshot:
        assert snapshot.run("SELECT (SELECT count(*) FROM videos), (SELECT count(*) FROM crops)")[1] == [(1, 6)]
        assert snapshot.run("SELECT hit_id, feedback FROM hits")[1] == []
    assert sorted(layout.root.rglob("*")) == before


def test_tables_show_shards_that_came_and_went_after_the_last_sweep(tmp_path: Path) -> None:
    layout = make_published(StoreLayout(tmp_path / "store"))
    (old,) = layout.shards.glob("*/*/*/*")
    publish_shard(layout, "b", make_rows("b", unit_vectors(4)))
    with open_tables(layout) as snapshot:
        assert snapshot.run("SELECT count(*) FROM videos JOIN shards USING (shard_id)")[1] == [(2,)]
        assert snapshot.run("SELECT count(*) > 0 FROM hits")[1] == [(True,)]
    shutil.rmtree(old)
    with open_tables(layout) as snapshot:
        assert snapshot.run("SELECT count(*) FROM videos JOIN shards USING (shard_id)")[1] == [(1,)]
    assert run_sql(layout, "SELECT count(*) FROM videos")[1] == [(1,)]


def test_tables_say_which_shard_is_left_out(layout: StoreLayout) -> None:
    layout.create()
    publish_shard(layout, "a", make_rows("a", unit_vectors(6)))
    (manifest,) = layout.shards.rglob("manifest.json")
    manifest.write_text("{")
    with open_tables(layout) as snapshot:
        assert len(snapshot.unreadable) == 1
        assert "manifest.json" in snapshot.unreadable[0]


def test_a_shard_whose_file_is_cut_off_hides_no_other_shard(filled: StoreLayout) -> None:
    whole = run_sql(filled, "SELECT DISTINCT shard_id FROM crops ORDER BY ALL")[1]
    path = next(filled.shards.rglob(CROPS_FILE))
    path.write_bytes(path.read_bytes()[:-4])
    with HitStore(filled) as store:
        store.publish()
    found = run_sql(filled, "SELECT DISTINCT shard_id FROM crops ORDER BY ALL")[1]
    assert found == [row for row in whole if row != (path.parent.name,)]
