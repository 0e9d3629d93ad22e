"""Builds the deployments of ``prefect.yaml`` with the operator's paths and schedules, and serves them."""

import asyncio
import importlib
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from prefect import Flow
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.schedules import Cron
from prefect.types.entrypoint import EntrypointType

from flows.clocks.patterns import check_time_zone
from flows.runs.stopping import stop_as_by_ctrl_c, stop_by_asyncio
from flows.serve.automations import ensure_zombie_automation
from flows.settings.model import configs_folder

MAX_RUNS = 4
OPTIONAL_SCHEDULES = {"compaction": "compaction_cron", "retention": "retention_cron"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """Paths and schedules of the served deployments."""

    store: str
    profile: str
    archive: str = ""
    settings_file: str = ""
    queries_file: str = ""
    cron: str = "0 2 * * *"
    time_zone: str = "UTC"
    compaction_cron: str = "0 7 * * *"  # after the retention has removed indexes; empty for never
    retention_cron: str = "0 6 * * *"  # empty for never


def read_declared() -> list[dict[str, Any]]:
    """Reads the deployments from ``prefect.yaml``, which a wheel has in ``configs`` and a checkout at its top."""
    inside, outside = configs_folder() / "prefect.yaml", configs_folder().parent / "prefect.yaml"
    text = (inside if inside.is_file() else outside).read_text(encoding="utf-8")
    return cast("list[dict[str, Any]]", yaml.safe_load(text)["deployments"])


def build_deployments(options: ServeOptions) -> list[RunnerDeployment]:
    """Builds all deployments. Sweep, retention and compaction have schedules; the sweep also indexes the archive.

    Raises:
        ConfigurationError: The time zone does not exist.
    """
    check_time_zone(options.time_zone)
    return [_build(declared, options) for declared in read_declared()]


def _build(declared: Mapping[str, Any], options: ServeOptions) -> RunnerDeployment:
    module, _, name = declared["entrypoint"].rpartition(".")
    flow: Flow[Any, Any] = getattr(importlib.import_module(module), name)
    limit = declared.get("concurrency_limit")
    built = flow.to_deployment(
        declared["name"],
        parameters={"form": _fill_form(flow, declared, options)} if declared["parameters"] else {},
        schedule=_schedule(declared, options),
        concurrency_limit=ConcurrencyLimitConfig(**limit) if limit else None,
        description=declared["description"],
        tags=declared["tags"],
        enforce_parameter_schema=declared["enforce_parameter_schema"],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    return cast("RunnerDeployment", built)  # a coroutine only inside an event loop


def _fill_form(flow: Flow[Any, Any], declared: Mapping[str, Any], options: ServeOptions) -> dict[str, Any]:
    """Returns the form of a run: the declared action, and the operator's paths instead of the examples."""
    schema = flow.parameters.model_dump()
    known = set(next(item for name, item in schema["definitions"].items() if name.endswith("Form"))["properties"])
    given = {name: getattr(options, name) for name in ("store", "profile", "settings_file", "archive", "queries_file")}
    kept = {name: value for name, value in declared["parameters"]["form"].items() if name == "action"}
    return {**kept, **{name: value for name, value in given.items() if name in known and (value or name != "archive")}}


def _schedule(declared: Mapping[str, Any], options: ServeOptions) -> Any:
    if not declared.get("schedules"):
        return None
    cron = getattr(options, OPTIONAL_SCHEDULES.get(declared["name"], "cron"))
    return Cron(cron, timezone=options.time_zone) if cron else None


def serve_deployments(options: ServeOptions, on_ready: Callable[[], None]) -> None:
    """Serves until interrupted, then ends what runs. Schedules stay active between two starts.

    ``on_ready`` is called once the server knows the deployments.

    Raises:
        ConfigurationError: The time zone does not exist.
        KeyboardInterrupt: Ctrl-C or SIGTERM.
    """
    deployments = build_deployments(options)
    ensure_zombie_automation()
    runner = _Runner(limit=MAX_RUNS, pause_on_shutdown=False)
    for deployment in deployments:
        runner.add_deployment(deployment)
    on_ready()
    with stop_by_asyncio():
        asyncio.run(runner.start())


class _Runner(Runner):
    """Ends on SIGTERM as on Ctrl-C: the runs that are under way are ended first."""

    def handle_sigterm(self, *_: object) -> None:
        """Ends the runner; the method that this replaces leaves without waiting."""
        stop_as_by_ctrl_c(signal.SIGTERM)


def absolute(path: Path | None) -> str:
    """Makes a path absolute, so that a run in another folder finds it; empty for None."""
    return str(path.resolve()) if path else ""
