"""What a command costs before it works: python -m benchmarks.cold_start STORE [--code OTHER_CHECKOUT] --runs 5.

Starts each command as a process of its own, in turn with the code of another checkout if one is given, and prints
medians. On a busy machine compare the processor time and the ratios; the seconds hold for that machine and hour.
With --warm, one process searches again and again, as the review desk does; it takes a copy of the store.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from flows.composition import Composition
from flows.search.outcome import SearchRequest
from flows.search.searcher import Searcher
from flows.settings.model import load_settings
from storage.disk.layout import StoreLayout

HERE = Path(__file__).resolve().parent.parent
TEXT = "a man in a red jacket falling"
WARM_TEXTS = (TEXT, "a woman lying on the ground", "two people fighting", "a person running away", TEXT)
Seconds = tuple[float, float]  # by the clock, and of processor time


def commands_of(store: Path) -> dict[str, list[str]]:
    """The commands that are measured, by name; none of them changes hits."""
    place = ["--store", str(store)]
    return {
        "help": ["--help"],
        "settings": ["settings"],
        "sql": ["sql", "select count(*) from hits", *place],
        "doctor": ["doctor", *place],
        "search": ["search", TEXT, "--quiet", *place],
    }


def time_command(code: Path, arguments: Sequence[str]) -> Seconds:
    """Runs a command with the code of a checkout; raises CalledProcessError if it fails."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        env=os.environ | {"PYTHONPATH": str(code)},
        cwd=code,
        capture_output=True,
        check=True,
    )
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - began
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(codes: Sequence[Path], commands: Mapping[str, list[str]], runs: int) -> dict[str, list[Seconds]]:
    """Gives the medians of each command for each checkout; the first round fills caches and does not count."""
    found: dict[str, list[Seconds]] = {}
    for name, arguments in commands.items():
        rounds = [[time_command(code, arguments) for code in codes] for _ in range(runs + 1)][1:]
        found[name] = [medians(column) for column in zip(*rounds, strict=True)]
        print(name, *(f"{wall:.2f} s, {cpu:.2f} s of processor time" for wall, cpu in found[name]), sep=" | ")
    return found


def measure_warm(store: Path) -> list[Seconds]:
    """Searches a copy of a store for one sentence after the other in this process, and prints what each takes."""
    found = []
    with tempfile.TemporaryDirectory(dir=store.parent) as folder:
        searcher = Searcher(
            Composition(load_settings("pocket")), StoreLayout(shutil.copytree(store, Path(folder, "s")))
        )
        searcher.warm()
        for text in WARM_TEXTS:
            began, used = time.perf_counter(), time.process_time()
            report = searcher.search(SearchRequest(text=text))
            found.append((time.perf_counter() - began, time.process_time() - used))
            print(f"{text}: {report.num_calls} questions | %.2f s, %.2f s of processor time" % found[-1])
    return found


def medians(times: Sequence[Seconds]) -> Seconds:
    """The median of each of the two times."""
    wall, processor = zip(*times, strict=True)
    return statistics.median(wall), statistics.median(processor)


def main() -> None:
    """Measures and prints a line for each command: this checkout, then the other one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold_start", description=__doc__)
    parser.add_argument("store", type=Path, help="an indexed and swept store, such as demo-store")
    parser.add_argument("--code", type=Path, help="another checkout to compare with")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", nargs="*", help="names of commands; by default all")
    parser.add_argument("--out", type=Path, default=Path("cold_start.json"))
    parser.add_argument("--warm", action="store_true", help="measure searches of one process instead of commands")
    options = parser.parse_args()
    if options.warm:
        options.out.write_text(json.dumps(measure_warm(options.store.resolve()), indent=1))
        return
    commands = commands_of(options.store.resolve())
    chosen = {name: commands[name] for name in options.only or commands}
    codes = [HERE, *([options.code.resolve()] if options.code else [])]
    options.out.write_text(json.dumps(measure(codes, chosen, options.runs), indent=1))


if __name__ == "__main__":
    main()
