"""An automation on the Prefect server that marks runs as crashed when their process has died.

Without it such a run would stay Pending or Running forever and block the nightly sweep. A run is Pending while its
process starts. Prefect emits heartbeat events while a flow runs. If neither a heartbeat nor the end of the run follows
the one or the other, the process has died.
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
HEARTBEAT, TAKEN = "prefect.flow-run.heartbeat", "prefect.flow-run.Pending"
# events are named after states, so states with custom names such as Degraded must be listed
ENDS = (
    *("Completed", "Degraded", "Failed", "TimedOut", "Cancelled", "Crashed"),
    *("Paused", "Suspended", "AwaitingRetry", "AwaitingConcurrencySlot"),  # for a while
)
MISSED = 3  # heartbeats after which a run counts as dead
MESSAGE = "No heartbeat from the run's process: it was killed or its machine has stopped. Start the run again."
LOGGER = logging.getLogger(__name__)


def build_zombie_automation(heartbeat_seconds: int) -> AutomationCore:
    """Builds the automation; a run marked as crashed releases its concurrency slot."""
    return AutomationCore(
        name=NAME,
        description="Created by `anomalylmm serve` and updated whenever it starts.",
        trigger=EventTrigger(
            after={TAKEN, HEARTBEAT},
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
    """Creates or updates the automation on the server; logs a warning and returns None if it can't.

    The server works without the automation, but killed runs must then be ended by hand.
    """
    seconds = get_current_settings().flows.heartbeat_frequency
    if seconds is None:
        LOGGER.warning("PREFECT_FLOWS_HEARTBEAT_FREQUENCY is off, so killed runs will stay Running until you end them")
        return None
    try:
        with get_client(sync_client=True) as client:
            return _ensure(client, build_zombie_automation(seconds))
    except (PrefectException, httpx.HTTPError, RuntimeError) as error:
        LOGGER.warning("the automation that ends killed runs could not be created: %s", error)
        return None


def _ensure(client: SyncPrefectClient, wanted: AutomationCore) -> UUID:
    """Creates the automation, or updates the first one with its name and deletes the others.

    An automation that the user has disabled stays disabled.
    """
    known = client.read_automations_by_name(wanted.name)
    if not known:
        return client.create_automation(wanted)
    # Prefect sends only fields that were set, and without its type the server would misread an action
    fields = wanted.model_dump(exclude={"owner_resource"})  # the server rejects it in an update
    whole = AutomationCore.model_validate({**fields, "enabled": known[0].enabled})
    client.update_automation(known[0].id, whole)
    for other in known[1:]:
        client.delete_automation(other.id)
    return known[0].id
