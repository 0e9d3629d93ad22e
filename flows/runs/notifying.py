"""Notifies a program of the operator about what a run found or how it ended. A failing program never affects the run.

The program is started without a shell and reads one JSON document from its standard input, so text from queries, files
and models is never run as a command.
"""

import json
import subprocess
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, Protocol

from anomalylmm.errors import AnomalyLMMError, ConfigurationError, QueryError
from flows.clock import utc_now
from flows.runs.progress import Listener
from flows.runs.stopping import was_stopped
from flows.settings.sections import NotifySettings
from storage.disk.layout import StoreLayout

Work = Literal["index", "sweep", "search", "export", "erase"]
MAX_CHARACTERS = 300  # of the program's error output, quoted in a warning
CALLER_ERRORS = (QueryError, ConfigurationError)  # mistakes of the person who started the run and sees the message


class Report(Protocol):
    """A run's report, as far as a notification needs it."""

    @property
    def state(self) -> str:
        """Completed or Degraded."""
        ...

    @property
    def events(self) -> Collection[str]:
        """The events that happened: hits, search_hits, degraded."""
        ...

    @property
    def notification(self) -> Mapping[str, Any]:
        """The values that the document contains for this kind of run."""
        ...


def notify_report(
    settings: NotifySettings, layout: StoreLayout, work: Work, report: Report, listener: Listener
) -> None:
    """Notifies about a finished run if the settings ask for one of its events."""
    _notify(settings, layout, work, report.state, report.events, report.notification, listener)


@contextmanager
def notify_failure(
    settings: NotifySettings,
    layout: StoreLayout,
    work: Work,
    listener: Listener,
    *,
    except_for: tuple[type[Exception], ...] = (),
) -> Iterator[None]:
    """Notifies if the block fails, then raises the error again. An interruption is not a failure.

    Errors of the types in ``except_for`` cause no notification.
    """
    try:
        yield
    except except_for:
        raise
    except Exception as error:
        if was_stopped():
            raise
        message = str(error) if isinstance(error, AnomalyLMMError) else f"{type(error).__name__}: {error}"
        _notify(settings, layout, work, "Failed", ["failed"], {"message": message}, listener)
        raise


def _notify(
    settings: NotifySettings,
    layout: StoreLayout,
    work: Work,
    state: str,
    events: Collection[str],
    values: Mapping[str, Any],
    listener: Listener,
) -> None:
    wanted = [event for event in events if event in settings.on]
    if settings.command and wanted:
        document = {
            "events": wanted,
            "work": work,
            "state": state,
            "store": str(layout.root),
            "time_utc": utc_now().isoformat(timespec="seconds"),
            **values,
        }
        problem = run_command(settings, document)
        if problem:
            listener.warn(f"the notification was not delivered: {problem}")


def run_command(settings: NotifySettings, document: Mapping[str, Any]) -> str:
    """Runs the program with the document as its standard input; returns what went wrong, or an empty string."""
    content = json.dumps(document, default=str).encode()  # ASCII, so that no file name can break it
    program = settings.command[0]
    try:
        ran = subprocess.run(
            list(settings.command), input=content, capture_output=True, timeout=settings.timeout_seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return f"{program} was stopped because it took more than {settings.timeout_seconds:g} s"
    except (OSError, ValueError) as error:
        return f"{program} can't be run: {error}; correct [notify] command in the settings"
    if ran.returncode == 0:
        return ""
    error_output = ran.stderr.decode(errors="replace").strip()[-MAX_CHARACTERS:]
    return f"{program} exited with {ran.returncode}" + (f": {error_output}" if error_output else "")
