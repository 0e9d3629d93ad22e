"""The ``evaluate`` commands: measure the method on a benchmark or on labeled clips."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

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
from flows.evaluate.benchmark.names import CAPTIONS, BenchmarkName
from flows.runs.stopping import explain_when_stopped

if TYPE_CHECKING:
    from flows.evaluate.clips.evaluating import ClipReport
    from flows.evaluate.running import EvaluationReport


class _BenchmarkFirst(TyperGroup):
    """A group in which ``evaluate rendered ...`` is short for ``evaluate benchmark rendered ...``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Adds the name of the first command if no command is given."""
        if args and args[0] not in (*self.commands, "--help"):
            args = ["benchmark", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_BenchmarkFirst, no_args_is_help=True, rich_markup_mode="markdown")


@app.callback()
def evaluate() -> None:
    """Measures the method on a benchmark, or on your own labeled clips.

    `anomalylmm evaluate rendered ...` is short for `anomalylmm evaluate benchmark rendered ...`.

    Example: `anomalylmm evaluate clips my-clips`
    """


@app.command("benchmark")
def evaluate_by_benchmark(
    benchmark: Annotated[BenchmarkName, typer.Argument(help="rendered, or pab, ucc or pab-2026 if you have a copy.")],
    root: Annotated[Path, typer.Option("--root", help="Folder of the benchmark; it is only read.")],
    split: Annotated[
        str, typer.Option("--split", help="Folder under annotation. Choose settings on validation, not on test.")
    ] = "test",
    out: Annotated[Path, typer.Option("--out", help="Folder of the report and of the state to resume from.")] = Path(
        "evaluation"
    ),
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most this many queries, drawn with a fixed seed.")
    ] = None,
    variants: Annotated[
        str,
        typer.Option(
            "--variants", help="Names or groups of variants, separated by commas: stages,presets,options,N,slots."
        ),
    ] = "",
    captions: Annotated[
        str, typer.Option("--captions", help="Key of the sentences to use, e.g. captions_held_out.")
    ] = CAPTIONS,
    profile: ProfileOption = None,
    settings: SettingsOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measures R@k, mAP, ablation and cost on a benchmark and draws a failure sheet. An interrupted run is resumed.

    Example: `anomalylmm evaluate rendered --root benchmark --split validation --variants stages,N`
    """
    from flows.evaluate.running import EvaluationRequest, evaluate_benchmark
    from flows.runs.progress import TerminalProgress

    request = EvaluationRequest(
        benchmark=benchmark,
        root=root,
        out=out,
        split=split,
        captions=captions,
        limit=limit,
        variants=tuple(name for name in variants.split(",") if name.strip()),
        settings_file=settings.name if settings else "",
    )
    kept = f"the judge's answers are kept in {out}. Run the same command again to go on from there."
    with explain_when_stopped(lambda: kept), TerminalProgress(quiet=quiet) as progress:
        report = evaluate_benchmark(compose(profile, settings), request, listener=progress)
    if json:
        print_json(report.document)
    else:
        _print(report)


def _print(report: "EvaluationReport") -> None:
    document = report.document
    words = " and ".join(document["words"])
    if words:
        say(f"these are {words} figures")
    columns = ("variant", "R@1", "R@5", "R@10", "mAP", "mAP@10", "ΔR@1 from coarse", "questions", "s a query")
    print_table(columns, [_cells(row) for row in document["variants"]])
    say(
        f"{document['benchmark']} {document['split']}: {document['state']}, {document['num_queries']} queries, "
        f"{document['num_images']} pictures, profile {document['profile']}, settings {document['settings_digest']}, "
        f"{document['seconds']:.1f} s"
    )
    say(document["tuning"])
    say(f"report: {report.folder / 'report.md'}")


def _cells(row: dict[str, Any]) -> list[object]:
    measures, difference = row["measures"], row["difference_from_coarse"].get("r1")
    shares = [measures[name] if measures else None for name in ("r1", "r5", "r10", "map", "map10")]
    text = f"{difference['mean']:+.3f} [{difference['low']:+.3f}, {difference['high']:+.3f}]" if difference else ""
    return [row["name"], *shares, text, f"{row['cost']['questions']:.1f}", f"{row['cost']['seconds']:.3f}"]


@app.command("clips")
def evaluate_by_clips(
    folder: Annotated[Path, typer.Argument(help="Folder of clips with a labels.csv; it is only read.")],
    labels: Annotated[
        Path | None, typer.Option("--labels", help="File of labels; by default labels.csv in the folder.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", help="Clips whose path matches this pattern, or whose column part equals it; can be repeated."
        ),
    ] = None,
    queries: Annotated[Path | None, typer.Option("--queries", help="Your own queries.toml.")] = None,
    store: Annotated[
        Path | None,
        typer.Option("--store", help="Store to keep, so that you can look at the hits; by default a temporary one."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of the report.")] = Path("evaluation"),
    profile: ProfileOption = None,
    settings: SettingsOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measures a profile on your own labeled clips: events found, false hits, normal clips flagged.

    `labels.csv` has one line for each clip with the columns `file` (relative to the folder) and `behaviors` (separated
    by `;`, empty if nothing happens in the clip). The columns `start_seconds` and `stop_seconds` are optional; with
    them a clip can have several lines. The clips are indexed, the enabled queries are swept, and the hits are compared
    with the labels.

    Exit codes: 0 measured, whatever the scores · 2 wrong labels, queries or settings · 4 a clip is missing, or no clip
    can be read · 5 the store or the report can't be written.

    Example: `anomalylmm evaluate clips my-clips --only "falls/*"`
    """
    from flows.evaluate.clips.evaluating import ClipRequest, evaluate_clips
    from flows.runs.progress import TerminalProgress

    request = ClipRequest(folder=folder, out=out, labels=labels, queries=queries, store=store, only=tuple(only or ()))
    kept = f"finished clips are kept in {store}" if store else "nothing was kept, because no --store was given"
    with (
        explain_when_stopped(lambda: f"{kept}. Run the same command again to go on."),
        TerminalProgress(quiet=quiet) as progress,
    ):
        report = evaluate_clips(compose(profile, settings), request, listener=progress)
    if json:
        print_json(report.document)
    else:
        _print_clips(report)


def _print_clips(report: "ClipReport") -> None:
    from flows.evaluate.clips.report import say_event, say_figures

    document = report.document
    rows = [
        tuple(row[name] for name in ("query", "events", "found", "right", "akin", "false"))
        for row in document["queries"]
    ]
    print_table(("query", "events", "found", "hits right", "akin", "false"), rows)
    for line in say_figures(document["figures"]):
        say(line)
    lists = {
        "missed": [say_event(event) for event in document["events"] if not event["found"]],
        "normal clip flagged": document["normal_clips_flagged"],
        "no person found in": document["clips_without_person"],
    }
    for text, names in lists.items():
        for name in names:
            say(f"{text}: {name}")
    for warning in document["warnings"]:
        say(f"note: {warning}")
    say(f"report: {report.folder / 'clips.md'}")
