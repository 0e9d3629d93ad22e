"""The benchmark on real footage: scorers against figures made by hand, and tables that agree with each other."""

import csv
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest

from anomalylmm.query.lexicon import Lexicon
from benchmarks.real import crops, persons
from benchmarks.real.footage import (
    EVENTS,
    PARTS,
    POSTURES,
    find_file,
    find_root,
    iter_images,
    list_files,
    part_of,
    read_crops,
    read_pictures,
    read_rows,
    source_of,
)
from benchmarks.real.harder import WAYS, write_harder
from tests.fakes import write_video

DATA = Path(__file__).parents[3] / "shared/data"
needs_data = pytest.mark.skipif(
    not (DATA / "real/labels.csv").exists(), reason=f"the labeled real footage is not at {DATA}"
)


def picture(truth: list[list[float]], boxes: list[list[float]], scores: list[float]) -> persons.ScoredPicture:
    return persons.ScoredPicture(
        truth=np.array(truth, float).reshape(-1, 4),
        postures=tuple("lying" if box[2] - box[0] > box[3] - box[1] else "standing" for box in truth),
        boxes=np.array(boxes, float).reshape(-1, 4),
        scores=np.array(scores, float),
        height_px=100,
    )


STANDING, LYING, NOBODY = [10.0, 0.0, 20.0, 40.0], [30.0, 90.0, 90.0, 100.0], [60.0, 60.0, 70.0, 70.0]


def test_overlap_of_boxes_by_hand() -> None:
    table = persons.overlaps(np.array([[0.0, 0, 10, 10]]), np.array([[5.0, 0, 15, 10], [20, 20, 30, 30]]))
    assert table == pytest.approx(np.array([[1 / 3, 0.0]]))


def test_one_person_is_found_once_by_the_surest_box() -> None:
    found = persons.match(picture([STANDING], [[10, 0, 20, 36], STANDING, NOBODY], [0.5, 0.9, 0.8]))
    assert found.tolist() == [-1, 0, -1]


def test_average_precision_by_hand() -> None:
    right = np.array([True, False, True])
    assert persons.average_precision(np.array([0.9, 0.8, 0.7]), right, 4) == pytest.approx((1 + 2 / 3) / 4)
    assert persons.average_precision(np.array([0.7, 0.8, 0.9]), right, 2) == pytest.approx((1 + 2 / 3) / 2)
    assert persons.average_precision(np.zeros(0), np.zeros(0, bool), 3) == 0.0
    assert np.isnan(persons.average_precision(np.zeros(0), np.zeros(0, bool), 0))


def test_the_figures_of_two_pictures() -> None:
    figures = persons.score(
        [picture([STANDING, LYING], [STANDING, NOBODY, LYING], [0.9, 0.6, 0.3]), picture([], [NOBODY], [0.7])], 0.5
    )
    assert figures["recall"] == 0.5  # the lying person's box is less sure than the threshold
    assert figures["ap50"] == round((1 + 2 / 4) / 2, 3)
    assert figures["false_a_picture"] == 1.0
    assert figures["recall_by_posture"] == {
        "lying": {"persons": 1, "recall": 0.0},
        "standing": {"persons": 1, "recall": 1.0},
    }
    assert figures["recall_by_size"] == {
        "large": {"persons": 1, "recall": 0.0},
        "middle": {"persons": 1, "recall": 1.0},
    }


def rows_of(*postures: str) -> np.ndarray:
    return np.array([[float(name == posture) for name in POSTURES] for posture in postures])


def test_crops_by_hand() -> None:
    labels = ["standing", "standing", "walking", "lying", "lying", "falling"]
    figures = crops.score(rows_of("standing", "lying", "walking", "lying", "sitting", "falling"), labels)
    assert figures["balanced_accuracy"] == round((0.5 + 1 + 0.5 + 1) / 4, 3)
    assert figures["false_alarm_share"] == round(1 / 3, 3)
    assert figures["confusion"] == {
        "standing": {"standing": 1, "lying": 1},
        "walking": {"walking": 1},
        "lying": {"lying": 1, "sitting": 1},
        "falling": {"falling": 1},
    }
    low, high = figures["interval90"]  # type: ignore[misc]
    assert low <= figures["balanced_accuracy"] <= high  # type: ignore[operator]


def test_recall_is_read_where_one_in_twenty_of_the_others_is_over_the_threshold() -> None:
    others = np.linspace(0.0, 0.5, 40)  # two of 40 may be over it: the third highest is the threshold
    truth = np.array([POSTURES.index("walking")] * 40 + [POSTURES.index("lying")] * 4)
    down = np.array([0.9, others[-3] + 1e-6, others[-3], 0.0])
    assert crops.recall_at(np.concatenate([others, down]), truth) == 0.5


def test_colors_are_scored_leniently_and_only_where_they_are_labeled() -> None:
    accepted = [frozenset({"black", "blue"}), frozenset({"red"}), frozenset[str]()]
    assert crops.score_colors(["blue", "pink", "red"], accepted) == {"persons": 2, "right": 0.5}


def test_every_box_and_color_is_of_a_part_and_well_formed() -> None:
    pictures = [item for part in PARTS for item in read_pictures(part)]
    boxes = Counter(row["picture"] for row in read_rows("boxes.csv"))
    assert {item.name: len(item.persons) for item in pictures} == boxes
    assert sum(boxes.values()) >= 200
    for item in pictures:
        for person in item.persons:
            x0, y0, x1, y1 = person.box
            assert 0 <= x0 < x1 <= 1, item.name
            assert 0 <= y0 < y1 <= 1, item.name
            assert person.posture in POSTURES
            assert person.by in ("eye", "proposal")
    colors = set(Lexicon.load().words("color"))
    for row in read_rows("colors.csv"):
        assert int(row["person"]) < boxes[row["picture"]]
        assert crops.read_accepted(row, "upper") | crops.read_accepted(row, "lower") <= colors


def test_no_person_is_both_learned_from_and_measured_on() -> None:
    for part, subject in (("validation", "Subject1"), ("test", "Subject2"), ("learn", "Subject3")):
        for other in PARTS:
            own = [file for file in list_files(other, "videos/") if subject in file]
            assert bool(own) == (other == part)
    assert part_of("street.avi@47.9") == "learn"
    assert part_of("street.avi@48") == "validation"
    assert part_of("street.avi@60") == "test"


def test_each_picture_has_a_source() -> None:
    sources = {source_of(item.name) for part in PARTS for item in read_pictures(part)}
    assert sources == {"GMDCSA24", "Intel", "COCO", "street", "ultralytics"}
    assert source_of("bus.jpg") == "ultralytics"
    assert source_of("videos/22_intel_samp_face-demographics-walking.mp4@0.5") == "Intel"


def test_events_are_in_the_words_of_the_lexicon_and_each_clip_has_some() -> None:
    rows = read_rows("events.csv")
    words = {word for row in rows for word in row["behaviors"].split(";")}
    assert words <= set(Lexicon.load().words("action"))
    assert {row["file"] for row in rows} == {file for part in PARTS for file in list_files(part, "videos/")}
    assert EVENTS.name == "events.csv"


def test_a_wrong_data_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"neither .* holds labels\.csv"):
        find_root(tmp_path)
    (tmp_path / "labels.csv").touch()
    with pytest.raises(FileNotFoundError, match=r"nowhere\.avi is neither in"):
        find_file(tmp_path, "nowhere.avi")


@needs_data
def test_the_split_has_every_labeled_file_once() -> None:
    files = Counter(row["file"] for row in read_rows("split.csv") if "/" in row["file"])
    listed = [row["file"] for name in ("labels.csv", "crops.csv") for row in read_rows(name, find_root(DATA))]
    assert files == Counter(listed)
    assert sum(len(read_crops(part, DATA)) for part in PARTS) == 141


@needs_data
def test_events_name_the_behaviors_of_the_labels() -> None:
    with (find_root(DATA) / "labels.csv").open(encoding="utf-8", newline="") as stream:
        labels = {row["file"]: set(row["behaviors"].split(";")) for row in csv.DictReader(stream)}
    for file, words in labels.items():
        if file.startswith("videos/"):
            own = {
                word for row in read_rows("events.csv") if row["file"] == file for word in row["behaviors"].split(";")
            }
            assert {"falling", "lying"} & own == {"falling", "lying"} & words, file


@needs_data
def test_pictures_and_moments_of_videos_are_read() -> None:
    names = ["images/000_GMDCSA24.jpg", "videos/02_Subject1_13.mp4@0.9", "street.avi@48.5"]
    shapes = [image.shape for image in iter_images(DATA, names)]
    assert shapes == [(720, 1280, 3), (480, 640, 3), (576, 768, 3)]


def read_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0)]


@pytest.mark.parametrize("way", WAYS)
def test_a_harder_copy_keeps_the_times_of_its_clip(way: str, tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", [("red", 0.2, 0.6)], seconds=1.0, fps=28)
    write_harder([tmp_path / "clip.mp4"], tmp_path / "out", way)
    before, after = (read_times(folder / "clip.mp4") for folder in (tmp_path, tmp_path / "out"))
    assert after == pytest.approx(before[:: 4 if way == "slow" else 1], abs=1e-3)
