"""The ``evaluate`` command: the method measured on a benchmark."""

from pathlib import Path
from typing import Annotated, Any

import typer

from flows.commands.common import (
    JsonOption,
    ProfileOption,
    QuietOption,
    SettingsOption,
    compose,
    print_json,
    print_table,
    say,
)
from flows.evaluation.benchmark import BenchmarkName
from flows.evaluation.benchmark_files import CAPTIONS
from flows.evaluation.running import EvaluationReport, EvaluationRequest, evaluate_benchmark
from flows.progress import TerminalProgress


def evaluate(
    benchmark: Annotated[BenchmarkName, typer.Argument(help="rendered, or your own copy of pab, ucc or pab-2026.")],
    root: Annotated[Path, typer.Option("--root", help="Folder of the benchmark; it is only read.")],
    split: Annotated[
        str, typer.Option("--split", help="Folder under annotation; choose settings by validation, not by test.")
    ] = "test",
    out: Annotated[Path, typer.Option("--out", help="Folder of the report, and of what resumes it.")] = Path(
        "evaluation"
    ),
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many queries, drawn by a fixed seed.")] = None,
    variants: Annotated[
        str, typer.Option("--variants", help="Names or groups of variants, with commas: stages,presets,N,slots.")
    ] = "",
    captions: Annotated[
        str, typer.Option("--captions", help="Key of the sentences asked, e.g. captions_held_out.")
    ] = CAPTIONS,
    profile: ProfileOption = None,
    settings: SettingsOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measures the method on a benchmark: R@k, mAP, ablation, cost and a failure sheet; goes on where it was stopped.

    Example: `anomalylmm evaluate rendered --root benchmark --split validation --variants stages,N`
    """
    request = EvaluationRequest(
        benchmark=benchmark, root=root, out=out, split=split, captions=captions, limit=limit,
        variants=tuple(name for name in variants.split(",") if name.strip()),
        settings_file=settings.name if settings else "",
    )  # fmt: skip
    with TerminalProgress(quiet=quiet) as progress:
        report = evaluate_benchmark(compose(profile, settings), request, listener=progress)
    if json:
        print_json(report.document)
    else:
        _print(report)


def _print(report: EvaluationReport) -> None:
    document = report.document
    words = " and ".join(document["words"])
    if words:
        say(f"these are {words} figures")
    columns = ("variant", "R@1", "R@5", "R@10", "mAP", "mAP@10", "ΔR@1 from coarse", "questions", "s a query")
    print_table(columns, [_cells(row) for row in document["variants"]])
    say(
        f"{document['benchmark']} {document['split']}: {document['state']}, {document['num_queries']} queries, "
        f"{document['num_images']} pictures, profile {document['profile']}, settings {document['settings_digest']}, "
        f"{document['num_queries_resumed']} queries resumed, {document['seconds']:.1f} s"
    )
    say(document["tuning"])
    say(f"report: {report.folder / 'report.md'}")


def _cells(row: dict[str, Any]) -> list[object]:
    measures, difference = row["measures"], row["difference_from_coarse"].get("r1")
    shares = [measures[name] if measures else None for name in ("r1", "r5", "r10", "map", "map10")]
    text = f"{difference['mean']:+.3f} [{difference['low']:+.3f}, {difference['high']:+.3f}]" if difference else ""
    return [row["name"], *shares, text, f"{row['cost']['questions']:.1f}", f"{row['cost']['seconds']:.3f}"]


def add_to(app: typer.Typer) -> None:
    """Adds this command."""
    app.command("evaluate")(evaluate)
