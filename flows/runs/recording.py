"""Records each run in the store, however it ends. If a run can't be recorded, a warning is logged and it goes on."""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from anomalylmm.errors import LostClaimError, StoreBusyError, StoreError
from flows.clock import utc_now
from flows.composition import Composition
from flows.runs.progress import Listener
from flows.runs.stopping import was_stopped
from storage.disk.layout import StoreLayout
from storage.hits.runs import OpenRun, RunKind, RunRecord, RunState, new_run

KIB_PER_MIB = 1024.0  # Linux reports peak memory in KiB


class Recording:
    """The record of one run that is still working."""

    def __init__(self, layout: StoreLayout, record: RunRecord, listener: Listener) -> None:
        self._record, self._listener, self._began = record, listener, time.monotonic()
        self._stages: dict[str, float] = {}
        self._open: OpenRun | None = None
        with self._warning():
            self._open = OpenRun(layout, record)

    @contextmanager
    def _warning(self) -> Iterator[None]:
        try:
            yield
        except StoreError as error:
            self._listener.warn(f"this run can't be recorded: {error}")

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the time that the block takes to a stage."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._stages[name] = self._stages.get(name, 0.0) + time.monotonic() - began

    def end(self, state: RunState, **figures: Any) -> RunRecord:
        """Writes the final record and returns it; only the first call counts."""
        if self.is_ended:
            return self._record
        stages = {**self._stages, **figures.pop("stage_seconds", {})}
        self._record = replace(
            self._record,
            state=state,
            ended_utc=utc_now(),
            seconds=time.monotonic() - self._began,
            stage_seconds={name: round(seconds, 3) for name, seconds in stages.items()},
            peak_memory_mib=_peak_mib(resource.RUSAGE_SELF),
            peak_child_memory_mib=_peak_mib(resource.RUSAGE_CHILDREN),
            **figures,
        )
        if self._open is not None:
            with self._warning():
                self._open.end(self._record)
        return self._record

    @property
    def is_ended(self) -> bool:
        """Whether the final record was written."""
        return self._record.state != "Running"

    def withdraw(self) -> None:
        """Removes the record of a run that could not begin."""
        if self._open is not None and not self.is_ended:
            with suppress(StoreError):
                self._open.withdraw()


@contextmanager
def recording(
    layout: StoreLayout, kind: RunKind, listener: Listener, composition: Composition | None = None
) -> Iterator[Recording]:
    """Records the block as one run.

    A failed run is recorded with the type of its error only, because the message may name a video. A run that finds
    another process writing is not recorded.
    """
    names = {"profile": composition.settings.profile, "pipeline": composition.pipeline.digest} if composition else {}
    run = Recording(layout, new_run(kind, **names, **_name_flow_run()), listener)
    try:
        yield run
        run.end("Completed")
    except StoreBusyError as error:
        if isinstance(error, LostClaimError):
            run.end("Failed", reasons=(type(error).__name__,))
        run.withdraw()
        raise
    except BaseException as error:  # an interruption is recorded too
        is_failure = isinstance(error, Exception) and not was_stopped()
        run.end("Failed" if is_failure else "Ended early", reasons=(type(error).__name__,))
        raise


def _name_flow_run() -> dict[str, str]:
    """Names the Prefect run that this is part of, and its page; a command imports no Prefect, so it has none."""
    if "prefect.context" not in sys.modules:
        return {}
    from prefect.runtime import flow_run

    return {"flow_run_id": flow_run.id or "", "flow_run_url": flow_run.ui_url or ""} if flow_run.id else {}


def list_reasons(**counts: int) -> tuple[str, ...]:
    """Lists why a run is degraded, such as ``("2 videos not read",)``; names are written with underscores."""
    return tuple(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)


def _peak_mib(who: int) -> float:
    return round(resource.getrusage(who).ru_maxrss / KIB_PER_MIB, 1)
