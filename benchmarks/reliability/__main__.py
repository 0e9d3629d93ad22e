"""Command line: `python -m benchmarks.reliability --help`."""

import argparse
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks.reliability.document import write_document
from benchmarks.reliability.kept import Finding, find_or_try, read_kept
from benchmarks.reliability.section import Section

PARTS = ("kills", "footage", "disk", "together", "erasure", "hostile")  # modules with run(scratch, short=...)


def main() -> int:
    """Runs the parts asked for and writes their tables; exits with 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="benchmarks/reliability/run", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a small number of each, for continuous integration")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="these parts only")
    parser.add_argument("--out", type=Path, help="write Markdown here")
    parser.add_argument("--keep", type=Path, help="folder where each part's result is kept; a part kept is not rerun")
    parser.add_argument("--write", action="store_true", help="try nothing: write what is kept, long runs first")
    options = parser.parse_args()
    if options.write and not options.keep:
        parser.error("--write needs --keep FOLDER")
    if options.write:
        findings = [kept for part in options.only if (kept := read_kept(options.keep, part))]
    else:
        findings = [_try(part, options.keep, short=options.short) for part in options.only]
    text = write_document(findings)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    print(text)
    return int(any(finding.section.faults for finding in findings))


def _try(part: str, keep: Path | None, *, short: bool) -> Finding:
    finding = find_or_try(keep, part, short, lambda: _run(part, short=short))
    print(f"{part}: {finding.seconds:.0f} s, {len(finding.section.faults)} faults", flush=True)
    return finding


def _run(part: str, *, short: bool) -> Section:
    run: Callable[..., Section] = import_module(f"benchmarks.reliability.{part}").run
    with tempfile.TemporaryDirectory(prefix=f"reliability-{part}-") as scratch:
        return run(Path(scratch), short=short)


if __name__ == "__main__":
    raise SystemExit(main())
