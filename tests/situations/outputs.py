"""Situations of what commands print and leave behind, whoever reads it or stops it."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from tests.end_to_end.demo_archive import cut_video
from tests.situations.place import Observed, Place, situation

GATE = "gate/2026-03-14/10-15-00.mp4"


def index(place: Place, *options: str) -> subprocess.CompletedProcess[str]:
    """Indexes four seconds of the demo archive."""
    cut_video(GATE, place.archive / GATE, 4.0)
    return place.run("index", place.archive, "--store", place.store, *options)


def ask(place: Place, sql: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs one SQL statement on the store."""
    return place.run("sql", sql, "--store", place.store, *options, **environment)


def shell(place: Place, line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a line of bash in which ``anomalylmm`` is the command."""
    program = shlex.join([sys.executable, "-m", "flows.cli"])
    return subprocess.run(
        ["bash", "-c", f'anomalylmm() {{ {program} "$@"; }}; {line}'],
        cwd=place.folder,
        env=os.environ | {"PYTHONPATH": str(place.code)} | environment,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
        check=False,
    )


def last_line(text: str) -> str:
    """The last line of a text, shortened; empty if there is none."""
    return next((line.strip()[:160] for line in reversed(text.splitlines()) if line.strip()), "")


@situation("videos and crops are there, there are no hits, and it is said that no sweep has run")
def sql_before_the_first_sweep(place: Place) -> Observed:
    """Asks for what is indexed when only ``index`` has run."""
    index(place)
    sql = "select (select count(*) from videos) as v, (select count(*) from crops) as c, count(*) as h from hits"
    done = ask(place, sql, "--json")
    rows = json.loads(done.stdout) if done.returncode == 0 else []
    right = bool(rows) and rows[0]["v"] == 1 and rows[0]["c"] > 0 and rows[0]["h"] == 0 and "sweep" in done.stderr
    return Observed(text=f"exit {done.returncode}; {rows}; {last_line(done.stderr)}", right=right)


@situation("the command says that nothing is indexed, and how to index")
def sql_on_a_store_without_videos(place: Place) -> Observed:
    """Indexes an archive whose only video is empty, then asks for videos."""
    (place.archive / "empty.mp4").touch()
    place.run("index", place.archive, "--store", place.store)
    done = ask(place, "select count(*) as n from videos")
    return Observed(
        text=f"exit {done.returncode}; {last_line(done.stderr)}",
        right="anomalylmm index" in done.stderr and "Traceback" not in done.stderr,
    )


@situation("exit 5 from verify, gc, sql and compact: a misspelled store is not an empty one")
def a_misspelled_store(place: Place) -> Observed:
    """Names a store that does not exist."""
    commands = (["verify"], ["gc"], ["sql", "select 1"], ["compact"])
    codes = [place.run(*command, "--store", place.store).returncode for command in commands]
    return Observed(text=f"exit {codes}", right=codes == [5, 5, 5, 5])


@situation("both values are in the JSON, under different names")
def two_columns_of_one_name_in_json(place: Place) -> Observed:
    """Selects two columns of one name."""
    index(place)
    place.run("sweep", "--store", place.store)
    done = ask(place, "select 1 as name, 2 as name", "--json")
    rows = json.loads(done.stdout) if done.returncode == 0 else []
    return Observed(text=f"{rows}", right=bool(rows) and sorted(rows[0].values()) == [1, 2])


@situation("no progress bar, and the warning about the empty file is shown")
def quiet_index_of_an_unreadable_video(place: Place) -> Observed:
    """Indexes an empty file with ``--quiet``."""
    (place.archive / "empty.mp4").touch()
    done = place.run("index", place.archive, "--store", place.store, "--quiet")
    return Observed(text=f"exit {done.returncode}; stderr: {last_line(done.stderr)!r}", right="empty" in done.stderr)


@situation("head gets its lines, exit 0, and nothing on standard error")
def a_reader_that_leaves_early(place: Place) -> Observed:
    """Pipes a long result into head."""
    index(place)
    place.run("sweep", "--store", place.store)
    line = f"anomalylmm sql 'select range from range(100000)' --store {place.store} | head -3; echo ${{PIPESTATUS[0]}}"
    done = shell(place, line)
    return Observed(text=f"{done.stdout.split()[-1]}; {last_line(done.stderr)}", right=done.stdout.endswith("\n0\n"))


@situation("the index run is finished and exits 0 although nobody reads its messages")
def a_log_reader_that_leaves_early(place: Place) -> Observed:
    """Indexes with standard error in a pipe whose reader ends at once."""
    cut_video(GATE, place.archive / GATE, 4.0)
    (place.archive / "empty.mp4").touch()
    done = shell(place, f"anomalylmm index {place.archive} --store {place.store} 2> >(true); echo $?")
    return Observed(text=last_line(done.stdout), right=done.stdout.endswith("\n0\n"))


@situation("one message about the full disk, no Traceback")
def output_to_a_full_disk(place: Place) -> Observed:
    """Writes a result to /dev/full."""
    index(place)
    place.run("sweep", "--store", place.store)
    done = shell(place, f"anomalylmm sql 'select 1' --store {place.store} > /dev/full; echo $?")
    code = last_line(done.stdout)
    right = "Traceback" not in done.stderr and "No space" in done.stderr and code not in ("0", "120")
    return Observed(text=f"exit {code}; {last_line(done.stderr)}", right=right)


@situation("exit 0 and the characters escaped; the JSON is the same text")
def a_locale_without_the_characters(place: Place) -> Observed:
    """Prints characters that the output's encoding does not have."""
    index(place)
    place.run("sweep", "--store", place.store)
    table = ask(place, "select 'é漢😀' as c", PYTHONIOENCODING="ascii")
    document = ask(place, "select 'é漢😀' as c", "--json", PYTHONIOENCODING="ascii")
    right = table.returncode == document.returncode == 0 and json.loads(document.stdout) == [{"c": "é漢😀"}]
    return Observed(text=f"exit {table.returncode}, {document.returncode}; {last_line(table.stderr)}", right=right)


@situation("each value is readable as a whole in a file, whatever the number of columns")
def all_columns_of_a_table_in_a_file(place: Place) -> Observed:
    """Selects all columns of videos without a terminal."""
    index(place)
    place.run("sweep", "--store", place.store)
    done = ask(place, "select * from videos")
    return Observed(text=f"{done.stdout[:80]!r}", right=GATE in done.stdout and "seconds_decoded" in done.stdout)


@situation("the columns are named and it is said that there is no row")
def no_rows_of_many_columns(place: Place) -> Observed:
    """Selects all columns of no hit."""
    index(place)
    place.run("sweep", "--store", place.store)
    done = ask(place, "select * from hits where false")
    return Observed(text=f"{done.stdout[:80]!r}", right="clock_source" in done.stdout and "no rows" in done.stdout)


@situation("an error message is one line when it goes to a file")
def an_error_message_in_a_log(place: Place) -> Observed:
    """Names an archive with a long path that does not exist."""
    done = place.run("index", Path("/nowhere") / ("long" * 40), "--store", place.store)
    return Observed(text=f"{len(done.stderr.splitlines())} lines", right=len(done.stderr.splitlines()) == 1)
