"""The document of a whole run: how long each part took, what is not tried, and every part's table."""

import os
from collections.abc import Sequence

from benchmarks.reliability.kept import Finding
from benchmarks.reliability.section import Section

HEAD = """# Reliability
What was done to it and what was lost. This page is written by `benchmarks/reliability/run`, which exits with \
1 where a promise was broken.

"""
INTRO = "A short run tries a few of each kind, a long one all. Seconds depend on what else the {cores} cores did."
NOT_TRIED = """## What is not tried
- **Power cuts.** SIGKILL keeps what the kernel has taken. Files and folders are synced before they are renamed, but \
nothing here proves that a disk keeps its word.
- **Bits that rot.** Damage is found by `verify --deep` where somebody runs it; reading a crop checks no digest.
- **Network file systems, several machines on one store.** Locks are `flock`, renames must be atomic: one machine, a \
local disk.
- **Other systems than Linux.**
- **Large stores and long times.** The stores here have tens of rows; runs take seconds.
- **Real models.** Stand-ins are used wherever a model is not what is tried, so nothing here says how well persons are \
found.
- **A clock that is set back**, and a machine out of memory as a whole (its kernel ends a process: a kill like others).

"""
_TIMES = ("part", "run", "began, UTC", "seconds", "faults")


def write_document(findings: Sequence[Finding]) -> str:
    """Writes it as Markdown."""
    rows = [
        (
            item.part,
            "short" if item.is_short else "long",
            f"{item.began_utc:%Y-%m-%d %H:%M}",
            round(item.seconds),
            len(item.section.faults),
        )
        for item in findings
    ]
    total = ("all", "", "", sum(int(row[3]) for row in rows), sum(int(row[4]) for row in rows))
    times = Section(
        title="Parts",
        intro=INTRO.format(cores=os.cpu_count()),
        columns=_TIMES,
        rows=(*rows, total),
        faults=tuple(f"{item.part}: {len(item.section.faults)}, see below" for item in findings if item.section.faults),
    )
    parts = "\n".join(item.section.markdown() for item in findings)
    return HEAD + times.markdown() + "\n" + NOT_TRIED + parts
