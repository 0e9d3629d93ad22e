"""Indexing real video files with stand-in models."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from anomalylmm.errors import ArchiveError, StoreError
from flows.index.indexing import index_archive
from storage.disk.layout import StoreLayout
from storage.gallery.gallery import Gallery
from storage.shards.manifest import ShardManifest, VideoEntry
from storage.shards.writer import ShardWriter
from tests.fakes import compose, write_video


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    write_video(folder / "gate/2026-03-14/10-00-00.mp4", [("red", 0, 6), ("blue", 2, 5)])
    write_video(folder / "yard/2026-03-14/10-00-00.mp4", [("green", 1, 6)])
    return folder


def content(layout: StoreLayout) -> dict[Path, bytes]:
    return {path.relative_to(layout.root): path.read_bytes() for path in layout.shards.rglob("*") if path.is_file()}


def test_each_person_becomes_a_tracklet_with_its_camera_and_wall_clock(archive: Path, tmp_path: Path) -> None:
    layout = StoreLayout(tmp_path / "store")
    report = index_archive(compose(), layout, archive)
    assert report.state == "Completed"
    assert [(unit.camera, unit.num_tracklets) for unit in report.units] == [("gate", 2), ("yard", 1)]
    gallery = Gallery.open(layout, report.pipeline_digest)
    rows = [row for shard in gallery.shards for row in gallery_rows(gallery, shard.shard_id)]
    assert {row[0] for row in rows} == {"gate", "yard"}
    assert {row[1].isoformat()[:16] for row in rows} == {"2026-03-14T10:00"}


def gallery_rows(gallery: Gallery, shard_id: str) -> list[tuple[str, object]]:
    from storage.shards.reading import read_columns

    table = read_columns(gallery.shard(shard_id).directory, ["camera", "wall_clock_utc"])
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def test_a_second_run_writes_nothing(archive: Path, tmp_path: Path) -> None:
    layout = StoreLayout(tmp_path / "store")
    index_archive(compose(), layout, archive)
    before = content(layout)
    report = index_archive(compose(), layout, archive)
    assert (report.known, report.units) == (2, ())
    assert content(layout) == before


def test_shards_made_at_once_are_those_made_one_after_another(archive: Path, tmp_path: Path) -> None:
    made = []
    for number in (1, 2):
        layout = StoreLayout(tmp_path / f"store-{number}")
        report = index_archive(compose(shards={"at_once": number}), layout, archive)
        assert [unit.camera for unit in report.units] == ["gate", "yard"]
        crops = {path: data for path, data in content(layout).items() if path.name != "manifest.json"}
        made.append((report.pipeline_digest, crops))
    assert made[0] == made[1]


def test_where_one_shard_fails_the_others_end_and_nothing_half_done_stays(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = ShardWriter.publish_new

    def failing(writer: ShardWriter, videos: Sequence[VideoEntry], seconds: float) -> ShardManifest:
        if videos[0].path.startswith("yard"):
            raise StoreError("no room")
        return publish(writer, videos, seconds)

    monkeypatch.setattr(ShardWriter, "publish_new", failing)
    layout = StoreLayout(tmp_path / "store")
    with pytest.raises(StoreError, match="no room"):
        index_archive(compose(shards={"at_once": 2}), layout, archive)
    assert list(layout.temporary.iterdir()) == []
    monkeypatch.undo()
    assert index_archive(compose(shards={"at_once": 2}), layout, archive).state == "Completed"


def test_only_new_videos_are_indexed(archive: Path, tmp_path: Path) -> None:
    layout, mine = StoreLayout(tmp_path / "store"), tmp_path / "archive"
    write_video(mine / "gate/2026-03-14/10-00-00.mp4", [("red", 0, 6)])
    index_archive(compose(), layout, mine)
    write_video(mine / "gate/2026-03-14/11-00-00.mp4", [("blue", 0, 6)])
    report = index_archive(compose(), layout, mine)
    assert (report.known, int(report.total("num_videos"))) == (1, 1)


def test_other_parameters_make_another_pipeline_beside_the_old(archive: Path, tmp_path: Path) -> None:
    layout = StoreLayout(tmp_path / "store")
    first = index_archive(compose(), layout, archive)
    second = index_archive(compose(tracklets={"seconds_per_crop": 2.0}), layout, archive)
    assert first.pipeline_digest != second.pipeline_digest
    assert len(Gallery.open(layout, first.pipeline_digest).shards) == 2
    assert len(Gallery.open(layout, second.pipeline_digest).shards) == 2


def test_unreadable_videos_are_quarantined_and_cost_nothing_else(archive: Path, tmp_path: Path) -> None:
    layout, mine = StoreLayout(tmp_path / "store"), tmp_path / "archive"
    good = write_video(mine / "gate/2026-03-14/10-00-00.mp4", [("red", 0, 6)])
    (mine / "gate/2026-03-14/11-00-00.mp4").write_text("this is no video")
    (mine / "gate/2026-03-14/12-00-00.mp4").write_bytes(b"")
    (mine / "gate/2026-03-14/13-00-00.mp4").write_bytes(good.read_bytes()[:200])
    report = index_archive(compose(), layout, mine)
    assert report.state == "Degraded"
    assert {item.path[-12:-4] for item in report.unreadable} == {"11-00-00", "12-00-00", "13-00-00"}
    assert all(item.reason for item in report.unreadable)
    assert int(report.total("num_tracklets")) == 1
    again = index_archive(compose(), layout, mine)
    assert (again.quarantined, again.state) == (3, "Completed")
    retried = index_archive(compose(), layout, mine, retry=True)
    assert len(retried.unreadable) == 3


def test_a_folder_without_videos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no video"):
        index_archive(compose(), StoreLayout(tmp_path / "store"), tmp_path)


def test_a_store_under_a_file_is_refused_with_its_name(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="file"):
        index_archive(compose(), StoreLayout(tmp_path / "file" / "store"), archive)
