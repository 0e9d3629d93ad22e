"""Reports the progress of long work to a listener: a terminal, a Prefect run, or nothing."""

from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from flows.runs.stopping import raise_if_stopped
from flows.runs.terminal import MessageConsole, one_line, visible


class Listener:
    """Receives progress, and does nothing with it; amounts are in the unit of the stage (MB of video, ...)."""

    def start(self, stage: str, total: float) -> None:
        """Begins a stage."""

    def advance(self, stage: str, amount: float, note: str = "") -> None:
        """Reports that part of a stage is done."""

    def warn(self, message: str) -> None:
        """Reports a problem that does not stop the work."""


Silence = Listener  # for work that nobody watches


class TerminalProgress(Listener):
    """Shows progress bars on standard error, because standard output is for results.

    Without a terminal, or with ``quiet``, there are no bars; warnings are always shown.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = MessageConsole()
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<9}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=self._console,
            transient=not self._console.is_terminal,
            disable=quiet or not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        """Starts drawing."""
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stops drawing."""
        self._bars.stop()

    def start(self, stage: str, total: float) -> None:
        """Adds a progress bar, or resets the bar of this stage."""
        if stage in self._tasks:
            self._bars.reset(self._tasks[stage], total=total)
        else:
            self._tasks[stage] = self._bars.add_task(stage, total=total, note="")

    def advance(self, stage: str, amount: float, note: str = "") -> None:
        """Advances a bar, unless a signal has stopped the program."""
        raise_if_stopped()
        if stage in self._tasks:
            self._bars.update(self._tasks[stage], advance=amount, note=one_line(note)[-60:])

    def warn(self, message: str) -> None:
        """Prints a warning above the bars."""
        self._console.print(f"warning: {visible(message)}", style="yellow", markup=False, highlight=False)
