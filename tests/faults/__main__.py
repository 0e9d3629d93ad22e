"""Injects faults and prints for each kind what was tried; exits with 1 where a promise was broken."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from tests.faults.ledger import Ledger, find_or_try, place_of

KINDS = {  # kind of fault to the module whose run(scratch, short=...) tries it
    "kills": "tests.faults.kills.killing",
    "footage": "tests.faults.footage.indexing",
    "disk": "tests.faults.disk.trying",
    "together": "tests.faults.together.playing",
    "erasure": "tests.faults.erasure.erasing",
    "hostile": "tests.faults.hostile.trying",
}


def main() -> int:
    """Runs the kinds asked for and writes their tables."""
    parser = argparse.ArgumentParser(prog="tests/faults/run", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a small number of each, as the test suite runs them")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS), help="these kinds only")
    parser.add_argument("--out", type=Path, help="write the tables to this Markdown file too")
    parser.add_argument("--keep", type=Path, help="folder where each result is kept; what is kept is not run again")
    parser.add_argument("--write", action="store_true", help="run nothing: write what is kept, long runs first")
    options = parser.parse_args()
    if options.write and not options.keep:
        parser.error("--write needs --keep FOLDER")
    if options.write:
        found = {kind: kept for kind in options.only if (kept := _read_kept(options.keep, kind))}
    else:
        found = {kind: _try(kind, options.keep, short=options.short) for kind in options.only}
    text = "\n".join(ledger.markdown(kind) for kind, ledger in found.items())
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return int(any(ledger.broken for ledger in found.values()))


def _read_kept(folder: Path, kind: str) -> Ledger | None:
    paths = [place_of(folder, kind, is_short) for is_short in (False, True)]
    return next((Ledger.from_json(path.read_text(encoding="utf-8")) for path in paths if path.exists()), None)


def _try(kind: str, keep: Path | None, *, short: bool) -> Ledger:
    began = time.monotonic()
    ledger = find_or_try(keep, kind, short, lambda: _run(kind, short=short))
    seconds, number = time.monotonic() - began, len(ledger.broken)
    sys.stderr.write(f"{kind}: {ledger.tried.total()} tried, {number} promises broken, {seconds:.0f} s\n")
    return ledger


def _run(kind: str, *, short: bool) -> Ledger:
    run: Callable[..., Ledger] = import_module(KINDS[kind]).run
    with tempfile.TemporaryDirectory(prefix=f"faults-{kind}-") as scratch:
        return run(Path(scratch), short=short)


if __name__ == "__main__":
    raise SystemExit(main())
