"""What a Prefect server is asked to do by itself: a run whose process died is marked as crashed.

Such a run would stay Running for ever and hold the one place of the nightly sweep. Prefect's engine emits a heartbeat
event while a flow runs; where one was seen and neither another nor an end follows in time, the process is gone.
"""

import logging
from datetime import timedelta
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import StateType
from prefect.events import EventTrigger, ResourceSpecification
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, Posture
from prefect.exceptions import PrefectException
from prefect.settings import get_current_settings

NAME = "anomalylmm: runs whose process died"
TAG = "anomalylmm"  # of all deployments
HEARTBEAT = "prefect.flow-run.heartbeat"
# a state's event bears the state's name, so one that ends well under a name of its own must be listed
ENDS = ("Completed", "Degraded", "Failed", "TimedOut", "Cancelled", "Crashed", "Paused", "Suspended", "AwaitingRetry")
MISSED = 3  # heartbeats, after which a run is taken for dead
MESSAGE = "No sign of life from the run's process: it was killed, or its machine is gone. Run it again."
LOGGER = logging.getLogger(__name__)


def build_zombie_automation(heartbeat_seconds: int) -> AutomationCore:
    """Builds the automation that marks runs without heartbeats as crashed, which frees their concurrency slot."""
    return AutomationCore(
        name=NAME,
        description="Made by `anomalylmm serve`; it is brought up to date whenever that starts.",
        trigger=EventTrigger(
            after={HEARTBEAT},
            expect={HEARTBEAT, *(f"prefect.flow-run.{name}" for name in ENDS)},
            match=ResourceSpecification.model_validate({"prefect.resource.id": ["prefect.flow-run.*"]}),
            match_related=ResourceSpecification.model_validate(
                {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{TAG}"}
            ),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=MISSED * heartbeat_seconds),
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=MESSAGE)],
    )


def ensure_zombie_automation() -> UUID | None:
    """Makes the automation on the server, or brings it up to date; None where it could not, which is warned about.

    A server without it works, but a killed run has to be marked by hand.
    """
    seconds = get_current_settings().flows.heartbeat_frequency
    if seconds is None:
        LOGGER.warning(
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY is off: killed runs will stay Running until somebody ends them"
        )
        return None
    try:
        with get_client(sync_client=True) as client:
            return _ensure(client, build_zombie_automation(seconds))
    except (PrefectException, httpx.HTTPError, RuntimeError) as error:
        LOGGER.warning("the automation that ends killed runs could not be made: %s", error)
        return None


def _ensure(client: SyncPrefectClient, wanted: AutomationCore) -> UUID:
    """Updates the first automation of the name and removes others, so that serving twice makes no second one.

    Whether it is enabled stays as somebody has set it.
    """
    known = client.read_automations_by_name(wanted.name)
    if not known:
        return client.create_automation(wanted)
    # Prefect sends only fields that were set, and without its type the server would take an action for another one
    fields = wanted.model_dump(exclude={"owner_resource"})  # which the server refuses in an update
    whole = AutomationCore.model_validate({**fields, "enabled": known[0].enabled})
    client.update_automation(known[0].id, whole)
    for other in known[1:]:
        client.delete_automation(other.id)
    return known[0].id
