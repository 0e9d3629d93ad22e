"""Hostile input: names, queries, settings, answers, SQL, feedback, pictures, weights and stores made to do harm."""

import os
from collections import Counter
from pathlib import Path

from benchmarks.reliability.hostile_answers import try_answers
from benchmarks.reliability.hostile_files import try_files
from benchmarks.reliability.hostile_names import try_names, write_ground
from benchmarks.reliability.hostile_sql import try_sql
from benchmarks.reliability.hostile_texts import try_texts
from benchmarks.reliability.hostile_trial import Bench
from benchmarks.reliability.hostile_weights import try_weights
from benchmarks.reliability.section import Section

INTRO = (
    "Inputs made to do harm, each tried as far as it goes with stand-in models. Let through means: executed, unescaped "
    "in HTML or Markdown, raw to a terminal, read or written outside archive and store, an exception that is no error "
    "of ours, or no end."
)
NOTES = (
    "words drawn into a picture reach the judge as pixels: whether a real judge obeys them is a property of its "
    "weights and is not measured here",
    "an index.faiss of a stranger is opened by FAISS itself, whose reader is not made for hostile bytes: run "
    "verify --deep on a store from elsewhere, and take only one whose maker you trust",
)


def run(scratch: Path, *, short: bool) -> Section:
    """Tries everything; the short run loads no weights, and leaves out repeats and what takes seconds by intent."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    bench = Bench(ground=write_ground(scratch))
    try_names(bench, short=short)
    try_texts(bench, short=short)
    try_answers(bench, short=short)
    try_files(bench)
    try_sql(bench, short=short)
    try_weights(bench, short=short)
    tried = Counter(trial.kind for trial in bench.trials)
    through = Counter(trial.kind for trial in bench.trials if trial.problem)
    rows = [(kind, number, through[kind]) for kind, number in tried.items()]
    return Section(
        title="Hostile input",
        intro=INTRO,
        columns=("kind", "tried", "let through"),
        rows=(*rows, ("all", sum(tried.values()), sum(through.values()))),
        faults=tuple(f"{trial.kind}: {trial.name}: {trial.problem}" for trial in bench.trials if trial.problem),
        notes=NOTES,
    )
