"""The Prefect flow ``index-archive``: one task a unit (a camera's day), so that a restart repeats little."""

from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, as_completed

from flows.composition import Composition
from flows.index.indexing import IndexReport, UnitReport, build_plan, build_report, index_unit
from flows.index.planning import Unit
from flows.runs.artifacts import NOT_KEPT, RunProgress, completed, degraded, escape, show_markdown, show_table
from flows.runs.at_once import choose_number
from flows.runs.notifying import tell_index, telling_failure
from flows.runs.recording import index_figures, recording
from flows.settings.forms import IndexForm


@task(name="index-unit", task_run_name="{unit.camera} {unit.date}", retries=1, retry_delay_seconds=10, **NOT_KEPT)
def index_unit_task(form: IndexForm, unit: Unit) -> UnitReport:
    """Makes the shard of one camera's day; a retry finds nothing half done."""
    progress = RunProgress()
    progress.start("index MB", sum(video.size_bytes for video in unit.videos) / 1e6)
    return index_unit(form.compose(), form.layout(), Path(form.archive), unit, progress)


def _index_units(form: IndexForm, units: Sequence[Unit], composition: Composition) -> list[UnitReport]:
    """Runs the tasks, several at once where the machine has the cores."""
    number = choose_number(composition.settings.shards.at_once, len(units))
    if number == 1:
        return [index_unit_task(form, unit) for unit in units]
    composition.load_indexing_models()
    begun, active = list[PrefectFuture[UnitReport]](), set[PrefectFuture[UnitReport]]()
    for unit in units:
        if len(active) == number:
            active.remove(next(as_completed(list(active))))
        begun.append(index_unit_task.submit(form, unit))
        active.add(begun[-1])
    return [future.result() for future in begun]


@flow(name="index-archive", flow_run_name="index {form.archive}", persist_result=False)
def index_archive(form: IndexForm) -> State[None]:
    """Finds the persons in new videos of an archive and makes them searchable.

    Videos that are indexed already are passed over, so running it again is cheap. Videos that can't be read are
    listed on the run's page; the run then ends *Degraded* instead of *Completed*.
    """
    began = monotonic()
    composition, layout, archive = form.compose(), form.layout(), Path(form.archive)
    told, progress = composition.settings.notify, RunProgress()
    with telling_failure(told, layout, "index", progress):
        layout.check_writable()
        with recording(layout, "index", progress, composition) as run:
            plan = build_plan(composition, layout, archive, retry=form.retry, erased=form.erased)
            units = _index_units(form, plan.units, composition)
            report = build_report(composition, plan, units, monotonic() - began)
            run.end(**index_figures(report))
        tell_index(told, layout, report, progress)
    return _show(report)


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
    if report.unreadable:
        rows = [
            {"video": item.path, "read": f"{item.coverage:.0%}", "reason": item.reason} for item in report.unreadable
        ]
        show_table("index-unreadable", rows, "videos that could not be read, or not whole")
    summary = (
        f"{int(report.total('num_videos'))} new videos, {int(report.total('num_tracklets'))} tracklets, "
        f"{int(report.total('num_crops'))} crops in {report.seconds:.0f} s; {report.known} videos were known, "
        f"{report.quarantined} unreadable from before, {report.erased} erased, "
        f"{len(report.unreadable)} unreadable now"
    )
    notes = "".join(f"\n- {escape(note)}" for note in report.notes)
    show_markdown("index-summary", f"# Index {report.state}\n\n{escape(summary)}\n{notes}", "summary of the index run")
    return degraded(summary) if report.unreadable else completed(summary)
