from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from anomalylmm.errors import LostClaimError
from anomalylmm.records import Video
from flows.index.planning import Unit
from flows.index.sharing import leave_out_published, run_shared
from flows.index.units.unit import UnitReport
from flows.runs.progress import Silence
from storage.disk.claims import Claim, Holder, hold, iter_claims, revoke
from storage.disk.files import unique_name
from storage.disk.layout import StoreLayout, make_shard_id
from tests.storage.examples import NOON, PIPELINE, make_key, make_rows, make_video, open_writer, unit_vectors

LEASE_SECONDS = 0.2


def make_unit(names: str, camera: str = "gate") -> Unit:
    videos = [
        Video(
            video_id=f"video-{name}",
            path=f"gate/{name}.mp4",
            camera=camera,
            size_bytes=1000,
            start_utc=NOON + timedelta(minutes=index),
            clock_source="path_pattern",
            time_zone="UTC",
        )
        for index, name in enumerate(names)
    ]
    return Unit(camera=camera, date="2026-03-01", videos=tuple(videos))


def publish(layout: StoreLayout, names: str, camera: str = "gate") -> str:
    """Publishes as an index run does; returns the name of the claim."""
    key = make_key(make_shard_id([f"video-{name}" for name in names], PIPELINE), camera=camera)
    with open_writer(layout, key) as writer, hold(layout, PIPELINE, writer.directory) as claim:
        assert claim.take([f"video-{name}" for name in names], camera, key.date) is None
        for name in names:
            writer.append(make_rows(name, unit_vectors(2)))
        writer.publish_new([make_video(name) for name in names], seconds=0.0)
        return claim.folder.name


@dataclass
class Run:
    """An index run whose units cost nothing; what others hold is put off."""

    layout: StoreLayout
    done: list[str] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)

    def __call__(self, units: Sequence[Unit]) -> list[UnitReport]:
        self.rounds.append(len(units))
        return [self._index(unit) for unit in units]

    def _index(self, unit: Unit) -> UnitReport:
        folder = self.layout.temporary / unique_name("unit")
        folder.mkdir()
        with hold(self.layout, PIPELINE, folder, LEASE_SECONDS) as claim:
            holder = claim.take(video.video_id for video in unit.videos)
            if holder:
                return UnitReport.without_work(unit, held_by=str(holder))
            self.done += [video.path for video in leave_out_published(self.layout, PIPELINE, unit).videos]
        folder.rmdir()
        return UnitReport.without_work(unit)

    def share(self, *units: Unit) -> list[UnitReport]:
        return run_shared(self, units, self.layout, PIPELINE, LEASE_SECONDS, Silence())


@pytest.fixture
def layout(tmp_path: Path) -> StoreLayout:
    store = StoreLayout(tmp_path / "store")
    store.create()
    return store


@pytest.fixture
def other(layout: StoreLayout, monkeypatch: pytest.MonkeyPatch) -> "Callable[[str], Claim]":
    """Lets a run on another machine, which shows no sign of life, claim videos."""
    monkeypatch.setattr(Holder, "has_surely_ended", False)
    monkeypatch.setattr(Claim, "beat", lambda _: None)
    resources = ExitStack()

    def claim(names: str) -> Claim:
        folder = layout.temporary / f"other.{names}"
        folder.mkdir()
        taken = resources.enter_context(hold(layout, PIPELINE, folder))
        assert taken.take(f"video-{name}" for name in names) is None
        return taken

    return claim


def test_units_that_nobody_holds_are_run_once(layout: StoreLayout) -> None:
    run = Run(layout)
    assert len(run.share(make_unit("ab"), make_unit("c"))) == 2
    assert (run.rounds, run.done) == ([2], ["gate/a.mp4", "gate/b.mp4", "gate/c.mp4"])


def test_a_unit_of_a_dead_machine_is_taken_over_after_the_others(
    layout: StoreLayout, other: Callable[[str], Claim]
) -> None:
    late, run = other("b"), Run(layout)
    reports = run.share(make_unit("ab"), make_unit("c"))
    assert [report.held_by for report in reports] == ["", ""]
    assert (run.rounds, run.done) == ([2, 1], ["gate/c.mp4", "gate/a.mp4", "gate/b.mp4"])
    assert not late.folder.exists()


def test_what_another_run_finishes_meanwhile_is_not_indexed_again(
    layout: StoreLayout, other: Callable[[str], Claim], monkeypatch: pytest.MonkeyPatch
) -> None:
    late, run = other("a"), Run(layout)

    def finish(_: float) -> None:
        late.withdraw()
        late.folder.rmdir()
        publish(layout, "a")

    monkeypatch.setattr("flows.index.sharing.time", SimpleNamespace(sleep=finish))
    run.share(make_unit("ab"))
    assert (run.rounds, run.done) == ([1, 1], ["gate/b.mp4"])


def test_a_run_that_reads_another_camera_from_the_path_sees_what_was_published(layout: StoreLayout) -> None:
    publish(layout, "ab", camera="door")
    assert [video.path for video in leave_out_published(layout, PIPELINE, make_unit("abc")).videos] == ["gate/c.mp4"]


def test_claims_are_removed_when_their_run_has_ended(layout: StoreLayout) -> None:
    def run(units: Sequence[Unit]) -> list[UnitReport]:
        assert publish(layout, "a") == next(iter_claims(layout, PIPELINE)).folder
        return [UnitReport.without_work(unit) for unit in units]

    run_shared(run, [make_unit("a")], layout, PIPELINE, LEASE_SECONDS, Silence())
    assert len(list(iter_claims(layout, PIPELINE))) == 1  # of another run

    def own(units: Sequence[Unit]) -> list[UnitReport]:
        claim = publish(layout, "b")
        return [UnitReport.without_work(unit, claim=claim) for unit in units]

    run_shared(own, [make_unit("b")], layout, PIPELINE, LEASE_SECONDS, Silence())
    assert [sorted(claim.items) for claim in iter_claims(layout, PIPELINE)] == [["video-a"]]


def test_a_writer_that_was_taken_over_publishes_nothing(layout: StoreLayout, other: Callable[[str], Claim]) -> None:
    with open_writer(layout, make_key("late")) as writer, hold(layout, PIPELINE, writer.directory) as claim:
        claim.take(["video-a"], "gate", "2026-03-01")
        writer.append(make_rows("a", unit_vectors(2)))
        finish = writer._finish

        def pause(*given: object) -> object:
            manifest = finish(*given)  # type: ignore[arg-type]
            revoke(layout, next(iter_claims(layout, PIPELINE)))
            publish(layout, "ab")
            return manifest

        writer._finish = pause  # type: ignore[assignment, method-assign]
        with pytest.raises(LostClaimError, match="Another run has taken over"):
            writer.publish_new([make_video("c")], seconds=0.0)
    shards = [path.name for path in (layout.shards / PIPELINE / "gate" / "2026-03-01").iterdir()]
    assert shards == [make_shard_id(["video-a", "video-b"], PIPELINE)]
