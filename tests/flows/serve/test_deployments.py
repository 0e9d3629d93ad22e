"""Forms, schedules and entry points of the flows."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow

from flows.evaluate.flow import evaluate
from flows.export.flow import export
from flows.index.flow import index_archive
from flows.maintain.flow import maintain
from flows.search.flow import search_now
from flows.serve.deployments import ServeOptions, build_deployments
from flows.sweep.flow import sweep
from flows.workers.pools import DEPLOYMENT

FLOWS: list[Flow[Any, Any]] = [index_archive, sweep, search_now, evaluate, export, maintain]
DEPLOYMENTS = yaml.safe_load((Path(__file__).parents[3] / "prefect.yaml").read_text())["deployments"]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_every_field_of_a_form_has_title_description_and_position(flow: Flow[Any, Any]) -> None:
    schema = flow.parameters.model_dump()
    (form,) = [item for name, item in schema["definitions"].items() if name.endswith("Form")]
    for name, field in form["properties"].items():
        assert {"title", "description", "position"} <= set(field), name
    assert form["properties"]["profile"]["enum"] == ["pocket", "cpu", "gpu"]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_every_flow_has_a_description(flow: Flow[Any, Any]) -> None:
    assert flow.description is not None
    assert len(flow.description) > 60


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment["name"])
def test_every_deployment_names_a_flow_by_its_dotted_name_and_fits_its_form(deployment: dict[str, Any]) -> None:
    module, _, name = deployment["entrypoint"].rpartition(".")
    assert "/" not in deployment["entrypoint"]
    assert ":" not in deployment["entrypoint"]
    flow = getattr(importlib.import_module(module), name)
    assert isinstance(flow, Flow)
    flow.validate_parameters(deployment["parameters"])


def test_units_of_an_index_run_go_to_a_queue_of_their_own() -> None:
    (unit,) = [
        item for item in build_deployments(ServeOptions(store="s", profile="pocket")) if item.name == "index-unit"
    ]
    assert (f"{unit.flow_name}/{unit.name}", unit.parameters) == (DEPLOYMENT, {})
    assert next(item for item in DEPLOYMENTS if item["name"] == "index-unit")["work_pool"]["work_queue_name"] == "cpu"


def test_the_sweep_runs_nightly_in_its_time_zone_and_never_twice_at_once() -> None:
    deployments = {
        item.name: item
        for item in build_deployments(
            ServeOptions(store="s", profile="pocket", cron="30 1 * * *", time_zone="Europe/Berlin")
        )
    }
    night = deployments["nightly-sweep"]
    (schedule,) = night.schedules or []
    assert (schedule.schedule.cron, schedule.schedule.timezone) == ("30 1 * * *", "Europe/Berlin")  # type: ignore[union-attr]
    assert night.concurrency_limit == 1
    assert night.concurrency_options is not None
    assert night.concurrency_options.collision_strategy.value == "CANCEL_NEW"


def test_the_retention_is_served_with_a_schedule_that_can_be_left_out() -> None:
    for cron in ("15 5 * * *", ""):
        options = ServeOptions(store="s", profile="pocket", time_zone="Europe/Berlin", retention_cron=cron)
        (retention,) = [item for item in build_deployments(options) if item.name == "retention"]
        assert retention.parameters["form"]["action"] == "apply retention"
        assert retention.concurrency_limit == 1
        schedules = [item.schedule for item in retention.schedules or []]
        expected = [(cron, "Europe/Berlin")] if cron else []
        assert [(item.cron, item.timezone) for item in schedules] == expected  # type: ignore[union-attr]


@pytest.mark.parametrize(("given", "crons"), [({}, ["0 7 * * *"]), ({"compaction_cron": ""}, [])])
def test_indexes_are_compacted_every_day_or_never(given: dict[str, str], crons: list[str]) -> None:
    options = ServeOptions(store="s", profile="pocket", **given)
    (compaction,) = [item for item in build_deployments(options) if item.name == "compaction"]
    assert compaction.parameters["form"]["action"] == "compact indexes"
    assert [item.schedule.cron for item in compaction.schedules or []] == crons  # type: ignore[union-attr]


def test_served_deployments_name_flows_by_dotted_names() -> None:
    for deployment in build_deployments(ServeOptions(store="s", profile="pocket")):
        assert deployment.entrypoint is not None
        assert "/" not in deployment.entrypoint
        assert deployment.entrypoint.rsplit(".", 1)[0].endswith(".flow")
