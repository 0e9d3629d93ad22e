"""What was erased is in no catalog, however the erasure went."""

from pathlib import Path

import pytest

from storage.disk.layout import StoreLayout
from storage.gallery import catalog
from storage.gallery.catalog import catalog_path
from storage.gallery.gallery import Gallery
from storage.upkeep import erasure
from storage.upkeep.erasure import erase_footage, withdraw_erased
from storage.upkeep.maintenance import collect_garbage, verify_store
from tests.faults.erasure.traces import read_plainly
from tests.storage.erased_stores import EVENING, MORNING, OLD, name_of, publish_videos
from tests.storage.examples import PIPELINE

GONE = [piece.encode() for video in ("am", "old") for piece in (name_of(video), f"video-{video}")]
KEPT = [piece.encode() for video in ("pm", "new") for piece in (name_of(video), f"video-{video}")]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(catalog, "SETTLE_SECONDS", 0.0)


@pytest.fixture
def layout(filled: StoreLayout) -> StoreLayout:
    """A store with footage to erase and a catalog that names all of it."""
    Gallery.open(filled, PIPELINE)
    assert find(filled, GONE + KEPT) == GONE + KEPT
    return filled


def find(layout: StoreLayout, pieces: list[bytes]) -> list[bytes]:
    """The pieces that a catalog holds, or what was to become one."""
    places = [*layout.catalogs.glob("*"), *layout.temporary.glob("*.catalog.*")]
    content = b"".join(read_plainly(path) for path in places)
    return [piece for piece in pieces if piece in content]


def test_what_is_erased_is_in_no_catalog_and_what_is_kept_need_not_be_read_again(layout: StoreLayout) -> None:
    erase_footage(layout, [OLD])
    assert find(layout, GONE) == []
    assert b"video-new" in read_plainly(catalog_path(layout, PIPELINE))
    assert Gallery.open(layout, PIPELINE).video_ids == {"video-pm", "video-new"}
    assert find(layout, GONE + KEPT) == KEPT
    assert verify_store(layout, deep=True).is_clean


@pytest.mark.parametrize("point", ["erasure.noted", "erasure.rests_published", "erasure.shards_removed"])
def test_an_interrupted_erasure_cleans_the_catalog_when_it_is_finished(
    layout: StoreLayout, failing: list[str], point: str
) -> None:
    failing.append(point)
    with pytest.raises(KeyboardInterrupt):
        erase_footage(layout, [OLD])
    Gallery.open(layout, PIPELINE)
    collect_garbage(layout)
    assert find(layout, GONE) == []
    assert verify_store(layout, deep=True).is_clean


@pytest.mark.parametrize("point", ["file.written", "file.replaced"])
def test_a_catalog_half_written_by_a_killed_process_goes_too(
    layout: StoreLayout, failing: list[str], point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog_path(layout, PIPELINE).unlink()
    failing.append(point)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", lambda path, missing_ok=False: None)  # the killed process removes nothing
        with pytest.raises(KeyboardInterrupt):
            Gallery.open(layout, PIPELINE)
    assert find(layout, GONE) == GONE
    erase_footage(layout, [OLD])
    assert find(layout, GONE) == []


def test_what_an_index_run_takes_back_is_in_no_catalog(layout: StoreLayout) -> None:
    erase_footage(layout, [OLD])
    late = publish_videos(layout, {"am": MORNING, "later": EVENING})
    Gallery.open(layout, PIPELINE)
    assert find(layout, [b"video-am"]) == [b"video-am"]
    withdraw_erased(layout, PIPELINE, late)
    assert find(layout, GONE) == []


def test_a_shard_that_was_moved_aside_before_leaves_nothing_in_the_catalog(layout: StoreLayout) -> None:
    for path in layout.shards.rglob("crops.parquet"):
        path.write_bytes(b"damaged")
    collect_garbage(layout, remove_invalid=True)
    erase_footage(layout, [OLD])
    assert find(layout, GONE) == []
