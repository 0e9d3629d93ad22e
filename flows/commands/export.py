"""The ``export`` command: hits with clips and pictures, to pass on as evidence."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.common import (
    DEFAULT_STORE,
    JsonOption,
    ProfileOption,
    QuietOption,
    SettingsOption,
    StoreOption,
    StrictOption,
    compose,
    print_json,
    say,
)
from flows.commands.search import DAY_FORMATS, end_of
from flows.export import MAX_HITS
from flows.runs.stopping import explain_when_stopped
from flows.runs.terminal import visible
from storage.disk.layout import StoreLayout

if TYPE_CHECKING:
    from flows.export.exporting import ExportReport

ArchiveOption = Annotated[
    Path | None,
    typer.Option(
        "--archive",
        envvar="ANOMALYLMM_ARCHIVE",
        help="Folder or address of the source videos; without it no clips are exported.",
    ),
]


def export(
    output: Annotated[Path, typer.Argument(help="New folder, or new file that ends in .zip.")],
    store: StoreOption = DEFAULT_STORE,
    profile: ProfileOption = None,
    settings: SettingsOption = None,
    archive: ArchiveOption = None,
    hit: Annotated[list[str] | None, typer.Option("--hit", help="Id of a hit; can be repeated.")] = None,
    query: Annotated[str, typer.Option("--query", help="Hits of the saved query with this name.")] = "",
    since: Annotated[
        datetime | None, typer.Option(formats=DAY_FORMATS, help="Hits from this day or moment on, UTC.")
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=DAY_FORMATS, help="Hits up to and including this day, or up to this moment, UTC."),
    ] = None,
    sweep: Annotated[str, typer.Option("--sweep", help="Hits of the sweep with this id.")] = "",
    incident: Annotated[str, typer.Option("--incident", help="Hits of the incident with this id.")] = "",
    sql: Annotated[str, typer.Option("--sql", help="SELECT on the published tables that returns hit_id.")] = "",
    put_off_by: Annotated[
        Path | None,
        typer.Option(
            "--put-off-by",
            help="Hits whose videos could not be reached when this earlier export (folder or zip file) was made.",
        ),
    ] = None,
    margin: Annotated[
        float, typer.Option("--margin", min=0, max=600, help="Seconds of video before and after the person is seen.")
    ] = 2.0,
    blur: Annotated[bool, typer.Option("--blur/--no-blur", help="Blur the heads of bystanders.")] = True,
    box: Annotated[bool, typer.Option("--box", help="Draw a box around the person in the clips.")] = False,
    times: Annotated[
        bool, typer.Option("--times", help="Write the camera, local time and media time into the clips.")
    ] = False,
    most: Annotated[
        int, typer.Option("--most", min=1, max=10_000, help="Export nothing if more hits than this are chosen.")
    ] = MAX_HITS,
    strict: StrictOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Exports hits with clips, pictures, tables, a page for viewing offline, and digests of all files.

    A hit is exported if it meets all conditions that you give. The heads of bystanders are blurred if the detector
    finds them, so watch every clip before you pass it on. If part of a hit is missing, for example because its video
    was deleted or changed, this is reported and the rest is exported.

    Exit codes: 0 done · 2 no hit matches, or the output exists · 3 the detector's weights are missing · 4 no such
    archive, or it can't be reached · 5 no sweep has published, or the output can't be written · 8 with --strict: part
    of a hit is missing

    Example: `anomalylmm export fall.zip --query fall --since 2026-03-01 --archive /media/cameras`

    Example: `anomalylmm export gate --sql "select hit_id from hits where camera = 'gate' and feedback = 'confirm'"`
    """
    from flows.export.choice import Choice
    from flows.export.clips import ClipStyle
    from flows.export.earlier import read_put_off
    from flows.export.exporting import ExportRequest, export_hits
    from flows.runs.notifying import CALLER_ERRORS, notify_failure, notify_report
    from flows.runs.progress import TerminalProgress

    choice = Choice(
        hit_ids=tuple(hit or ()),
        put_off=read_put_off(put_off_by) if put_off_by else (),
        query_name=query,
        start_utc=since.replace(tzinfo=UTC) if since else None,
        stop_utc=end_of(until),
        sweep_id=sweep,
        incident_id=incident,
        sql=sql,
    )
    style = ClipStyle(margin_seconds=margin, blur=blur, draw_box=box, burn_times=times)
    request = ExportRequest(output=output, choice=choice, archive=archive, style=style, max_hits=most)
    composition, layout = compose(profile, settings), StoreLayout(store)
    notify = composition.settings.notify
    with (
        explain_when_stopped(lambda: "nothing was exported. Run the same command again."),
        TerminalProgress(quiet=quiet) as progress,
        notify_failure(notify, layout, "export", progress, except_for=CALLER_ERRORS),
    ):
        report = export_hits(composition, layout, request, listener=progress)
        notify_report(notify, layout, "export", report, progress)
    _print(report, json)
    if strict and report.problems:
        raise typer.Exit(8)


def _print(report: "ExportReport", json: bool) -> None:
    if json:
        names = ("output", "state", "num_hits", "num_clips", "num_pictures", "num_put_off", "problems", "seconds")
        print_json({name: getattr(report, name) for name in names})
        return
    for problem in report.problems:
        say(f"hit {problem.hit_id}: {problem.reason}")
    say(
        f"{report.output}: {report.num_hits} hits, {report.num_clips} clips, {report.num_pictures} pictures, "
        f"{report.state}, {report.seconds:.1f} s"
    )
    if report.num_put_off:
        say(
            f"{report.num_put_off} clips are missing because their videos could not be reached; when they can be: "
            f"anomalylmm export NEW --put-off-by {visible(report.output)}"
        )
