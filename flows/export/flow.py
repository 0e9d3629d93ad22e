"""The Prefect flow ``export``: hits with clips and pictures in a folder or zip file."""

from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from prefect import flow, task
from prefect.client.schemas.objects import State

from flows.export.choice import Choice
from flows.export.clips import ClipStyle
from flows.export.earlier import read_put_off
from flows.export.exporting import ExportReport, ExportRequest, export_hits
from flows.runs.artifacts import NOT_KEPT, RunProgress, completed, degraded, show_markdown, show_table
from flows.runs.notifying import CALLER_ERRORS, notify_failure, notify_report
from flows.runs.terminal import escape
from flows.settings.forms import ExportForm


def build_request(form: ExportForm) -> ExportRequest:
    """Builds the request of a form.

    Raises:
        ConfigurationError: Nothing is chosen, the window is empty, or the earlier export put nothing off.
    """
    choice = Choice(
        hit_ids=tuple(form.hits),
        put_off=read_put_off(Path(form.put_off_by)) if form.put_off_by else (),
        query_name=form.query,
        start_utc=datetime.combine(form.start, time.min, UTC) if form.start else None,
        stop_utc=datetime.combine(form.stop, time.min, UTC) + timedelta(days=1) if form.stop else None,
        sweep_id=form.sweep,
        incident_id=form.incident,
        sql=form.sql,
    )
    return ExportRequest(
        output=Path(form.output),
        choice=choice,
        archive=Path(form.archive) if form.archive else None,
        style=ClipStyle(margin_seconds=form.margin, blur=form.blur, draw_box=form.draw_box, burn_times=form.burn_times),
        max_hits=form.most,
    )


@task(name="export-hits", **NOT_KEPT)
def export_task(form: ExportForm) -> ExportReport:
    """Writes the export, whole or not at all."""
    return export_hits(form.compose(), form.layout(), build_request(form), listener=RunProgress())


@flow(name="export", flow_run_name="export {form.output}", persist_result=False)
def export(form: ExportForm) -> State[None]:
    """Exports hits with clips, pictures, tables, a page to look at offline and digests of it all.

    All that is given in the form must hold of a hit. Heads of bystanders are blurred as far as the detector finds
    them: look at every clip before you hand it on. It ends *Degraded* instead of *Completed* where something of a hit
    is missing, such as a video that is gone or has changed.
    """
    notify, layout, progress = form.compose().settings.notify, form.layout(), RunProgress()
    with notify_failure(notify, layout, "export", progress, except_for=CALLER_ERRORS):
        report = export_task(form)
        notify_report(notify, layout, "export", report, progress)
    show_table("export-hits", [_row(report, number) for number in range(report.num_hits)], "what was exported")
    show_markdown("export-summary", f"# Export\n\n{escape(report.output)}\n", "where the export is")
    message = (
        f"{report.num_hits} hits, {report.num_clips} clips, {report.num_pictures} pictures in {report.seconds:.0f} s"
    )
    return degraded(f"{message}; {len(report.problems)} problems") if report.problems else completed(message)


def _row(report: ExportReport, number: int) -> dict[str, object]:
    item = report.items[number]
    hit = item.evidence.hit
    return {
        "query": hit["query_name"],
        "camera": hit["camera"],
        "when (UTC)": str(hit["best_utc"]),
        "clip": item.clip,
        "picture": item.picture,
        "problems": "; ".join(item.problems),
    }
