"""How a program ends on Ctrl-C and SIGTERM."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.signals import hear_ctrl_c

ROOT = Path(__file__).parents[3]
PROGRAM = """
import atexit, subprocess, sys, time
from flows.runs.progress import TerminalProgress
from flows.runs.stopping import end_in_order, exit_when_stopped, explain_when_stopped
end_in_order()
atexit.register(print, "server ended")
with exit_when_stopped(), explain_when_stopped(lambda: "one is kept"), TerminalProgress() as progress:
    progress.start("work", 3)
    try:
        print("ready", flush=True)
        time.sleep(60)
    {handler}
    progress.advance("work", 1)
    time.sleep(60)
"""


def start(handler: str) -> subprocess.Popen[str]:
    """Starts a program that works for two minutes."""
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(handler=handler)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_ctrl_c,  # noqa: PLW1509 - it takes no lock that a thread could hold
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    return program


@pytest.mark.parametrize(("number", "code", "name"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")])
@pytest.mark.parametrize(
    "handler",
    [
        "finally:\n        pass",
        "except KeyboardInterrupt as e:\n        raise ImportError from e",
        "except BaseException: pass",
    ],
    ids=["plain", "turned into another error", "swallowed by a library"],
)
def test_a_stopped_program_says_what_was_kept_and_exits_with_its_code(
    number: signal.Signals, code: int, name: str, handler: str
) -> None:
    with start(handler) as program:
        began = time.monotonic()
        program.send_signal(number)
        output = program.communicate(timeout=30)
        assert time.monotonic() - began < 20
    assert (program.returncode, output) == (code, ("server ended\n", f"stopped by {name}: one is kept\n"))


def test_a_second_signal_ends_the_program_at_once() -> None:
    with start("finally:\n        print('ending', flush=True); time.sleep(60)") as program:
        program.send_signal(signal.SIGTERM)
        assert program.stdout is not None
        assert program.stdout.readline() == "ending\n"
        program.send_signal(signal.SIGTERM)
        assert program.wait(timeout=30) == -signal.SIGTERM


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    program = """
import signal
from flows.runs.stopping import end_in_order
signal.signal(signal.SIGHUP, signal.SIG_IGN)
end_in_order()
print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)
"""
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "True\n"
