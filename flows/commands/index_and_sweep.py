"""Commands that fill the store: ``index`` and ``sweep``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.checks import show_preview
from flows.commands.common import (
    DEFAULT_STORE,
    JsonOption,
    MovedOption,
    ProfileOption,
    QuietOption,
    SettingsOption,
    StoreOption,
    StrictOption,
    compose,
    print_json,
    print_records,
    say,
)
from flows.runs.stopping import explain_when_stopped
from storage.disk.files import read_stamp
from storage.disk.layout import StoreLayout

if TYPE_CHECKING:
    from flows.index.indexing import IndexReport
    from flows.sweep.outcome import SweepReport

MAX_ROWS = 50  # of one table of files


def index(
    archive: Annotated[Path, typer.Argument(help="Folder or address (s3://...) of videos; it is only read.")],
    store: StoreOption = DEFAULT_STORE,
    profile: ProfileOption = None,
    settings: SettingsOption = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try again to read videos that could not be read before.")
    ] = False,
    erased: Annotated[
        bool, typer.Option("--erased", help="Also index footage that was erased or is older than the retention.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show which cameras and times would be read, and what is unsure.")
    ] = False,
    strict: StrictOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Finds people in the new videos of an archive and stores their crops as searchable shards.

    It names files that look like videos but are not read, such as those in a recycle bin. A file that has grown since
    it was indexed is read again and replaces its shorter version.

    Example: `anomalylmm index /media/cameras --store store`
    """
    from flows.index.indexing import index_archive
    from flows.index.preview import preview_archive
    from flows.runs.notifying import notify_failure, notify_report
    from flows.runs.progress import TerminalProgress
    from storage.shards.manifest import iter_shard_dirs

    composition, layout = compose(profile, settings), StoreLayout(store)
    if dry_run:
        show_preview(preview_archive(archive, composition.settings, composition.probe_start), json=json)
        return
    notify = composition.settings.notify
    before = frozenset(iter_shard_dirs(layout))
    with (
        explain_when_stopped(lambda: _describe_finished(layout, before)),
        TerminalProgress(quiet=quiet) as progress,
        notify_failure(notify, layout, "index", progress),
    ):
        report = index_archive(composition, layout, archive, retry=retry, erased=erased, listener=progress)
        notify_report(notify, layout, "index", report, progress)
    if json:
        lists = {name: getattr(report, name) for name in ("unreadable", "passed_over", "duplicates", "notes", "gaps")}
        print_json({**_summary(report), **lists, "run": report.run})
    else:
        _print_index(report)
    if strict and report.unreadable:
        raise typer.Exit(8)


def _describe_finished(layout: StoreLayout, before: frozenset[Path]) -> str:
    """Says what an index run that was stopped has finished, and how to go on."""
    from storage.shards.manifest import iter_shard_dirs, read_manifest

    shards = [directory for directory in iter_shard_dirs(layout) if directory not in before]
    videos = sum(len(read_manifest(directory).videos) for directory in shards)
    return (
        f"{len(shards)} shards with {videos} videos were finished and are kept in {layout.root}. "
        "Run the same command again to index the rest."
    )


def _summary(report: "IndexReport") -> dict[str, object]:
    return {
        "state": report.state,
        "pipeline": report.pipeline_digest,
        "shards": sum(bool(unit.shard_id) for unit in report.units),
        "videos": int(report.total("num_videos")),
        "video_seconds": round(report.total("video_seconds"), 1),
        "tracklets": int(report.total("num_tracklets")),
        "crops": int(report.total("num_crops")),
        "known_before": report.known,
        "quarantined_before": report.quarantined,
        "erased_before": report.erased,
        "grown": report.grown,
        "seconds": round(report.seconds, 1),
    }


def _print_index(report: "IndexReport") -> None:
    units = [
        (
            unit.camera,
            unit.date,
            unit.num_videos,
            round(unit.video_seconds),
            unit.num_tracklets,
            unit.num_crops,
            f"{unit.seconds:.1f}",
        )
        for unit in report.units
    ]
    if units:
        print_records(("camera", "date", "videos", "video s", "tracklets", "crops", "seconds"), units)
    if report.unreadable:
        rows = [(item.path, f"{item.coverage:.0%}", item.reason) for item in report.unreadable]
        print_records(("video", "read", "reason"), rows, title="not read, or read only in part")
    _print_passed_over(report)
    for note in report.notes:
        say(f"note: {note}")
    counts = {"passed_over": len(report.passed_over), "duplicates": len(report.duplicates)}
    summary = _summary(report) | counts
    say(", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in summary.items()))


def _print_passed_over(report: "IndexReport") -> None:
    """Prints files that were not read although they may be videos, and files whose content another file has."""
    passed = [(item.path, item.reason) for item in report.passed_over]
    lists = (
        (("file", "reason"), passed, "not read, but may be a video"),
        (("file", "same content as", "stored under camera"), report.duplicates, "duplicates"),
    )
    for columns, rows, title in lists:
        if rows:
            print_records(columns, rows[:MAX_ROWS], title=title)
        if len(rows) > MAX_ROWS:
            say(f"and {len(rows) - MAX_ROWS} more; --json lists all")


def sweep(
    store: StoreOption = DEFAULT_STORE,
    profile: ProfileOption = None,
    settings: SettingsOption = None,
    queries: Annotated[Path | None, typer.Option("--queries", help="Your own queries.toml.")] = None,
    archive: MovedOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Runs the saved queries on the footage they have not covered yet, and publishes the hits.

    Example: `anomalylmm sweep --queries my-queries.toml`
    """
    from flows.runs.notifying import notify_failure, notify_report
    from flows.runs.progress import TerminalProgress
    from flows.sweep.query_file import default_query_file
    from flows.sweep.sweeping import sweep_store

    composition, layout = compose(profile, settings), StoreLayout(store)
    notify = composition.settings.notify
    before = read_stamp(layout.snapshot)
    with (
        explain_when_stopped(lambda: _describe_sweep(layout, before)),
        TerminalProgress(quiet=quiet) as progress,
        notify_failure(notify, layout, "sweep", progress),
    ):
        file = queries or default_query_file()
        report = sweep_store(composition, layout, file, archive=archive, listener=progress)
        notify_report(notify, layout, "sweep", report, progress)
    if json:
        print_json(report)
    else:
        _print_sweep(report)


def _describe_sweep(layout: StoreLayout, before: tuple[int, int, int]) -> str:
    """Says what a sweep that was stopped has kept, and how to go on."""
    if read_stamp(layout.snapshot) != before:
        return "the hits were already published. Run the same command again to be sure that nothing is left."
    return (
        "no hit of this sweep was published. The judge's answers so far are kept. "
        "Run the same command again: it asks only for the rest."
    )


def _print_sweep(report: "SweepReport") -> None:
    rows = [
        (row.query_name, row.num_shards, row.num_candidates, row.num_judged, row.num_hits) for row in report.queries
    ]
    if rows:
        print_records(("query", "new shards", "candidates", "judged", "hits"), rows)
    name = f"sweep {report.sweep_id}" if report.sweep_id else "nothing new to sweep"
    say(
        f"{name}: {report.state}, {report.num_hits} hits ({report.num_new} new) in {report.num_incidents} incidents, "
        f"{report.num_calls} questions to the judge, {report.num_cached} answered from the cache, "
        f"{report.seconds:.1f} s"
    )
    if report.report_path:
        say(f"report: {report.report_path}")
