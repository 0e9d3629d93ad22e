"""Ctrl-C and SIGTERM: the work ends in order, and the user is told what was kept and how to go on."""

import atexit
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from flows.runs.terminal import MessageConsole, visible

STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NAMES = {signal.SIGINT: "Ctrl-C"}
_received: list[signal.Signals] = []


def end_in_order() -> None:
    """Makes the signals that stop a program raise KeyboardInterrupt in its main thread; a second one ends it at once.

    A signal that is ignored, as by ``nohup``, stays ignored.
    """
    for number in STOPPING_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def was_stopped() -> bool:
    """Whether a signal has told this program to stop; whatever fails after that is no failure of the work."""
    return bool(_received)


def raise_if_stopped() -> None:
    """Raises KeyboardInterrupt again after a signal, because a library may have caught the first one."""
    if _received:
        raise KeyboardInterrupt


@contextmanager
def exit_when_stopped() -> Iterator[None]:
    """Exits with 128 and the signal's number if a signal ended the block, whatever error that caused in it."""
    try:
        yield
    except BaseException:
        if not _received:
            raise
        atexit._run_exitfuncs()  # they end servers that libraries have started
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(128 + _received[0])  # threads of libraries must not delay the end or change the code


@contextmanager
def explain_when_stopped(explain: Callable[[], str]) -> Iterator[None]:
    """Prints what was kept and how to go on if a signal ends the block."""
    try:
        yield
    except BaseException:
        if _received:
            name = NAMES.get(_received[0], _received[0].name)
            MessageConsole().print(visible(f"stopped by {name}: {explain()}"), markup=False, highlight=False)
        raise


@contextmanager
def stop_by_asyncio() -> Iterator[None]:
    """Leaves Ctrl-C to asyncio in the block: it ends all tasks in order, and then raises KeyboardInterrupt."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        _received.append(signal.SIGINT)
        raise


def stop_as_by_ctrl_c(number: signal.Signals) -> None:
    """Does for another signal what Ctrl-C does, and remembers which one it was."""
    _received.append(number)
    signal.raise_signal(signal.SIGINT)


def _stop(number: int, _frame: FrameType | None) -> None:
    _received.append(signal.Signals(number))
    for other in STOPPING_SIGNALS:
        if signal.getsignal(other) is _stop:
            signal.signal(other, signal.SIG_DFL)
    raise KeyboardInterrupt
