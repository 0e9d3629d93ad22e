"""A writer that is paused past its lease, as a machine that sleeps or is cut off: it publishes nothing any more."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from storage.disk.claims import Watch, is_open, iter_claims, revoke
from storage.disk.layout import StoreLayout
from storage.upkeep.maintenance import verify_store
from tests.storage.examples import PIPELINE

LEASE_SECONDS = 0.8
WRITER = """
import sys
from pathlib import Path
from anomalylmm.errors import LostClaimError
from storage.disk.claims import hold
from storage.disk.layout import StoreLayout
from tests.storage.examples import PIPELINE, make_key, make_rows, make_video, open_writer, unit_vectors
layout, names = StoreLayout(Path(sys.argv[1])), sys.argv[2]
with open_writer(layout, make_key("planned")) as writer, hold(layout, PIPELINE, writer.directory, 0.8) as claim:
    holder = claim.take([f"video-{name}" for name in names], "gate", "2026-03-01")
    if holder:
        sys.exit(f"held by {holder}")
    for name in names:
        writer.append(make_rows(name, unit_vectors(3)))
    print("claimed", flush=True)
    sys.stdin.readline()
    try:
        with claim.guard():
            writer.publish_new([make_video(name) for name in names], seconds=0.0)
    except LostClaimError as error:
        sys.exit(str(error))
"""


def start(store: Path, names: str) -> "subprocess.Popen[str]":
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", WRITER, str(store), names], text=True, **pipes)


def finish(writer: "subprocess.Popen[str]") -> tuple[int, str]:
    _, errors = writer.communicate("\n", timeout=60)
    return writer.returncode, errors


def test_a_writer_that_is_paused_past_its_lease_publishes_nothing(tmp_path: Path) -> None:
    layout = StoreLayout(tmp_path)
    layout.create()
    late = start(tmp_path, "ab")
    try:
        assert late.stdout is not None
        assert late.stdout.readline() == "claimed\n"
        assert "held by process" in finish(start(tmp_path, "bc"))[1]
        late.send_signal(signal.SIGSTOP)
        (holder,) = iter_claims(layout, PIPELINE)
        watch = Watch(layout, LEASE_SECONDS)
        while watch.look(holder) != "dead":
            time.sleep(watch.pause_seconds)
        revoke(layout, holder)
        assert finish(start(tmp_path, "bc")) == (0, "")  # groups the videos in another way
        late.send_signal(signal.SIGCONT)
        code, message = finish(late)
    finally:
        late.kill()
        late.wait()
    assert code == 1
    assert message.startswith("This run showed no sign of life for too long")
    report = verify_store(layout, deep=True)
    assert (report.num_shards, report.num_crops, report.problems) == (1, 6, ())
    assert not is_open(layout, holder)
