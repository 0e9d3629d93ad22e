"""What a command costs before it works: python -m benchmarks.cold_start STORE [--code OTHER_CHECKOUT] --runs 5.

Starts each command as a process of its own, in turn with the code of another checkout if one is given, and prints
medians. On a busy machine compare the processor time and the ratios; the seconds hold for that machine and hour.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
TEXT = "a man in a red jacket falling"
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
    options = parser.parse_args()
    commands = commands_of(options.store.resolve())
    chosen = {name: commands[name] for name in options.only or commands}
    codes = [HERE, *([options.code.resolve()] if options.code else [])]
    options.out.write_text(json.dumps(measure(codes, chosen, options.runs), indent=1))


if __name__ == "__main__":
    main()
