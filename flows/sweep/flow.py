"""The Prefect flow ``sweep``: indexes new footage and runs the saved queries."""

from pathlib import Path

from prefect import flow, task
from prefect.client.schemas.objects import State

from flows.index.flow import run_as_tasks, show_gaps, show_unreadable
from flows.index.indexing import index_archive
from flows.runs.artifacts import NOT_KEPT, RunProgress, completed, degraded, picture, show_markdown, show_table
from flows.runs.notifying import notify_failure, notify_report
from flows.runs.terminal import escape
from flows.settings.forms import SweepForm
from flows.sweep.outcome import SweepReport
from flows.sweep.query_file import default_query_file
from flows.sweep.sweeping import sweep_store
from storage.disk.layout import StoreLayout


@task(name="sweep-queries", **NOT_KEPT)
def sweep_task(form: SweepForm) -> SweepReport:
    """Runs the saved queries on what they have not covered."""
    queries = Path(form.queries_file) if form.queries_file else default_query_file()
    archive = Path(form.archive) if form.archive else None
    return sweep_store(form.compose(), form.layout(), queries, archive=archive, listener=RunProgress())


@flow(name="sweep", flow_run_name="sweep {form.store}", persist_result=False)
def sweep(form: SweepForm) -> State[None]:
    """Runs the saved queries on all footage they have not covered yet, and publishes the hits.

    If an archive is given, its new videos are indexed first. A new query searches everything, an old one only what is
    new. The artifacts of the run show the best hits with pictures. The run ends *Degraded* instead of *Completed* if
    videos or shards could not be read, or if candidates were not judged, or not by the moments that the settings ask
    for.
    """
    notify, layout, progress = form.compose().settings.notify, form.layout(), RunProgress()
    with notify_failure(notify, layout, "sweep", progress):
        indexed = None
        if form.archive:
            indexed = index_archive(
                form.compose(), layout, Path(form.archive), listener=progress, run_units=run_as_tasks(form, progress)
            )
            notify_report(notify, layout, "index", indexed, progress)
        report = sweep_task(form)
        notify_report(notify, layout, "sweep", report, progress)
    unreadable = indexed.unreadable if indexed else ()
    if indexed:
        show_unreadable("sweep-unreadable", indexed)
        show_gaps("sweep-gaps", indexed)
    show_table("sweep-queries", [_row(tally) for tally in report.queries], "results of each query")
    show_markdown("sweep-summary", write_summary(report, layout), "the best hits, with pictures")
    message = f"{_count_hits(report)}, {len(unreadable)} videos unreadable"
    return degraded(message) if unreadable or report.warnings else completed(message)


def _count_hits(report: SweepReport) -> str:
    return f"{report.num_hits} hits ({report.num_new} new) in {report.num_incidents} incidents"


def _row(tally: object) -> dict[str, object]:
    names = ("query_name", "num_shards", "num_candidates", "num_judged", "num_hits")
    return {name.removeprefix("num_"): getattr(tally, name) for name in names}


def write_summary(report: SweepReport, layout: StoreLayout) -> str:
    """Describes the result in Markdown with inline pictures of the best hits."""
    lines = [
        f"# {_count_hits(report)}",
        "",
        f"{report.num_calls} questions to the judge, {report.num_cached} answered from the cache, "
        f"{report.seconds:.0f} s",
        "",
        *(f"**{escape(warning)}**\n" for warning in report.warnings),
    ]
    for hit in report.top_hits:
        jpeg = (layout.reports / hit.picture_path).read_bytes()
        lines += [
            f"## {escape(hit.query_name)}: {escape(hit.camera)}, {hit.best_utc:%Y-%m-%d %H:%M:%S} UTC",
            "",
            picture(jpeg, hit.reason),
            "",
            f"confidence {hit.confidence:.2f}: {escape(hit.reason)}",
            "",
        ]
    return "\n".join(lines)
