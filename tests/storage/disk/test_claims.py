import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from anomalylmm.errors import LostClaimError, StoreError
from storage.disk import claims
from storage.disk.claims import Claim, Holder, Watch, forget, hold, is_open, iter_claims, revoke
from storage.disk.files import guarded, unique_name
from storage.disk.layout import StoreLayout
from storage.disk.orphans import iter_old_claims, iter_orphans

AREA = "p1"


@contextmanager
def holding(layout: StoreLayout, *items: str) -> Iterator[Claim]:
    folder = layout.temporary / unique_name("unit")
    folder.mkdir()
    with hold(layout, AREA, folder) as claim:
        assert claim.take(items, "gate", "2026-03-01") is None
        yield claim


def take(layout: StoreLayout, *items: str) -> Holder | None:
    folder = layout.temporary / unique_name("unit")
    folder.mkdir()
    with hold(layout, AREA, folder) as claim:
        return claim.take(items)


@pytest.fixture
def as_foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets claims look as if another machine had made them, of which this one can't tell whether it runs."""
    monkeypatch.setattr(Holder, "has_surely_ended", False)


def test_items_of_another_holder_are_not_given_even_if_the_rest_is_free(layout: StoreLayout) -> None:
    with holding(layout, "a", "b"):
        holder = take(layout, "b", "c")
        assert holder is not None
        assert str(holder).startswith(f"process {os.getpid()} on '{os.uname().nodename}' since 20")
        with holding(layout, "c", "d"):
            pass
    with holding(layout, "b"):
        pass


def test_what_was_refused_leaves_no_claim(layout: StoreLayout) -> None:
    with holding(layout, "a"):
        take(layout, "a", "b")
        assert [claim.items for claim in iter_claims(layout, AREA)] == [{"a"}]


def test_the_claim_of_a_published_folder_stays_until_it_is_forgotten(layout: StoreLayout) -> None:
    with holding(layout, "a") as claim:
        claim.folder.rename(layout.shards / "published")
    (left,) = iter_claims(layout, AREA)
    assert not is_open(layout, left)
    assert (left.camera, left.date) == ("gate", "2026-03-01")
    assert list(iter_old_claims(layout)) == []
    os.utime(claim.path, (1, 1))
    assert list(iter_old_claims(layout)) == [claim.path]
    forget(layout, AREA, [left.folder])
    assert list(iter_claims(layout, AREA)) == []


@pytest.mark.usefixtures("as_foreign")
def test_who_was_taken_over_can_publish_neither_its_folder_nor_a_file_in_it(layout: StoreLayout) -> None:
    with holding(layout, "a") as late:
        (late.folder / "file").write_text("late", encoding="utf-8")
        (holder,) = iter_claims(layout, AREA)
        revoke(layout, holder)
        for path in (late.folder / "file", late.folder):
            with pytest.raises(LostClaimError, match="another run has taken over its work"), late.guard():  # noqa: SIM117
                with guarded("publish", path):
                    path.rename(layout.shards / "published")
        assert take(layout, "a") is None
    assert list(layout.shards.iterdir()) == []


@pytest.mark.usefixtures("as_foreign")
def test_one_that_is_late_does_not_remove_the_claim_of_its_successor(layout: StoreLayout) -> None:
    with holding(layout, "a") as late:
        revoke(layout, next(iter_claims(layout, AREA)))
        late.beat()
        assert late.lost.is_set()
        with holding(layout, "a") as successor:
            late.withdraw()
            assert take(layout, "a") is not None
            successor.check()


def test_errors_of_a_folder_that_is_there_keep_their_reason(layout: StoreLayout) -> None:
    with holding(layout, "a") as claim, pytest.raises(StoreError, match="no space"), claim.guard():
        raise StoreError("no space")


def test_a_store_that_is_out_of_reach_is_not_taken_for_lost(
    layout: StoreLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> bool:
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))

    with holding(layout, "a") as claim:
        with monkeypatch.context() as cut:
            cut.setattr(Path, "exists", fail)
            with pytest.raises(StoreError, match="not connected") as raised:
                claim.check()
        assert not isinstance(raised.value, LostClaimError)
        claim.check()


@pytest.mark.usefixtures("as_foreign")
def test_a_holder_is_dead_after_a_lease_without_change_and_several_looks(layout: StoreLayout) -> None:
    clock = [0.0]
    watch = Watch(layout, 8.0, now=lambda: clock[0])
    with holding(layout, "a") as claim:
        (holder,) = iter_claims(layout, AREA)
        seen = []
        for second in (0, 2, 4, 6, 8):
            clock[0] = second
            seen.append(watch.look(holder))
        assert seen == ["unknown"] * 4 + ["dead"]
        os.utime(claim.folder, (1, 1))  # a clock that is years behind is a sign of life too
        assert watch.look(holder) == "alive"
        clock[0] = 1000.0  # the observer was paused: one look is not enough
        assert watch.look(holder) == "unknown"
        revoke(layout, holder)
        assert watch.look(holder) == "ended"


@pytest.mark.usefixtures("as_foreign")
def test_a_heartbeat_shows_that_a_holder_is_alive(layout: StoreLayout) -> None:
    watch = Watch(layout, 100.0)
    with holding(layout, "a") as claim:
        (holder,) = iter_claims(layout, AREA)
        assert watch.look(holder) == "unknown"
        time.sleep(0.02)
        claim.beat()
        assert watch.look(holder) == "alive"


def test_a_process_that_has_ended_here_is_taken_over_at_once(layout: StoreLayout) -> None:
    code = (
        "import os, sys; from pathlib import Path; from storage.disk.claims import Claim\n"
        "from storage.disk.layout import StoreLayout\n"
        "layout = StoreLayout(Path(sys.argv[1])); folder = layout.temporary / 'unit.killed'; folder.mkdir()\n"
        "assert Claim(layout, 'p1', folder).take(['a']) is None; os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(layout.root)], check=True)
    assert (layout.temporary / "unit.killed").is_dir()
    assert take(layout, "a") is None
    assert not (layout.temporary / "unit.killed").exists()


def test_a_process_that_is_paused_here_is_not_taken_for_ended(layout: StoreLayout) -> None:
    paused = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        with holding(layout, "a"):
            (own,) = iter_claims(layout, AREA)
        paused.send_signal(signal.SIGSTOP)
        other = replace(own, pid=paused.pid, process=claims._process_of(paused.pid))
        assert not other.has_surely_ended
        assert replace(other, process="1").has_surely_ended  # a later process with the same id
        assert not replace(other, boot="another", host="elsewhere").has_surely_ended
    finally:
        paused.kill()
        paused.wait()
    assert other.has_surely_ended


@pytest.mark.usefixtures("as_foreign")
def test_the_folder_of_a_claim_is_no_orphan_for_a_day(layout: StoreLayout, tmp_path: Path) -> None:
    with holding(layout, "a") as claim:
        (layout.temporary / "plain").mkdir()
        assert [path.name for path in iter_orphans(layout, 0.0)] == ["plain"]
        two_days_ago = time.time() - 2 * 86400
        os.utime(claim.folder, (two_days_ago, two_days_ago))
        assert {path.name for path in iter_orphans(layout, 0.0)} == {"plain", claim.folder.name}
