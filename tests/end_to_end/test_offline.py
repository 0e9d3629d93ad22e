"""Nothing leaves the machine and nothing is noted about it: the commands in a fresh home, with all that they reach."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.demo_archive import SQUARE, cut_video
from tests.end_to_end.network_recorder import Recorder, build_recorder
from tests.signals import hear_ctrl_c

VIDEO_SECONDS = 4
SETTINGS = '[tracker]\nname = "botsort"\n'  # which brings ultralytics and torch, which nothing else here loads
QUERIES = '[[query]]\nname = "lying"\ntext = "a person lying on the ground"\n'
SENTENCE = "a man in an orange sweater lying on the ground"
EXPECTED = (".cache/anomalylmm/", ".prefect/")
SERVED = b"serving"
LATER_SECONDS = 3  # in which the server begins its services

JOB = """
from flows.cli import app
for arguments in {commands}:
    app(arguments, standalone_mode=False)
    print("ended")
"""
CONTROL = """
import contextlib, ctypes, socket
native = ctypes.CDLL(None)
native.gethostbyname(b"native.invalid")
native.res_query(b"resolver.invalid", 1, 1, None, 0)
def udp(): return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for attempt in (
    lambda: socket.getaddrinfo("one.invalid", 443),
    lambda: socket.gethostbyname_ex("two.invalid"),
    lambda: socket.gethostbyaddr("192.0.2.1"),
    lambda: socket.create_connection(("192.0.2.2", 443), 5),
    lambda: udp().sendto(b"x", ("192.0.2.3", 9)),
    lambda: udp().sendmsg([b"x"], [], 0, ("192.0.2.4", 9)),
    lambda: udp().connect(("127.0.0.53", 53)),
    lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 443)),
):
    with contextlib.suppress(OSError):
        attempt()
        print("let through", attempt)
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname()).close()
"""


def read_terminal(master: int, until: bytes = b"") -> bytes:
    """Reads what programs write to a terminal, up to some text or until all have closed it, which is an error here."""
    shown = b""
    with contextlib.suppress(OSError):
        while not until or until not in shown:
            shown += os.read(master, 1 << 16)
    return shown


def serve_for_a_moment(recorder: Recorder) -> str:
    """Serves the flows from a terminal, with the server that Prefect starts for it, and ends that by Ctrl-C."""
    master, terminal = os.openpty()  # Prefect greets and counts people who sit at one
    command = [sys.executable, "-m", "flows.cli", "serve"]
    with subprocess.Popen(
        command,
        cwd=recorder.folder,
        env=recorder.environment(),
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=hear_ctrl_c,  # noqa: PLW1509 - it takes no lock that a thread could hold
    ) as process:
        os.close(terminal)
        try:
            shown = read_terminal(master, SERVED)
            time.sleep(LATER_SECONDS)
        finally:
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the server gets it too
        shown += read_terminal(master)
    os.close(master)
    return shown.decode(errors="replace")


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    return build_recorder(tmp_path_factory.mktemp("offline"))


@pytest.fixture(scope="module")
def shown(recorder: Recorder) -> dict[str, str]:
    """What the commands printed; those that load the models run one after another in a process of their own."""
    cut_video(SQUARE, recorder.folder / "archive" / SQUARE, VIDEO_SECONDS)
    (recorder.folder / "queries.toml").write_text(QUERIES)
    (recorder.folder / "own.toml").write_text(SETTINGS)
    own = ("--settings", "own.toml", "--quiet")
    commands = [
        ["index", "archive", *own],
        ["sweep", "--queries", "queries.toml", *own],
        ["search", SENTENCE, *own],
    ]
    job = recorder.run("-c", JOB.format(commands=commands))
    return {"job": job, "doctor": recorder.run("-m", "flows.cli", "doctor"), "serve": serve_for_a_moment(recorder)}


def test_the_recorder_sees_every_way_out_and_closes_it(tmp_path: Path) -> None:
    recorder = build_recorder(tmp_path)
    assert recorder.run("-c", CONTROL) == ""
    *outside, own = recorder.read()
    assert [item.name for item in outside if item.is_outside] == [
        *("native.invalid", "resolver.invalid", "one.invalid", "two.invalid"),
        *("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "127.0.0.53", "2001:db8::1"),
    ]
    assert (own.what, own.name, own.is_outside) == ("connect", "127.0.0.1", False)


def test_no_command_looks_up_a_name_or_reaches_another_machine(recorder: Recorder, shown: dict[str, str]) -> None:
    noted = recorder.read()
    assert [item for item in noted if item.is_outside] == []
    assert any(item.what == "connect" for item in noted)  # `serve` and its server
    assert shown["job"].count("ended") == 3
    assert "Completed" in shown["job"]
    assert SERVED.decode() in shown["serve"], shown["serve"]
    assert "telemetry" not in shown["serve"]  # which Prefect's server names where it fails to note or send it


def test_nothing_is_noted_that_tells_this_machine_or_its_user_from_others(
    recorder: Recorder, shown: dict[str, str]
) -> None:
    files = [path.relative_to(recorder.home).as_posix() for path in recorder.home.rglob("*") if path.is_file()]
    assert [name for name in files if not name.startswith(EXPECTED) or "telemetry" in name] == []
    with sqlite3.connect(recorder.home / ".prefect/prefect.db") as database:
        assert "TELEMETRY_SESSION" not in {key for (key,) in database.execute("select key from configuration")}
    database.close()
    assert not list(recorder.scratch.rglob(".ses"))  # of ONNX Runtime
    (settings,) = recorder.scratch.rglob("Ultralytics/settings.json")
    assert json.loads(settings.read_text())["uuid"] == ""


def test_doctor_says_that_telemetry_is_off(shown: dict[str, str]) -> None:
    (line,) = [line for line in shown["doctor"].splitlines() if "telemetry" in line]
    assert line.startswith("ok   telemetry: off in ONNX Runtime, OpenVINO")
