"""Situations of commands that are stopped, and of what they left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.end_to_end.demo_archive import SQUARE, cut_video
from tests.situations.outputs import GATE, last_line
from tests.situations.place import Observed, Place, situation

LYING = '[[query]]\nname = "{name}"\ntext = "a person lying on the {where}"\n{more}'
PATIENCE_SECONDS = 120.0


def stop(place: Place, number: signal.Signals, *arguments: str | Path) -> tuple[int, str, list[str]]:
    """Starts a command, stops it once it works on videos, and returns its exit code, its words and its orphans."""
    mark = f"SITUATION={place.folder.name}"
    name, value = mark.split("=")
    program = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *map(str, arguments)],
        cwd=place.folder,
        env=os.environ | {"PYTHONPATH": str(place.code), name: value},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until = time.monotonic() + PATIENCE_SECONDS
    while len(find_processes(mark)) < 2 and time.monotonic() < until and program.poll() is None:
        time.sleep(0.05)  # the second process decodes
    os.kill(program.pid, number)
    _, words = program.communicate(timeout=PATIENCE_SECONDS)
    time.sleep(3.0)
    return program.returncode, words, find_processes(mark)


def find_processes(mark: str) -> list[str]:
    """Command lines of the running processes whose environment has a mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return [line for line in found if line]


def write_archive(place: Place) -> None:
    """Writes two short videos."""
    for name in (GATE, SQUARE):
        cut_video(name, place.archive / name, 8.0)


def stop_index(place: Place, number: signal.Signals, code: int) -> Observed:
    """Stops an index run, runs it again, and compares with what was said."""
    write_archive(place)
    ended, words, orphans = stop(place, number, "index", place.archive, "--store", place.store)
    again = place.run("index", place.archive, "--store", place.store)
    right = ended == code and "kept" in words and "again" in words and not orphans and again.returncode == 0
    return Observed(
        text=f"exit {ended}; {last_line(words)}; orphans {len(orphans)}; again {again.returncode}", right=right
    )


@situation("exit 130, what was kept and how to go on; no process is left; a second run does the rest")
def index_stopped_by_ctrl_c(place: Place) -> Observed:
    """Sends SIGINT to an index run."""
    return stop_index(place, signal.SIGINT, 130)


@situation("exit 143, what was kept and how to go on; no process is left; a second run does the rest")
def index_stopped_by_sigterm(place: Place) -> Observed:
    """Sends SIGTERM to an index run."""
    return stop_index(place, signal.SIGTERM, 143)


@situation("exit 143; no temporary store is left")
def evaluation_stopped_by_sigterm(place: Place) -> Observed:
    """Sends SIGTERM to an evaluation of clips, which has a store of its own."""
    cut_video(GATE, place.archive / "a.mp4", 8.0)
    (place.archive / "labels.csv").write_text("file,behaviors\na.mp4,falling\n", encoding="utf-8")
    temporary = place.folder / "tmp"
    temporary.mkdir()
    os.environ["TMPDIR"] = str(temporary)
    try:
        ended, words, orphans = stop(place, signal.SIGTERM, "evaluate", "clips", place.archive)
    finally:
        del os.environ["TMPDIR"]
    left = [path.name for path in temporary.glob("anomalylmm-*")]
    right = ended == 143 and not left and not orphans
    return Observed(text=f"exit {ended}; {last_line(words)}; left {left}", right=right)


@situation("gc says what it leaves and until when")
def garbage_of_a_run_killed_just_now(place: Place) -> Observed:
    """Leaves an abandoned build that is a minute old."""
    write_archive(place)
    place.run("index", place.archive, "--store", place.store)
    (place.store / "temporary" / "left").mkdir(parents=True)
    done = place.run("gc", "--store", place.store)
    return Observed(text=last_line(done.stdout), right="left 1" in done.stdout and "60 minutes" in done.stdout)


def sweep_again(place: Place, first: str, second: str) -> Observed:
    """Sweeps with one file of queries, then with another that asks the same, and counts the notifications of hits."""
    cut_video(GATE, place.archive / GATE, 12.0)
    place.run("index", place.archive, "--store", place.store)
    told = place.folder / "told"
    program = f"import sys; open({str(told)!r}, 'a').write('x')"
    settings = place.folder / "settings.toml"
    settings.write_text(f"[notify]\ncommand = {[sys.executable, '-c', program]!r}\non = ['hits']\n", encoding="utf-8")
    counts = []
    for text in (first, second):
        queries = place.folder / "queries.toml"
        queries.write_text(text, encoding="utf-8")
        place.run("sweep", "--store", place.store, "--queries", queries, "--settings", settings)
        counts.append(len(told.read_text()) if told.exists() else 0)
    enabled = place.rows("select query_name from queries where enabled")
    text = f"notifications after each sweep {counts}; on the page {[row['query_name'] for row in enabled]}"
    return Observed(text=text, right=counts == [1, 1] and len(enabled) == 1)


@situation("one notification: the renamed query tells nothing that was told before")
def a_query_with_another_name_and_wording(place: Place) -> Observed:
    """Renames and rewords a query between two sweeps."""
    return sweep_again(
        place,
        LYING.format(name="lying", where="ground", more=""),
        LYING.format(name="on-the-ground", where="floor", more=""),
    )


@situation("one notification: a lower threshold tells only what is new")
def a_query_with_another_threshold(place: Place) -> Observed:
    """Lowers the threshold of a query between two sweeps."""
    return sweep_again(
        place,
        LYING.format(name="lying", where="ground", more=""),
        LYING.format(name="lying", where="ground", more="floor = 1.9\n"),
    )
