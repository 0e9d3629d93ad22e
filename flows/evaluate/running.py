"""Runs one evaluation, from a benchmark's files to its report; the command and the flow both call it."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.clock import utc_now
from flows.composition import Composition
from flows.evaluate.ablation.ablation import Ablation, check_judge, run_ablation
from flows.evaluate.ablation.variants import Variant, choose_variants, needs_writing
from flows.evaluate.benchmark.files import read_benchmark
from flows.evaluate.benchmark.names import CAPTIONS, BenchmarkName
from flows.evaluate.report.document import build_document, headline
from flows.evaluate.report.failure_sheet import draw_sheet
from flows.evaluate.report.failures import Failure, list_failures
from flows.evaluate.report.markdown import write_markdown
from flows.evaluate.report.plots import draw_ablation, draw_cost
from flows.runs.progress import Listener, Silence
from storage.disk.files import guarded, replace_file

REPORT, MARKDOWN, ABLATION, COST = "report.json", "report.md", "ablation.png", "cost.png"
SHEET, ANSWERS, WORK = "failures.jpg", "answer.txt", "work"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """What to measure, and the folder of the report."""

    benchmark: BenchmarkName
    root: Path
    out: Path
    split: str = "test"
    captions: str = CAPTIONS
    limit: int | None = None
    variants: tuple[str, ...] = ()
    settings_file: str = ""  # its name, for the report


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """The result of an evaluation."""

    document: dict[str, Any] = field(repr=False)
    folder: Path
    sheet: bytes = field(repr=False, default=b"")

    @property
    def state(self) -> str:
        """Completed, or Degraded if the judge failed on some candidates."""
        return str(self.document["state"])


def evaluate_benchmark(
    composition: Composition, request: EvaluationRequest, *, listener: Listener | None = None
) -> EvaluationReport:
    """Measures the method on a benchmark and writes ``report.json``, ``report.md``, plots and a failure sheet.

    Raises:
        ArchiveError: A file or picture of the benchmark is missing; the message names it.
        ConfigurationError: A row, a variant or a setting is wrong; the message names it.
        JudgeError: The judge answers nothing at all.
        StoreError: The report's folder can't be written.
    """
    began, started, listener = time.monotonic(), utc_now(), listener or Silence()
    benchmark = read_benchmark(
        request.benchmark, request.root, split=request.split, captions=request.captions, limit=request.limit
    )
    variants = _choose(composition, request.variants, listener)
    with guarded("write", request.out):
        (request.out / WORK).mkdir(parents=True, exist_ok=True)
    ablation = run_ablation(composition, benchmark, variants, request.out / WORK, listener)
    check_judge(ablation)
    failures = list_failures(benchmark, ablation.outcomes[headline(variants)], composition.lexicon)
    facts = {
        "settings_file": request.settings_file,
        "captions": request.captions,
        "limit": request.limit,
        "seconds": time.monotonic() - began,
        "started_utc": started.isoformat(timespec="seconds"),
    }
    document = build_document(composition, ablation, failures, facts)
    if document["num_judgements_failed"]:
        listener.warn(f"the judge gave no usable answer for {document['num_judgements_failed']} candidates")
    files = _draw(ablation, document, failures)
    _write(request.out, document, files)
    return EvaluationReport(document=document, folder=request.out, sheet=files.get(SHEET, b""))


def _choose(composition: Composition, names: Sequence[str], listener: Listener) -> tuple[Variant, ...]:
    """Chooses the variants that the judge supports, and warns about the others."""
    chosen = choose_variants(composition.adjudicator.settings, names)
    if composition.settings.judge.family != "reranker":
        return chosen
    for variant in chosen:
        if needs_writing(variant):
            listener.warn(f"{variant.name} is left out: a re-ranker only says yes or no and can't write text")
    return tuple(variant for variant in chosen if not needs_writing(variant))


def _draw(ablation: Ablation, document: dict[str, Any], failures: Sequence[Failure]) -> dict[str, bytes]:
    """Draws plots and failure sheet if the truth is known; writes the answers of the challenge."""
    benchmark, files = ablation.benchmark, dict[str, bytes]()
    if benchmark.name == "pab-2026":  # one line per query, the names of its first ten pictures without suffix
        found = ablation.outcomes[document["headline"]]
        lines = [" ".join(benchmark.images[place].path.stem for place in outcome.first) for outcome in found]
        files[ANSWERS] = "".join(f"{line}\n" for line in lines).encode()
    if benchmark.has_truth:
        words = f" ({' and '.join(document['words'])})" if document["words"] else ""
        title = f"{benchmark.name} {benchmark.split}, {len(benchmark.queries)} queries{words}"
        files[ABLATION] = draw_ablation(document["variants"], title)
        files[COST] = draw_cost(document["variants"], title)
        files[SHEET] = draw_sheet(benchmark, failures, f"{title}, {document['headline']}")
    return files


def _write(folder: Path, document: dict[str, Any], drawn: dict[str, bytes]) -> None:
    text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    files = {REPORT: text.encode(), MARKDOWN: write_markdown(document, sorted(drawn)).encode(), **drawn}
    for name in {ABLATION, COST, SHEET, ANSWERS} - set(files):
        (folder / name).unlink(missing_ok=True)  # left from an earlier run
    for name, content in files.items():
        replace_file(folder / name, content, scratch=folder)
