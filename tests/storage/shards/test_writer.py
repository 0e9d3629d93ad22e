import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalylmm.errors import ShapeError, ShardError, StoreBusyError, StoreError
from anomalylmm.records import CropRow
from storage.disk.layout import CROPS_FILE, INDEX_FILE, MANIFEST_FILE, StoreLayout, make_shard_id
from storage.shards import vectors
from storage.shards.manifest import ShardManifest, read_manifest
from storage.shards.reading import load_crops, load_tracklet, load_tracklets, read_tracklet_table
from storage.shards.schema import clean_text, crops_schema, rows_to_table, table_to_rows
from storage.shards.writer import repair_index, verify_shard
from storage.upkeep.maintenance import collect_garbage, verify_store
from tests.storage.examples import (
    DIMENSION,
    make_key,
    make_row,
    make_rows,
    make_video,
    open_writer,
    publish_shard,
    unit_vectors,
)

SHARD_POINTS = [f"shard.{name}" for name in ("crops_written", "index_written", "manifest_written", "renamed")]


def same(first: CropRow, second: CropRow) -> bool:
    names = [name for name in CropRow.__slots__ if name != "vector"]
    return all(getattr(first, name) == getattr(second, name) for name in names) and bool(
        np.array_equal(first.vector, second.vector)
    )


@given(st.integers(0, 5), st.text(), st.binary(max_size=50), st.floats(allow_nan=False, allow_infinity=False))
def test_rows_survive_conversion_to_a_table_and_back(number: int, camera: str, jpeg: bytes, score: float) -> None:
    rows = make_rows("a", unit_vectors(number), camera=camera)
    rows = [CropRow(**{**{n: getattr(r, n) for n in CropRow.__slots__}, "jpeg": jpeg, "score": score}) for r in rows]
    back = table_to_rows(rows_to_table(rows, crops_schema(DIMENSION)))
    assert len(back) == number
    assert all(same(first, second) for first, second in zip(rows, back, strict=True))


def test_a_file_name_that_is_not_utf8_can_be_stored() -> None:
    assert clean_text(os.fsdecode(b"a\xff.mp4")) == r"a\xff.mp4"
    assert clean_text("\u00e9 \U0001f600") == "\u00e9 \U0001f600"


def test_a_vector_of_another_size_is_refused(layout: StoreLayout) -> None:
    with open_writer(layout, make_key("a")) as writer:
        writer.append([make_row("a", np.zeros(DIMENSION + 1, np.float32))])
        with pytest.raises(ShapeError, match=r"vector must have shape \(8,\)"):
            writer.publish([make_video("a")], seconds=0.0)


def test_a_crop_appended_twice_is_refused(layout: StoreLayout) -> None:
    row = make_row("a", unit_vectors(1)[0])
    with open_writer(layout, make_key("a")) as writer, pytest.raises(ShardError, match="twice"):
        writer.append([row, row])


def test_the_crops_of_a_published_shard_can_be_read(layout: StoreLayout) -> None:
    camera = "../x\n'"
    rows = make_rows("a", unit_vectors(600), camera=camera)
    manifest = publish_shard(layout, "a", rows, camera=camera)
    directory = layout.shard_dir(manifest.key)
    assert verify_shard(directory, deep=True) == []
    assert (manifest.rows, manifest.num_tracklets, manifest.key.camera) == (600, 200, camera)
    assert read_manifest(directory) == manifest
    loaded = load_crops(directory, ["a-0599", "a-0000", "a-0300"])
    assert all(same(first, second) for first, second in zip(loaded, (rows[599], rows[0], rows[300]), strict=True))
    assert [row.crop_id for row in load_tracklet(directory, "a-t85")] == ["a-0255", "a-0256", "a-0257"]
    several = load_tracklets(directory, ["a-t85", "unknown", "a-t2"])
    assert list(several) == ["a-t85", "unknown", "a-t2"]
    assert several["unknown"] == []
    for name in ("a-t85", "a-t2"):
        assert all(same(*pair) for pair in zip(several[name], load_tracklet(directory, name), strict=True))
    assert read_tracklet_table(directory).num_rows == 200
    with pytest.raises(ShardError, match="nothing"):
        load_crops(directory, ["nothing"])


def test_a_tracklet_of_two_videos_is_one_row_that_begins_in_the_first(layout: StoreLayout) -> None:
    first, _, later = make_rows("a", unit_vectors(3))
    place = {"video_id": "a-second", "pts_seconds": 0.0, "tracklet_start_seconds": 0.0, "tracklet_num_detections": 4}
    manifest = publish_shard(layout, "a", [replace(later, **place), first])  # type: ignore[arg-type]
    directory = layout.shard_dir(manifest.key)
    assert [row.crop_id for row in load_tracklet(directory, "a-t0")] == [first.crop_id, later.crop_id]
    [row] = read_tracklet_table(directory).to_pylist()
    assert (row["video_id"], row["start_seconds"], row["stop_seconds"]) == ("video-a", 0.0, 2.0)
    assert (row["num_detections"], row["num_crops"]) == (7, 2)
    assert (row["first_crop_utc"], row["last_crop_utc"]) == (first.wall_clock_utc, later.wall_clock_utc)


def test_rows_are_written_in_groups(layout: StoreLayout) -> None:
    manifest = publish_shard(layout, "a", make_rows("a", unit_vectors(600)))
    metadata = pa.parquet.ParquetFile(layout.shard_dir(manifest.key) / CROPS_FILE).metadata
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [256, 256, 88]


def test_a_shard_without_persons_is_valid(layout: StoreLayout) -> None:
    manifest = publish_shard(layout, "a", [])
    assert verify_shard(layout.shard_dir(manifest.key), deep=True) == []
    assert manifest.rows == 0
    assert [video.video_id for video in manifest.videos] == ["video-a"]


def test_leaving_without_publishing_leaves_nothing(layout: StoreLayout) -> None:
    with open_writer(layout, make_key("a")) as writer:
        writer.append(make_rows("a", unit_vectors(300)))
    assert list(layout.temporary.iterdir()) == []
    assert list(layout.shards.iterdir()) == []


@pytest.mark.parametrize("point", SHARD_POINTS)
def test_an_error_while_publishing_leaves_a_complete_shard_or_none(
    layout: StoreLayout, point: str, failing: list[str]
) -> None:
    failing.append(point)
    with pytest.raises(KeyboardInterrupt):
        publish_shard(layout, "a", make_rows("a", unit_vectors(5)))
    report = verify_store(layout, deep=True)
    assert report.is_clean
    assert report.num_shards == (1 if point == "shard.renamed" else 0)
    assert list(layout.temporary.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from storage.disk import crashpoints
from storage.disk.layout import StoreLayout
from tests.storage.examples import make_rows, publish_shard, unit_vectors
crashpoints.hooks.append(lambda name: name == sys.argv[2] and os.kill(os.getpid(), signal.SIGKILL))
publish_shard(StoreLayout(Path(sys.argv[1])), "a", make_rows("a", unit_vectors(5)))
"""


@pytest.mark.parametrize("point", SHARD_POINTS)
def test_a_killed_publish_loses_nothing_and_can_be_resumed(layout: StoreLayout, point: str) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(layout.root), point], check=False)
    assert ended.returncode == -9
    assert verify_store(layout, deep=True).is_clean
    publish_shard(layout, "a", make_rows("a", unit_vectors(5)))
    collect_garbage(layout, grace_seconds=0.0)
    report = verify_store(layout, deep=True)
    assert (report.num_shards, report.num_crops, report.orphans) == (1, 5, ())


def test_garbage_collection_leaves_a_running_writer_alone(layout: StoreLayout) -> None:
    with open_writer(layout, make_key("a")) as writer:
        writer.append(make_rows("a", unit_vectors(3)))
        assert collect_garbage(layout, grace_seconds=0.0).removed == ()
        writer.publish([make_video("a")], seconds=0.0)
    assert verify_store(layout, deep=True).num_shards == 1


def test_garbage_collection_waits_for_the_grace_period(layout: StoreLayout) -> None:
    left = layout.temporary / "left"
    left.mkdir()
    (left / "crops.parquet").write_bytes(b"12345")
    waiting = collect_garbage(layout)
    assert (waiting.removed, waiting.left, waiting.num_bytes_left) == ((), (left,), 5)
    done = collect_garbage(layout, grace_seconds=0.0)
    assert (done.removed, done.left) == ((left,), ())


def test_publishing_a_key_again_keeps_the_first_shard(layout: StoreLayout) -> None:
    first = publish_shard(layout, "a", make_rows("a", unit_vectors(5)))
    second = publish_shard(layout, "a", make_rows("a", unit_vectors(7)))
    assert second == first
    assert list(layout.temporary.iterdir()) == []


def publish_new(layout: StoreLayout, planned: str, names: Sequence[str]) -> ShardManifest:
    with open_writer(layout, make_key(planned)) as writer:
        for name in names:
            writer.append(make_rows(name, unit_vectors(3)))
        return writer.publish_new([make_video(name) for name in names], seconds=0.0)


def test_a_shard_id_depends_on_its_videos_and_not_on_the_plan(layout: StoreLayout, tmp_path: Path) -> None:
    other = StoreLayout(tmp_path / "other")
    first, second = publish_new(layout, "planned-with-a-broken-one", "ab"), publish_new(other, "planned", "ba")
    assert first.key.shard_id == second.key.shard_id == make_shard_id(["video-a", "video-b"], "p1")
    assert verify_store(layout, deep=True).is_clean


def test_videos_published_by_another_run_are_not_published_twice(layout: StoreLayout) -> None:
    with open_writer(layout, make_key("slow")) as writer:
        writer.append(make_rows("a", unit_vectors(3)))
        first = publish_new(layout, "fast", "ab")
        assert writer.publish_new([make_video("a")], seconds=0.0) == first
    report = verify_store(layout, deep=True)
    assert (report.num_shards, report.num_crops) == (1, 6)


def test_a_run_must_be_repeated_if_another_has_published_some_of_its_videos(layout: StoreLayout) -> None:
    publish_new(layout, "fast", "a")
    with pytest.raises(StoreBusyError, match=r"published 1 of 2 videos of camera 'gate'.*'gate/a.mp4'\. Run again"):
        publish_new(layout, "slow", "ab")
    assert verify_store(layout, deep=True).num_crops == 3


def test_publishing_replaces_an_invalid_shard(layout: StoreLayout) -> None:
    manifest = publish_shard(layout, "a", make_rows("a", unit_vectors(5)))
    (layout.shard_dir(manifest.key) / CROPS_FILE).write_bytes(b"broken")
    assert publish_shard(layout, "a", make_rows("a", unit_vectors(6))).rows == 6
    assert verify_store(layout, deep=True).is_clean
    assert len(list(layout.temporary.glob("a.invalid.*"))) == 1


def test_a_rename_that_fails_publishes_nothing(layout: StoreLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StoreError, match=r"No space left on device. Free space"):
        publish_shard(layout, "a", make_rows("a", unit_vectors(5)))
    assert verify_store(layout, deep=True).num_shards == 0


def test_an_incompletely_written_index_is_not_published(layout: StoreLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    write_index = faiss.write_index

    def write_short(index: object, path: str) -> None:
        write_index(index, path)
        Path(path).write_bytes(Path(path).read_bytes()[:-4])

    monkeypatch.setattr(faiss, "write_index", write_short)
    with pytest.raises(StoreError, match=r"index\.faiss: the disk may be full"):
        publish_shard(layout, "a", make_rows("a", unit_vectors(5)))
    assert verify_store(layout, deep=True).num_shards == 0


def test_a_killed_repair_leaves_nothing_among_the_shards(layout: StoreLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = layout.shard_dir(publish_shard(layout, "a", make_rows("a", unit_vectors(5))).key)
    (directory / INDEX_FILE).write_bytes(b"broken")
    before = sorted(directory.iterdir())

    def end(path: Path) -> None:
        assert path.is_file()
        raise KeyboardInterrupt

    monkeypatch.setattr(vectors, "fsync_path", end)
    with pytest.raises(KeyboardInterrupt):
        repair_index(layout, directory)
    assert sorted(directory.iterdir()) == before
    collect_garbage(layout, grace_seconds=0.0)
    assert list(layout.temporary.iterdir()) == []


@pytest.mark.parametrize("name", [CROPS_FILE, INDEX_FILE, MANIFEST_FILE])
def test_one_changed_byte_is_found(layout: StoreLayout, name: str) -> None:
    path = layout.shard_dir(publish_shard(layout, "a", make_rows("a", unit_vectors(5))).key) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (problem,) = verify_shard(path.parent, deep=True)
    assert problem.file == name


@pytest.mark.parametrize("name", [CROPS_FILE, INDEX_FILE, MANIFEST_FILE])
def test_a_truncated_or_missing_file_is_found_without_reading_it_all(layout: StoreLayout, name: str) -> None:
    path = layout.shard_dir(publish_shard(layout, "a", make_rows("a", unit_vectors(5))).key) / name
    path.write_bytes(path.read_bytes()[:-10])
    assert [problem.file for problem in verify_shard(path.parent, deep=False)] == [name]
    path.unlink()
    assert [problem.file for problem in verify_shard(path.parent, deep=False)] == [name]


def test_a_shard_that_was_moved_is_found(layout: StoreLayout) -> None:
    directory = layout.shard_dir(publish_shard(layout, "a", []).key)
    directory.rename(directory.with_name("b"))
    (problem,) = verify_shard(directory.with_name("b"), deep=False)
    assert "it belongs in" in problem.message


def test_another_schema_version_is_refused_with_a_remedy(layout: StoreLayout) -> None:
    path = layout.shard_dir(publish_shard(layout, "a", []).key) / MANIFEST_FILE
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "schema_version": 99}))
    with pytest.raises(StoreError, match=r"Schema version is 99.*newer anomalylmm"):
        read_manifest(path.parent)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"schema_version": 1}', '{"schema_version": 3, "rows": NaN}', "[" * 100_000]
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST_FILE).write_text(text)
    with pytest.raises(StoreError):
        read_manifest(tmp_path)
