"""The Prefect flow ``index-archive``, with one task for each unit (one day of one camera)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.client.schemas.objects import State

from flows.index import indexing
from flows.index.indexing import IndexReport, RunUnits
from flows.index.planning import Unit
from flows.index.units.unit import UnitReport
from flows.runs.artifacts import NOT_KEPT, RunProgress, completed, degraded, show_markdown, show_table
from flows.runs.notifying import notify_failure, notify_report
from flows.runs.progress import Listener
from flows.runs.terminal import escape
from flows.settings.forms import IndexForm, SweepForm
from flows.workers.engines import Engine
from flows.workers.jobs import UnitJob, work_on


@task(name="index-unit", task_run_name="{job.name}", retries=1, retry_delay_seconds=10, **NOT_KEPT)
def index_unit_task(job: UnitJob) -> UnitReport:
    """Makes the shard of one unit. It is published completely or not at all, so the task can be retried."""
    progress = RunProgress()
    progress.start("index MB", job.megabytes)
    return work_on(job, progress)


def run_as_tasks(form: IndexForm | SweepForm, listener: Listener) -> RunUnits:
    """Runs each unit as a task of the current flow, several at once on the engine of the settings."""

    def submit(engine: Engine, job: UnitJob) -> Any:
        task: Any = index_unit_task  # Prefect's type hints expect a coroutine
        return engine.runner.submit(task, {"job": job})

    def run(units: Sequence[Unit]) -> list[UnitReport]:
        return indexing.run_elsewhere(form.compose(), form.layout(), Path(form.archive), listener, units, submit)

    return run


@flow(name="index-archive", flow_run_name="index {form.archive}", persist_result=False)
def index_archive(form: IndexForm) -> State[None]:
    """Finds people in the new videos of an archive and makes them searchable.

    Videos that are already indexed are skipped, so running it again is cheap. Videos that can't be read are listed on
    the page of the run, which then ends *Degraded* instead of *Completed*.
    """
    composition, layout, progress = form.compose(), form.layout(), RunProgress()
    notify = composition.settings.notify
    with notify_failure(notify, layout, "index", progress):
        report = indexing.index_archive(
            composition,
            layout,
            Path(form.archive),
            retry=form.retry,
            erased=form.erased,
            listener=progress,
            run_units=run_as_tasks(form, progress),
        )
        notify_report(notify, layout, "index", report, progress)
    return _show(report)


def show_unreadable(key: str, report: IndexReport) -> None:
    """Shows a table of the videos that could not be read, if there are any."""
    rows = [{"video": item.path, "read": f"{item.coverage:.0%}", "reason": item.reason} for item in report.unreadable]
    if rows:
        show_table(key, rows, "videos that could not be read, or only in part")
    passed = [{"file": item.path, "reason": item.reason} for item in report.passed_over]
    if passed:
        show_table(f"{key}-passed-over", passed, "files that look like videos and were passed over")


def show_gaps(key: str, report: IndexReport) -> None:
    """Shows a table of what is missing from the archive, if something is."""
    rows = [
        {
            "camera": gap.camera,
            "what": gap.kind,
            "from": f"{gap.start_utc:%Y-%m-%d %H:%M:%S}",
            "to": f"{gap.stop_utc:%Y-%m-%d %H:%M:%S}" if gap.stop_utc else "now",
        }
        for gap in report.gaps
    ]
    if rows:
        show_table(key, rows, "what is missing from the archive (UTC)")


def _show(report: IndexReport) -> State[None]:
    show_table(
        "index-units",
        [
            {
                "camera": unit.camera,
                "date": unit.date,
                "videos": unit.num_videos,
                "tracklets": unit.num_tracklets,
                "crops": unit.num_crops,
                "seconds": round(unit.seconds, 1),
            }
            for unit in report.units
        ],
        "what was indexed",
    )
    show_unreadable("index-unreadable", report)
    show_gaps("index-gaps", report)
    summary = (
        f"{int(report.total('num_videos'))} new videos, {int(report.total('num_tracklets'))} tracklets, "
        f"{int(report.total('num_crops'))} crops in {report.seconds:.0f} s; {report.known} videos already indexed, "
        f"{report.quarantined} unreadable in earlier runs, {report.erased} erased, "
        f"{len(report.passed_over)} passed over, {len(report.duplicates)} duplicates, "
        f"{len(report.unreadable)} unreadable now"
    )
    notes = "".join(f"\n- {escape(note)}" for note in report.notes)
    show_markdown("index-summary", f"# Index {report.state}\n\n{escape(summary)}\n{notes}", "summary of the index run")
    return degraded(summary) if report.unreadable else completed(summary)
