"""Artifacts of a Prefect run: progress, tables, and Markdown with inline pictures. All text is escaped."""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed

from flows.runs.progress import Listener
from flows.runs.terminal import escape, visible

MIN_STEP_PERCENT = 2.0
# Prefect must not keep or reuse results of tasks: only the manifests say what is done
NOT_KEPT: dict[str, Any] = {"persist_result": False, "cache_policy": NO_CACHE}


def picture(jpeg: bytes, alternative: str) -> str:
    """Returns a JPEG as an inline Markdown image."""
    return f"![{escape(alternative)}](data:image/jpeg;base64,{base64.b64encode(jpeg).decode()})"


def show_markdown(key: str, markdown: str, description: str) -> None:
    """Shows a summary on the run's page."""
    create_markdown_artifact(markdown=markdown, key=key, description=description)


def show_table(key: str, rows: Sequence[Mapping[str, object]], description: str) -> None:
    """Shows a table on the run's page; an empty table says 'nothing'."""
    table = [{name: _cell(value) for name, value in row.items()} for row in rows] or [{"": "nothing"}]
    create_table_artifact(table=table, key=key, description=description)


def _cell(value: object) -> object:
    return visible(value) if isinstance(value, str) else value


class RunProgress(Listener):
    """A listener that updates one progress artifact for each stage and logs warnings."""

    def __init__(self) -> None:
        self._logger = get_run_logger()
        self._stages: dict[str, UUID] = {}
        self._totals: dict[str, float] = {}
        self._done: dict[str, float] = {}
        self._shown: dict[str, float] = {}

    def start(self, stage: str, total: float) -> None:
        """Shows a new stage at 0 %."""
        key = "progress-" + re.sub(r"[^a-z0-9]+", "-", stage.lower()).strip("-")
        self._totals[stage], self._done[stage], self._shown[stage] = total, 0.0, 0.0
        artifact = create_progress_artifact(progress=0.0, key=key, description=stage)
        self._stages[stage] = cast("UUID", artifact)

    def advance(self, stage: str, amount: float, note: str = "") -> None:  # noqa: ARG002 - the server shows no notes
        """Advances a stage; the server is only updated every few percent."""
        self._done[stage] = self._done.get(stage, 0.0) + amount
        total = self._totals.get(stage, 0.0)
        percent = 100.0 if total <= 0 else min(100.0, 100.0 * self._done[stage] / total)
        if stage in self._stages and (percent >= 100.0 or percent - self._shown[stage] >= MIN_STEP_PERCENT):
            self._shown[stage] = percent
            update_progress_artifact(self._stages[stage], percent)

    def warn(self, message: str) -> None:
        """Logs a warning."""
        self._logger.warning("%s", visible(message))


def completed(message: str) -> State[None]:
    """Returns the state of a run that did all its work."""
    return Completed(message=message)


def degraded(message: str) -> State[None]:
    """Returns the state of a run that did its work but could not read everything: completed, named Degraded."""
    return Completed(message=message, name="Degraded")
