"""One evaluation from a benchmark's files to its report; the command and the flow both call it."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.clock import utc_now
from flows.composition import Composition
from flows.evaluate.ablation.ablation import Ablation, refuse_silent_judge, run_ablation
from flows.evaluate.ablation.variants import Variant, choose_variants, needs_writing
from flows.evaluate.benchmark.files import CAPTIONS, read_benchmark
from flows.evaluate.benchmark.records import Benchmark, BenchmarkName
from flows.evaluate.report.document import Findings, Provenance, list_words, write_document
from flows.evaluate.report.failure_sheet import draw_sheet
from flows.evaluate.report.failures import list_failures
from flows.evaluate.report.markdown import write_markdown
from flows.evaluate.report.plots import draw_ablation, draw_cost
from flows.evaluate.report.summary import headline, summarize, summarize_groups
from flows.runs.progress import Listener, Silence
from storage.disk.files import guarded, replace_file

REPORT, MARKDOWN, ABLATION, COST = "report.json", "report.md", "ablation.png", "cost.png"
SHEET, ANSWERS, WORK = "failures.jpg", "answer.txt", "work"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """What to measure, on what, and where the report goes."""

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
    """What came of an evaluation."""

    document: dict[str, Any] = field(repr=False)
    folder: Path
    files: tuple[str, ...]
    sheet: bytes = field(repr=False, default=b"")

    @property
    def state(self) -> str:
        """Completed, or Degraded where the judge failed on some candidates."""
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
    refuse_silent_judge(ablation)
    findings = _find(composition, ablation)
    provenance = Provenance(
        settings_file=request.settings_file,
        captions=request.captions,
        limit=request.limit,
        seconds=time.monotonic() - began,
        started_utc=started.isoformat(timespec="seconds"),
    )
    document = write_document(composition, ablation, findings, provenance)
    if document["num_judgements_failed"]:
        listener.warn(f"the judge gave nothing usable on {document['num_judgements_failed']} candidates")
    return _write(request.out, document, _draw(composition, ablation, findings))


def _choose(composition: Composition, names: Sequence[str], listener: Listener) -> tuple[Variant, ...]:
    """Chooses the variants that the judge can be asked; the others are told to the listener."""
    chosen = choose_variants(composition.adjudicator.settings, names)
    if composition.settings.judge.family != "reranker":
        return chosen
    for variant in chosen:
        if needs_writing(variant):
            listener.warn(f"{variant.name} is left out: a re-ranker says yes or no and writes nothing")
    return tuple(variant for variant in chosen if not needs_writing(variant))


def _find(composition: Composition, ablation: Ablation) -> Findings:
    outcomes = ablation.outcomes[headline(ablation.variants).name]
    return Findings(
        figures=summarize(ablation),
        groups=summarize_groups(ablation),
        failures=list_failures(ablation.benchmark, outcomes, composition.lexicon),
    )


def _draw(composition: Composition, ablation: Ablation, findings: Findings) -> dict[str, bytes]:
    """Draws what can be drawn: plots and sheet where the truth is known, else the answers to hand in."""
    benchmark = ablation.benchmark
    main = headline(ablation.variants)
    files: dict[str, bytes] = {}
    if benchmark.name == "pab-2026":
        first = [outcome.first for outcome in ablation.outcomes[main.name]]
        files[ANSWERS] = write_answers(benchmark, first).encode()
    if benchmark.has_truth:
        words = " and ".join(list_words(composition, ablation))
        title = f"{benchmark.name} {benchmark.split}, {len(benchmark.queries)} queries{f' ({words})' if words else ''}"
        files[ABLATION] = draw_ablation(findings.figures, title)
        files[COST] = draw_cost(findings.figures, title)
        files[SHEET] = draw_sheet(benchmark, findings.failures, f"{title}, {main.name}")
    return files


def write_answers(benchmark: Benchmark, first: Sequence[Sequence[int]]) -> str:
    """Writes the challenge's answers: one line a query, the names of its first ten pictures without suffix."""
    return "".join(" ".join(benchmark.images[place].path.stem for place in places) + "\n" for places in first)


def _write(folder: Path, document: dict[str, Any], pictures: dict[str, bytes]) -> EvaluationReport:
    markdown = write_markdown(document, sorted(pictures))
    files = {
        REPORT: (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode(),
        MARKDOWN: markdown.encode(),
        **pictures,
    }
    for name in (ABLATION, COST, SHEET, ANSWERS):
        if name not in files:
            (folder / name).unlink(missing_ok=True)  # of an earlier run
    for name, content in files.items():
        replace_file(folder / name, content, scratch=folder)
    return EvaluationReport(
        document=document, folder=folder, files=tuple(sorted(files)), sheet=pictures.get(SHEET, b"")
    )
