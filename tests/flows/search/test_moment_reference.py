"""A person of one moment of the archive as the reference of a search."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from anomalylmm.errors import ArchiveError, QueryError
from flows.commands.search import read_box
from flows.index.indexing import index_archive
from flows.search.moment_reference import choose_person, find_video, read_time
from flows.search.outcome import SearchRequest
from flows.search.searching import search_store
from storage.disk.layout import StoreLayout
from storage.gallery.gallery import Gallery
from storage.shards.manifest import VideoEntry
from tests.fakes import compose, write_video

GATE, YARD = "gate/2026-03-14/10-00-00.mp4", "yard/2026-03-14/10-00-00.mp4"
BOXES = np.array([[10, 10, 30, 50], [100, 20, 160, 140]], np.float32)
FRAME = (240, 320, 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with a red block, and later a blue one in another lane, beside its store."""
    folder = tmp_path_factory.mktemp("reference")
    write_video(folder / "archive" / GATE, [("red", 0, 6), ("blue", 2, 4)])
    write_video(folder / "archive" / YARD, [("green", 0, 3)])
    index_archive(compose(), StoreLayout(folder / "store"), folder / "archive")
    return folder


@pytest.fixture(scope="module")
def gallery(folder: Path) -> Gallery:
    return Gallery.open(StoreLayout(folder / "store"), compose().pipeline.digest)


@pytest.fixture
def video(gallery: Gallery) -> VideoEntry:
    """A video of 6 seconds from 10:00:00 in Berlin on."""
    return replace(
        find_video(gallery, GATE)[1], start_utc=datetime(2026, 3, 14, 9, tzinfo=UTC), time_zone="Europe/Berlin"
    )


def search(folder: Path, **asked: object) -> object:
    return search_store(compose(), StoreLayout(folder / "store"), SearchRequest(**asked))  # type: ignore[arg-type]


def test_a_video_is_found_by_its_id_its_path_and_the_end_of_it(gallery: Gallery, folder: Path) -> None:
    video = find_video(gallery, GATE)[1]
    assert video.path == GATE
    for name in (video.video_id, f"./{GATE}", str(folder / "archive" / GATE), "gate/2026-03-14/10-00-00.mp4"):
        assert find_video(gallery, name)[1] == video


@pytest.mark.parametrize("name", ["", "0-00-00.mp4", "gate", "../gate/2026-03-14/10-00-00.mp4x", "%"])
def test_a_name_that_is_not_indexed_is_refused(gallery: Gallery, name: str) -> None:
    with pytest.raises(QueryError, match="not indexed in this store"):
        find_video(gallery, name)


def test_the_end_of_two_paths_asks_for_more(gallery: Gallery) -> None:
    with pytest.raises(QueryError, match=f"fits 2 videos, such as {GATE}, {YARD}"):
        find_video(gallery, "10-00-00.mp4")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4.5", 4.5),
        ("4s", 4.0),
        ("0:05", 5.0),
        ("0:00:05.2", 5.2),
        ("2026-03-14T10:00:02", 2.0),
        ("2026-03-14 10:00:03.5", 3.5),
        ("2026-03-14T09:00:02Z", 2.0),
    ],
)
def test_times_are_seconds_media_times_or_the_cameras_clock(video: VideoEntry, text: str, seconds: float) -> None:
    assert read_time(text, video) == pytest.approx(seconds)


def test_an_hour_that_the_clock_shows_twice_is_the_one_in_the_video(video: VideoEntry) -> None:
    for hour in (0, 1):  # 2:30 is shown at 0:30 and at 1:30 UTC
        autumn = replace(video, start_utc=datetime(2026, 10, 25, hour, 30, tzinfo=UTC))
        assert read_time("2026-10-25T02:30:01", autumn) == pytest.approx(1.0)


@pytest.mark.parametrize("text", ["6.5", "1:00:00", "2026-03-14T09:00:02", "2026-03-15T10:00:02"])
def test_times_outside_of_the_video_are_told_its_span(video: VideoEntry, text: str) -> None:
    with pytest.raises(QueryError, match=r"lasts 6\.0 s, from 2026-03-14 10:00:00 Europe/Berlin to"):
        read_time(text, video)


@pytest.mark.parametrize("text", ["", "noon", "-1", "10h", "1e3", "nan"])
def test_what_is_no_time_is_refused(video: VideoEntry, text: str) -> None:
    with pytest.raises(QueryError, match="is not a time in a video"):
        read_time(text, video)


def test_the_largest_person_is_taken_unless_a_box_says_otherwise() -> None:
    largest, asked = choose_person(BOXES, FRAME, None), choose_person(BOXES, FRAME, (12, 8, 32, 48))
    assert largest is not None
    assert asked is not None
    assert (largest.box_xyxy_px, asked.box_xyxy_px) == ((100, 20, 160, 140), (10, 10, 30, 50))
    assert largest.note == "the largest of 2 persons, at 100,20,160,140"


def test_a_box_where_nobody_is_found_serves_itself_and_says_so() -> None:
    chosen = choose_person(BOXES, FRAME, (200, 200, 400, 300))
    assert chosen is not None
    assert chosen.box_xyxy_px == (200, 200, 320, 240)
    assert "nobody was found" in chosen.note
    assert choose_person(BOXES[:0], FRAME, None) is None


def test_a_box_outside_of_the_frame_is_refused() -> None:
    with pytest.raises(QueryError, match="320 x 240"):
        choose_person(BOXES, FRAME, (400, 10, 500, 90))


@pytest.mark.parametrize("text", ["1,2,3", "a,b,c,d", "5,0,1,9", "nan,0,1,9", "1;2;3;4"])
def test_a_box_is_four_numbers(text: str) -> None:
    with pytest.raises(QueryError, match="left,top,right,bottom"):
        read_box(text)


@pytest.mark.parametrize(("moment", "box", "lane"), [("3", (145, 90, 175, 150), "blue"), ("1", None, "red")])
def test_a_search_finds_who_is_at_the_moment(
    folder: Path, moment: str, box: tuple[float, ...] | None, lane: str
) -> None:
    report = search(folder, like=f"{GATE}@{moment}", box=box)
    assert report.reference.startswith("the person at ")  # type: ignore[attr-defined]
    assert report.reference in Path(report.page_path).read_text()  # type: ignore[attr-defined]
    first = report.results[0]  # type: ignore[attr-defined]
    assert (first.video, first.cosine) == (GATE, pytest.approx(1.0, abs=0.01))
    assert first.start_seconds == pytest.approx({"red": 0.0, "blue": 2.0}[lane], abs=0.3)


def test_where_nobody_is_the_nearest_times_with_people_are_named(folder: Path) -> None:
    with pytest.raises(QueryError, match=r"nobody was found in yard.* the index saw people at .* s; choose one"):
        search(folder, like=f"{YARD}@5")


def test_a_box_needs_a_moment(folder: Path) -> None:
    with pytest.raises(QueryError, match="needs --like VIDEO@TIME"):
        search(folder, text="a man", box=(1, 2, 3, 4), like="0123abcd")


def test_a_picture_with_the_sign_in_its_name_is_a_picture(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "me@7.jpg"
    file.write_bytes(b"no picture")
    with pytest.raises(QueryError, match="holds no image"):
        search(folder, like=str(file))


def test_an_archive_that_is_not_there_is_named(folder: Path) -> None:
    (folder / "archive").rename(folder / "away")
    try:
        with pytest.raises(ArchiveError, match="archive can't be reached"):
            search(folder, like=f"{GATE}@1")
        assert search(folder, like=f"{GATE}@1", archive=folder / "away").results  # type: ignore[attr-defined]
    finally:
        (folder / "away").rename(folder / "archive")
