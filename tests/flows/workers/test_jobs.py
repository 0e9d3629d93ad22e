"""One unit on its way to a worker, and what the worker refuses."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from anomalylmm.errors import EngineError
from flows.index.indexing import build_plan
from flows.workers import jobs
from flows.workers.jobs import UnitJob, build_jobs, report_lost, work_on
from storage.disk.layout import StoreLayout
from tests.drawn import BROKEN, SmallComposition, compose_small, write_archive


@pytest.fixture
def composition(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallComposition]:
    """Stand-ins that a worker finds, too."""
    small = compose_small(cameras=[{"name": "elsewhere", "tiles": 2}])
    monkeypatch.setattr(jobs, "open_composition", lambda settings: small)
    jobs._load_once.cache_clear()
    yield small
    jobs._load_once.cache_clear()


@pytest.fixture
def job(composition: SmallComposition, tmp_path: Path) -> UnitJob:
    layout, archive = StoreLayout(tmp_path / "store"), write_archive(tmp_path / "archive")
    layout.create()
    units = [unit for unit in build_plan(composition, layout, archive).units if unit.videos[0].path != BROKEN]
    return build_jobs(composition, layout, archive, units)[0]


def test_a_job_survives_the_way_as_text_whatever_its_names_are(job: UnitJob) -> None:
    video = replace(job.unit.videos[0], path="gate/\udcff\u2028\x00.mp4", grown_from=("a", "b"))
    odd = replace(job, unit=replace(job.unit, camera="caf\udce9", videos=(video,)))
    text = odd.to_text()
    assert text.isascii()
    assert UnitJob.from_text(text) == odd
    assert UnitJob.from_text(text).key == odd.key != job.key
    assert odd.name == f"caf\\xe9 {job.unit.date}"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"settings": {"nonsense": 1}}', '{"settings": {}, "unit": {}}', "1"])
def test_a_text_that_is_no_job_is_refused(text: str) -> None:
    with pytest.raises(EngineError, match="no unit of an index run"):
        UnitJob.from_text(text)


def test_a_worker_makes_the_shard_of_its_unit_and_doing_it_again_changes_nothing(job: UnitJob) -> None:
    first, second = work_on(job), work_on(job)
    shards = list(Path(job.store).glob("shards/*/*/*/*"))
    assert [path.name for path in shards] == [first.shard_id]
    assert second.num_videos == 0
    assert second.notes[0].endswith("2 videos were indexed by another run meanwhile")


def test_a_worker_that_sees_another_store_does_nothing(job: UnitJob, tmp_path: Path) -> None:
    for store in (tmp_path / "missing", tmp_path):
        with pytest.raises(EngineError, match="does not see the store of this run"):
            work_on(replace(job, store=str(store)))
    assert not (tmp_path / "missing").exists()


def test_a_worker_without_the_archive_quarantines_nothing(job: UnitJob, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    before = sorted(Path(job.store).rglob("quarantine/*/*"))
    for archive in (tmp_path / "empty", tmp_path / "missing"):
        with pytest.raises(EngineError, match="does not see the archive of this run"):
            work_on(replace(job, archive=str(archive)))
    assert sorted(Path(job.store).rglob("quarantine/*/*")) == before


def test_a_worker_with_other_models_does_nothing(job: UnitJob) -> None:
    with pytest.raises(EngineError, match="other models, or another device"):
        work_on(replace(job, pipeline_digest="another"))
    assert not list(Path(job.store).glob("shards/*"))


def test_a_lost_unit_names_its_videos_as_not_read(job: UnitJob) -> None:
    report = report_lost(job, "its workers died")
    assert [item.path for item in report.unreadable] == [video.path for video in job.unit.videos]
    assert {item.coverage for item in report.unreadable} == {0.0}
    assert not report.shard_id
    assert json.loads(job.to_text())["unit"]["camera"] == report.camera
