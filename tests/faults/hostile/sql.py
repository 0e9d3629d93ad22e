"""Hostile SQL: what writes, reads files, loads code, or has no end."""

import subprocess
import sys
from pathlib import Path

from storage.disk.layout import StoreLayout
from storage.hits.analyst import Snapshot, SqlLimits, open_snapshot
from tests.faults.hostile.trial import Bench, run_command

LIMITS = SqlLimits(seconds=1, memory_bytes=200_000_000, rows=10_000)
REFUSED = (  # more than the tests of the analyst have
    "update hits set camera = 'x'",
    "create macro f(x) as x",
    "create schema x",
    "create secret (type s3)",
    "alter table hits add column x int",
    "truncate hits",
    "copy (select 1) to '{outside}/x.parquet' (format parquet)",
    "import database '{outside}'",
    "attach '{outside}/x.duckdb' as x",
    "detach store",
    "merge into hits using hits h on true when matched then delete",
    "from read_text('{outside}/secret.txt')",
    "from read_blob('{outside}/secret.txt')",
    "from read_json('{outside}/secret.txt')",
    "from sniff_csv('{outside}/secret.txt')",
    "from parquet_metadata('{outside}/x')",
    "from read_duckdb('{working}')",
    "from 'file://{outside}/secret.txt'",
    "from 'http://127.0.0.1:9/x.csv'",
    "install httpfs",
    "load httpfs",
    "install fts from community",
    "force install json",
    "set memory_limit = '1TB'",
    "set global threads = 64",
    "pragma database_list",
    "call enable_logging('QueryLog')",
    "from enable_profiling()",
    "from enable_logging(storage='file', storage_config={{'path': '{outside}/log'}})",
    "from force_checkpoint('store')",
    "select getenv('HOME')",
    "from duckdb_secrets()",
    "from which_secret('x', 's3')",
    "from arrow_scan(1, 1, 1)",
    "from pandas_scan(1)",
    "from python_map_function(1)",
    "begin",
    "vacuum",
    "use memory",
    "prepare x as select 1",
    "\0",
    ";",
    "-- nothing",
)
ENDLESS = {
    "recursion without end": "with recursive t(n) as (select 1 union all select n + 1 from t) select count(*) from t",
    "recursion that grows": "with recursive t(n) as (select repeat('x', 9999) union all select n || n from t) "
    "select max(n) from t",
    "more rows than allowed": "from range(20000000)",
    "a sort larger than memory": "select * from range(50000000) order by hash(range) limit 20000 offset 9000000",
    "5,000 parentheses": "select " + "(" * 5000 + "1" + ")" * 5000,
    "900 nested lists": "select " + "[" * 900 + "1" + "]" * 900,
    "200 nested selects": "select * from (" * 200 + "select 1" + ")" * 200,
    "5,000 sums": "select " + "+".join("1" * 5000),
}
STUBBORN = {  # functions that look at none of DuckDB's own limits
    "a text larger than memory": "select length(repeat('x', 2000000000))",
    "a list larger than memory": "select len(range(100000000))",
    "sleep": "select sleep_ms(60000)",
    "one long comparison": "select levenshtein(repeat('a', 300000), repeat('b', 300000))",
}
VALUES = (
    "select 'infinity'::timestamp, '-infinity'::date",
    "select 'nan'::double, 'inf'::float",
    "select timestamp '290000-01-01'",
    "select date '5877642-06-25 (BC)'",
    "select time '24:00:00'",
    "from test_all_types()",
    "select map {date '2020-01-01': 1}",
    "select map {[1]: 1}",
    "select '\x1b[2J' || chr(155) || chr(0)",
    "select 'a' as \"\x1b[31m\"",
    "select '[red]x[/red]', '=cmd|x', '<b>'",
    "select 1::hugeint << 100, uuid(), 'x'::blob",
    "select chr(8238), chr(1114111)",
)


def try_sql(bench: Bench, *, short: bool) -> None:
    """Tries all statements on the published hits, and results that are hard to print."""
    layout = StoreLayout(bench.ground.store)
    places = {"outside": bench.ground.outside, "working": layout.working}
    with open_snapshot(layout, LIMITS) as snapshot:  # one for all: a statement may leave something behind
        for sql in REFUSED:
            text = sql.format(**places) if "{" in sql else sql
            bench.attempt("SQL that is no reading", _show(sql), lambda s=text: _ask(snapshot, s), refused=True)
    for name, sql in ENDLESS.items():
        if short and name == "a sort larger than memory":
            continue
        bench.attempt("SQL without end", name, lambda s=sql: _run(layout, s))
    for sql in VALUES:
        bench.attempt("values hard to print", _show(sql), lambda s=sql: _print(layout, s))
    for name, sql in () if short else STUBBORN.items():
        bench.attempt("SQL without end", name, lambda s=sql: _end(layout, s))


def _run(layout: StoreLayout, sql: str) -> str:
    with open_snapshot(layout, LIMITS) as snapshot:
        return _ask(snapshot, sql)


def _ask(snapshot: Snapshot, sql: str) -> str:
    columns, rows = snapshot.run(sql)
    if len(rows) > LIMITS.rows:
        return f"{len(rows)} rows came"
    return "a file outside was read" if "4711" in f"{columns} {rows}" else ""


def _print(layout: StoreLayout, sql: str) -> str:
    store = ["--store", str(layout.root)]
    problem = run_command(["sql", sql, *store])[2]
    code, output, worse = run_command(["sql", sql, "--json", *store])
    if not (problem or worse) and code == 0 and ("NaN" in output or "Infinity" in output):
        return "it printed what is no JSON"
    return problem or worse


def _end(layout: StoreLayout, sql: str) -> str:
    limits = ["--timeout", "2", "--memory", "0.2"]
    command = [sys.executable, "-m", "flows.cli", "sql", sql, *limits, "--store", str(layout.root)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, cwd=Path.cwd())
    return "" if ran.returncode == 2 and "Traceback" not in ran.stderr else ran.stderr[-200:]


def _show(sql: str) -> str:
    return repr(sql if len(sql) < 70 else sql[:60] + "...")
