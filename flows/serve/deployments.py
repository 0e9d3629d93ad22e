"""The served deployments: flows by dotted name, the schedules, and one sweep at a time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from prefect import serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron, Schedule
from prefect.types.entrypoint import EntrypointType

from flows.evaluate.flow import evaluate
from flows.export.flow import export
from flows.index.flow import index_archive
from flows.index.wallclock import check_time_zone
from flows.maintain.flow import maintain
from flows.search.flow import search_now
from flows.serve.automations import TAG, ensure_zombie_automation
from flows.sweep.flow import sweep

ONE_AT_A_TIME = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
MAX_RUNS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What the served deployments start with."""

    store: str
    profile: str
    archive: str = ""
    settings_file: str = ""
    queries_file: str = ""
    cron: str = "0 2 * * *"
    time_zone: str = "UTC"
    compaction_cron: str = "0 7 * * *"  # after the retention, which takes indexes away; empty for never
    retention_cron: str = "0 6 * * *"  # empty for never


def _daily(cron: str, time_zone: str) -> Schedule | None:
    return Cron(cron, timezone=time_zone) if cron else None


def _form(options: ServeOptions, **more: Any) -> dict[str, Any]:
    common = {"store": options.store, "profile": options.profile, "settings_file": options.settings_file}
    return {"form": {**common, **more}}


def build_deployments(options: ServeOptions) -> list[RunnerDeployment]:
    """Builds all deployments; the sweep, which indexes the archive first, and the retention have schedules.

    Raises:
        ConfigurationError: There is no such time zone.
    """
    check_time_zone(options.time_zone)
    dotted: dict[str, Any] = {"entrypoint_type": EntrypointType.MODULE_PATH, "enforce_parameter_schema": True}
    nightly = Cron(options.cron, timezone=options.time_zone)
    index_parameters = _form(options, **({"archive": options.archive} if options.archive else {}))
    deployments = [
        index_archive.to_deployment(
            "index-archive", parameters=index_parameters, concurrency_limit=ONE_AT_A_TIME, tags=[TAG], **dotted
        ),
        sweep.to_deployment(
            "nightly-sweep",
            parameters=_form(options, queries_file=options.queries_file, archive=options.archive),
            schedule=nightly,
            concurrency_limit=ONE_AT_A_TIME,
            tags=[TAG],
            **dotted,
        ),
        search_now.to_deployment("search-now", parameters=_form(options), tags=[TAG], **dotted),
        evaluate.to_deployment("evaluate", parameters=_form(options), tags=[TAG], **dotted),
        export.to_deployment("export", parameters=_form(options, archive=options.archive), tags=[TAG], **dotted),
        maintain.to_deployment("maintain", parameters=_form(options), tags=[TAG], **dotted),
        maintain.to_deployment(
            "compaction",
            parameters=_form(options, action="compact indexes"),
            schedule=_daily(options.compaction_cron, options.time_zone),
            concurrency_limit=ONE_AT_A_TIME,
            tags=[TAG],
            **dotted,
        ),
        maintain.to_deployment(
            "retention",
            parameters=_form(options, action="apply retention"),
            schedule=_daily(options.retention_cron, options.time_zone),
            concurrency_limit=ONE_AT_A_TIME,
            tags=[TAG],
            **dotted,
        ),
    ]
    return cast("list[RunnerDeployment]", deployments)  # coroutines only where an event loop runs


def serve_deployments(options: ServeOptions) -> None:
    """Serves until interrupted; schedules go on when it is started again, and killed runs are ended by the server."""
    deployments = build_deployments(options)
    ensure_zombie_automation()
    serve(*deployments, limit=MAX_RUNS, pause_on_shutdown=False)


def absolute(path: Path | None) -> str:
    """Writes a path so that a run started elsewhere finds it; empty for none."""
    return str(path.resolve()) if path else ""
