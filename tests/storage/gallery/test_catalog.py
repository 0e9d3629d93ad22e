"""Catalogs: a gallery opened through one can't be told from one that read every manifest."""

import os
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from anomalylmm.errors import StoreError
from storage.disk.layout import CROPS_FILE, INDEX_FILE, MANIFEST_FILE, StoreLayout
from storage.disk.locks import writer_lock
from storage.gallery import catalog, opening
from storage.gallery.catalog import Catalog, catalog_path, prune_catalogs
from storage.gallery.compacting import compact_store
from storage.gallery.gallery import Gallery
from storage.shards.manifest import ShardManifest, read_manifest
from storage.shards.writer import repair_index
from storage.upkeep.maintenance import collect_garbage, verify_store
from tests.storage.examples import PIPELINE, make_key, make_rows, make_video, open_writer, publish_shard, unit_vectors


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that a test has just written count as old."""
    monkeypatch.setattr(catalog, "SETTLE_SECONDS", 0.0)


@pytest.fixture
def names() -> list[str]:
    return ["a", "b", "c"]


@pytest.fixture
def filled(layout: StoreLayout, names: list[str]) -> StoreLayout:
    """A store of three shards whose catalog is written."""
    for name in names:
        publish_shard(layout, name, make_rows(name, unit_vectors(3)))
    Gallery.open(layout, PIPELINE)
    assert len(read_catalog(layout).entries) == len(names)
    return layout


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The shards whose manifests an opening has read."""
    seen: list[str] = []

    def note(directory: Path) -> ShardManifest:
        seen.append(directory.name)
        return read_manifest(directory)

    monkeypatch.setattr(opening, "read_manifest", note)
    return seen


def read_catalog(layout: StoreLayout) -> Catalog:
    return Catalog.open(catalog_path(layout, PIPELINE))


def shard_dir(layout: StoreLayout, name: str) -> Path:
    return layout.shard_dir(make_key(name))


def say(gallery: Gallery) -> dict[str, object]:
    """All that a gallery says of its shards."""
    return {
        "shards": [(shard.directory, shard.facts, shard.manifest) for shard in gallery.shards],
        "invalid": gallery.invalid,
        "videos": gallery.video_ids,
        "starts": [shard.first_start_utc for shard in gallery.shards],
        "indexes": [index.directory for index in gallery.indexes],
        "make": (gallery.encoder_id, gallery.dimension, gallery.num_crops, gallery.shard_ids),
    }


def assert_same(layout: StoreLayout) -> None:
    assert say(Gallery.open(layout, PIPELINE)) == say(Gallery.open(layout, PIPELINE, cataloged=False))


def test_what_did_not_change_is_not_read_again(filled: StoreLayout, read: list[str]) -> None:
    gallery = Gallery.open(filled, PIPELINE)
    assert gallery.video_ids == {"video-a", "video-b", "video-c"}
    (result,) = gallery.search(unit_vectors(1), 2)
    assert len(result) == 2
    assert read == []
    assert_same(filled)


@pytest.mark.parametrize(
    "change",
    [
        lambda directory: os.utime(directory / MANIFEST_FILE),
        lambda directory: (directory / MANIFEST_FILE).write_text((directory / MANIFEST_FILE).read_text() + " "),
        lambda directory: (directory / MANIFEST_FILE).unlink(),
        lambda directory: (directory / CROPS_FILE).unlink(),
        lambda directory: (directory / CROPS_FILE).write_bytes(b"short"),
        lambda directory: (directory / MANIFEST_FILE).chmod(0o600),
    ],
    ids=["touched", "longer", "without a manifest", "without crops", "cut", "another mode"],
)
def test_a_shard_that_changed_and_no_other_is_read_again(
    filled: StoreLayout, read: list[str], change: Callable[[Path], object]
) -> None:
    time.sleep(0.02)  # the file system's clock
    change(shard_dir(filled, "b"))
    Gallery.open(filled, PIPELINE)
    assert read == ["b"]
    assert_same(filled)


def test_an_edited_manifest_of_the_same_size_and_time_is_seen(filled: StoreLayout) -> None:
    path = shard_dir(filled, "b") / MANIFEST_FILE
    state, content = path.stat(), path.read_bytes()
    time.sleep(0.02)
    path.write_bytes(content.replace(b'"rows": 3', b'"rows": 4'))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    (invalid,) = Gallery.open(filled, PIPELINE).invalid
    assert "its own checksum" in invalid.problems[0].message
    assert_same(filled)


def test_a_lost_index_costs_no_reading(filled: StoreLayout, read: list[str]) -> None:
    (shard_dir(filled, "b") / INDEX_FILE).unlink()
    assert Gallery.open(filled, PIPELINE).shard_ids == ("a", "b", "c")
    assert read == []


def test_a_shard_that_was_published_just_now_is_not_kept_yet(
    filled: StoreLayout, monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    monkeypatch.setattr(catalog, "SETTLE_SECONDS", 60.0)
    publish_shard(filled, "d", make_rows("d", unit_vectors(3)))
    for _ in range(2):
        assert Gallery.open(filled, PIPELINE).shard_ids == ("a", "b", "c", "d")
    assert read == ["d", "d"]
    assert len(read_catalog(filled).entries) == 3


@pytest.mark.parametrize("name", ["two words", "", "line\nbreak"])
def test_videos_whose_ids_a_catalog_can_not_tell_are_read_each_time(layout: StoreLayout, name: str) -> None:
    with open_writer(layout, make_key("odd")) as writer:
        writer.publish([replace(make_video("odd"), video_id=name)], seconds=0.0)
    for _ in range(2):
        assert Gallery.open(layout, PIPELINE).video_ids == {name}
    assert not catalog_path(layout, PIPELINE).exists()


def test_a_manifest_comes_from_the_catalog_also_when_the_shard_is_gone(filled: StoreLayout) -> None:
    gallery = Gallery.open(filled, PIPELINE)
    wanted = read_manifest(shard_dir(filled, "b"))
    shard_dir(filled, "b").rename(filled.temporary / "gone")
    prune_catalogs(filled)
    assert gallery.shard("b").manifest == wanted
    assert Gallery.open(filled, PIPELINE).shard_ids == ("a", "c")


def _flip(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"\n",
        lambda content: b"[1]\n[]",
        lambda content: b"no catalog at all" * 1000,
        lambda content: content[:40],
        lambda content: content[: content.index(b"\n") + 50],
        lambda content: _flip(content, content.index(b"\n") + 20),
        lambda content: _flip(content, 20),
        lambda content: content.replace(b'"format_version": 1', b'"format_version": 2'),
        lambda content: content.replace(b'"pipeline": "p1"', b'"pipeline": "p2"'),
    ],
)
def test_a_useless_catalog_is_passed_over_and_written_anew(
    filled: StoreLayout, read: list[str], damage: Callable[[bytes], bytes]
) -> None:
    path = catalog_path(filled, PIPELINE)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert Gallery.open(filled, PIPELINE).shard_ids == ("a", "b", "c")
    assert sorted(read) == ["a", "b", "c"]
    assert path.read_bytes() == whole
    assert verify_store(filled, deep=True).is_clean


def test_any_flipped_bit_or_cut_gives_the_same_gallery(filled: StoreLayout) -> None:
    path = catalog_path(filled, PIPELINE)
    whole, wanted = path.read_bytes(), say(Gallery.open(filled, PIPELINE, cataloged=False))
    for position in range(0, len(whole), 37):
        for content in (_flip(whole, position), whole[:position]):
            path.write_bytes(content)
            assert say(Gallery.open(filled, PIPELINE)) == wanted


def test_a_catalog_of_another_store_says_nothing(filled: StoreLayout, tmp_path: Path, read: list[str]) -> None:
    other = StoreLayout(tmp_path / "other")
    other.check_writable()
    publish_shard(other, "a", make_rows("a", unit_vectors(5)))
    other.catalogs.mkdir()
    catalog_path(other, PIPELINE).write_bytes(catalog_path(filled, PIPELINE).read_bytes())
    assert Gallery.open(other, PIPELINE).num_crops == 5
    assert read == ["a"]
    assert len(read_catalog(other).entries) == 1


def test_a_store_that_can_not_be_written_opens_all_the_same(
    layout: StoreLayout, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in names:
        publish_shard(layout, name, make_rows(name, unit_vectors(3)))

    def refuse(*arguments: object, **options: object) -> None:
        raise StoreError("read-only")

    monkeypatch.setattr(catalog, "replace_file", refuse)
    assert_same(layout)
    monkeypatch.undo()
    layout.catalogs.rmdir()
    layout.catalogs.write_text("a file where the folder should be")
    assert_same(layout)


def test_an_opener_does_not_wait_for_another(layout: StoreLayout, names: list[str]) -> None:
    publish_shard(layout, "a", make_rows("a", unit_vectors(3)))
    with writer_lock(layout.locks / "catalogs.lock"):
        assert Gallery.open(layout, PIPELINE).shard_ids == ("a",)
    assert not catalog_path(layout, PIPELINE).exists()


def test_opening_nothing_makes_nothing(tmp_path: Path) -> None:
    assert Gallery.open(StoreLayout(tmp_path / "none"), PIPELINE).shards == ()
    assert list(tmp_path.iterdir()) == []


def test_garbage_collection_takes_out_what_is_gone_and_removes_useless_catalogs(filled: StoreLayout) -> None:
    useless = filled.catalogs / "p2.catalog"
    useless.write_bytes(b"damaged")
    building = filled.temporary / "p1.catalog.1.abcd"
    building.write_bytes(b"of a killed process")
    shard_dir(filled, "b").rename(filled.temporary / "gone")
    assert verify_store(filled, deep=True).is_clean
    removed = collect_garbage(filled).removed
    assert useless in removed
    assert [path.exists() for path in (useless, building, catalog_path(filled, PIPELINE))] == [False, False, True]
    assert {place.rsplit("/", 1)[-1] for place in read_catalog(filled).entries} == {"a", "c"}
    assert collect_garbage(filled).removed == ()


def test_a_catalog_that_can_not_be_cleaned_is_removed(filled: StoreLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(catalog, "replace_file", refuse)
    shard_dir(filled, "b").rename(filled.temporary / "gone")
    assert prune_catalogs(filled) == (catalog_path(filled, PIPELINE),)
    assert not catalog_path(filled, PIPELINE).exists()


@pytest.mark.parametrize("is_known", [False, True])
def test_a_catalog_is_not_written_for_a_shard_that_went_meanwhile(
    layout: StoreLayout, names: list[str], monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    """As when an erasure removes a shard and looks for catalogs between the reading and the writing of one."""
    for name in names:
        publish_shard(layout, name, make_rows(name, unit_vectors(3)))
    if is_known:
        Gallery.open(layout, PIPELINE)
        os.utime(shard_dir(layout, "c") / MANIFEST_FILE)

    def keep(*arguments: object) -> None:
        shard_dir(layout, "b").rename(layout.temporary / "gone")
        prune_catalogs(layout)
        catalog.keep_catalog(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(opening, "keep_catalog", keep)
    assert Gallery.open(layout, PIPELINE).shard_ids == ("a", "b", "c")
    assert {place.rsplit("/", 1)[-1] for place in read_catalog(layout).entries} == {"a", "c"}
    content = catalog_path(layout, PIPELINE).read_bytes()
    assert b"video-b" not in content
    assert "video-b" not in "".join(
        zlib.decompress(read_catalog(layout).piece(entry)).decode() for entry in read_catalog(layout).entries.values()
    )


def test_a_repaired_index_is_seen(filled: StoreLayout) -> None:
    compact_store(filled)
    time.sleep(0.02)
    (shard_dir(filled, "a") / INDEX_FILE).unlink()
    repair_index(filled, shard_dir(filled, "a"))
    assert_same(filled)
