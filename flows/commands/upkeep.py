"""Commands for the operator: ``verify``, ``gc``, ``compact`` and ``serve``."""

from pathlib import Path
from typing import Annotated

import typer

from anomalylmm.caches import prefect_folder, require_writable
from flows.commands.common import (
    DEFAULT_STORE,
    JsonOption,
    ProfileOption,
    SettingsOption,
    StoreOption,
    print_json,
    say,
)
from flows.runs.stopping import explain_when_stopped
from storage.disk.layout import StoreLayout, require_store

SERVING_STOPPED = (
    "runs under way were ended, and what they had finished is kept in the store. The schedules stay on the Prefect "
    "server; start the same command again to serve them."
)


def verify(
    store: StoreOption = DEFAULT_STORE,
    deep: Annotated[bool, typer.Option("--deep", help="Also read every byte and compare digests.")] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Rebuild missing or damaged indexes of shards from their crops.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Checks that every shard is complete and that the hit tables can be opened. Exits with 5 if not.

    Example: `anomalylmm verify --deep`
    """
    from storage.upkeep.maintenance import verify_store

    layout = StoreLayout(store)
    require_store(layout)
    report = verify_store(layout, deep=deep, repair=repair)
    if json:
        print_json(report)
    else:
        for problem in report.problems:
            say(f"problem: {problem}")
        for path in report.rebuilt:
            say(f"rebuilt: {path}")
        typer.echo(
            f"{report.num_shards} shards, {report.num_crops} crops, {len(report.problems)} problems, "
            f"{len(report.orphans)} abandoned builds"
        )
    if not report.is_clean:
        raise typer.Exit(5)


def gc(store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """Removes what abandoned runs left behind and finishes interrupted erasures. Nothing else is changed.

    What changed in the last hour is left, because it may belong to a run that has just started.

    Example: `anomalylmm gc`
    """
    from flows.maintain.erasing import collect_and_show, describe, describe_garbage
    from storage.upkeep.erasure import ErasureReport

    report = collect_and_show(StoreLayout(store))
    if json:
        print_json(report)
    else:
        if report.erasures:
            typer.echo(describe(ErasureReport(erasures=report.erasures)))
        typer.echo(describe_garbage(report))


def compact(store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """Combines the vectors of many shards so that searches read less. Results stay the same. It is safe to repeat.

    Exit codes: 0 done, or nothing to do · 5 no store, or not writable · 6 another compaction is running.

    Example: `anomalylmm compact`
    """
    from storage.gallery.compacting import compact_store

    layout = StoreLayout(store)
    require_store(layout)
    report = compact_store(layout)
    if json:
        print_json(report)
    else:
        typer.echo(report.describe())


def serve(
    store: StoreOption = DEFAULT_STORE,
    profile: ProfileOption = "pocket",
    settings: SettingsOption = None,
    archive: Annotated[
        Path | None,
        typer.Option("--archive", help="Archive, a folder or address, whose new videos are indexed before each sweep."),
    ] = None,
    queries: Annotated[Path | None, typer.Option("--queries", help="Your own queries.toml.")] = None,
    cron: Annotated[str, typer.Option("--cron", help="Schedule of the nightly sweep.")] = "0 2 * * *",
    time_zone: Annotated[str, typer.Option("--time-zone", help="Time zone of the schedules (IANA name).")] = "UTC",
    retention_cron: Annotated[
        str,
        typer.Option("--retention-cron", help="Schedule for applying [retention]; empty for never."),
    ] = "0 6 * * *",
    compaction_cron: Annotated[
        str, typer.Option("--compaction-cron", help="Schedule for compacting indexes; empty for never.")
    ] = "0 7 * * *",
) -> None:
    """Serves the flows to a Prefect server (PREFECT_API_URL), with schedules for sweep and upkeep. Stop it with Ctrl-C.

    Example: `anomalylmm serve --archive videos --cron "30 1 * * *" --time-zone Europe/Berlin`
    """
    require_writable(prefect_folder(), "PREFECT_HOME")
    from flows.serve.deployments import ServeOptions, absolute, serve_deployments

    options = ServeOptions(
        store=absolute(store),
        profile=profile or "pocket",
        archive=absolute(archive),
        settings_file=absolute(settings),
        queries_file=absolute(queries),
        cron=cron,
        time_zone=time_zone,
        retention_cron=retention_cron,
        compaction_cron=compaction_cron,
    )
    with explain_when_stopped(lambda: SERVING_STOPPED):
        ready = "serving; the deployments are listed by: prefect deployment ls; stop with Ctrl-C"
        serve_deployments(options, lambda: say(ready))
