"""Command line: `python -m benchmarks.reliability --help`."""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from benchmarks.reliability.section import Section

PARTS = ("kills", "footage", "disk", "together", "erasure", "hostile")  # modules with run(scratch, short=...)
_HEAD = """# Reliability
What was done to it and what was lost, by `benchmarks/reliability/run`{options}; written by that command.

"""


def main() -> int:
    """Runs the parts asked for and writes their tables; exits with 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="benchmarks/reliability/run", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a small number of each, for continuous integration")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="these parts only")
    parser.add_argument("--out", type=Path, help="write Markdown here, and JSON beside it")
    options = parser.parse_args()
    sections = {part: _run(part, short=options.short) for part in options.only}
    text = _HEAD.format(options=" --short" if options.short else "")
    text += "\n".join(section.markdown() for section in sections.values())
    if options.out:
        options.out.write_text(text, encoding="utf-8")
        told = {part: asdict(section) for part, section in sections.items()}
        options.out.with_suffix(".json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    print(text)
    return int(any(section.faults for section in sections.values()))


def _run(part: str, *, short: bool) -> Section:
    run: Callable[..., Section] = import_module(f"benchmarks.reliability.{part}").run
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"reliability-{part}-") as scratch:
        section = run(Path(scratch), short=short)
    print(f"{part}: {time.monotonic() - began:.0f} s, {len(section.faults)} faults", flush=True)
    return section


if __name__ == "__main__":
    raise SystemExit(main())
