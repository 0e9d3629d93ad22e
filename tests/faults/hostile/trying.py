"""Hostile input: names, queries, settings, answers, SQL, feedback, pictures, weights and stores made to do harm.

A promise is broken where input is executed, stands unescaped in HTML or Markdown, reaches a terminal raw, reads or
writes outside archive and store, raises what is no error of ours, or has no end.
"""

import os
from pathlib import Path

from tests.faults.hostile.answers import try_answers
from tests.faults.hostile.files import try_files
from tests.faults.hostile.names import try_names, write_ground
from tests.faults.hostile.sql import try_sql
from tests.faults.hostile.texts import try_texts
from tests.faults.hostile.trial import Bench
from tests.faults.hostile.weights import try_weights
from tests.faults.ledger import Ledger


def run(scratch: Path, *, short: bool) -> Ledger:
    """Tries everything; the short run loads no weights, and leaves out repeats and what takes seconds by intent."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    bench = Bench(ground=write_ground(scratch))
    try_names(bench, short=short)
    try_texts(bench, short=short)
    try_answers(bench, short=short)
    try_files(bench)
    try_sql(bench, short=short)
    try_weights(bench, short=short)
    return bench.ledger
