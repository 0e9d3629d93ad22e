import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from anomalylmm.errors import StoreBusyError, StoreError
from storage.disk.locks import waiting_lock, writer_lock

HOLDER = """
import sys, time
from pathlib import Path
from storage.disk.locks import writer_lock
with writer_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_can_be_taken_again_after_it_was_freed(tmp_path: Path) -> None:
    for _ in range(2):
        with writer_lock(tmp_path / "locks" / "hits.lock"):
            pass


def test_a_lock_that_was_lost_with_its_file_system_does_not_hide_the_error_of_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EBADFD, os.strerror(errno.EBADFD))

    def work() -> None:
        with writer_lock(tmp_path / "hits.lock"):
            monkeypatch.setattr(fcntl, "flock", fail)
            raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        work()


def test_a_second_writer_of_the_same_process_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hits.lock"
    with writer_lock(path), pytest.raises(StoreBusyError, match=f"process {os.getpid()} on .* since 20"):  # noqa: SIM117
        with writer_lock(path):
            pass


def test_a_lock_excludes_other_processes_and_ends_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "hits.lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreBusyError, match=f"process {holder.pid}"), writer_lock(path):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with writer_lock(path):
        pass


def test_a_killed_holder_is_not_mistaken_for_the_present_one(tmp_path: Path) -> None:
    path = tmp_path / "hits.lock"
    with subprocess.Popen(["true"]) as gone:
        pass
    with writer_lock(path):
        path.write_text(json.dumps({"pid": gone.pid, "host": os.uname().nodename, "since_utc": "2026"}))
        with pytest.raises(StoreBusyError, match=r"a process that has just taken hits\.lock"), writer_lock(path):
            pass


def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "hits.lock"
    read_end, write_end = os.pipe()
    with writer_lock(path):
        child = os.fork()
        if child == 0:
            os.read(read_end, 1)
            os._exit(0)
    with writer_lock(path):
        pass
    os.write(write_end, b"x")
    os.waitpid(child, 0)
    os.close(read_end)
    os.close(write_end)


@pytest.mark.parametrize("lock", [writer_lock, waiting_lock])
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_an_error_that_says_what_to_do(
    lock: Any, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with (
        pytest.raises(StoreError, match=r"Can't lock .*hits\.lock: .*mount it with locks \(NFS"),
        lock(tmp_path / "hits.lock"),
    ):
        pytest.fail("went on without a lock")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
