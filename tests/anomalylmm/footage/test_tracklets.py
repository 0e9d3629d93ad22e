import numpy as np
import pytest

from anomalylmm.errors import ConfigurationError, ShapeError
from anomalylmm.footage.crops import context_box, cut, sharpness
from anomalylmm.records import Detections
from tests.adapters import build_tracklets

FRAME = np.random.default_rng(3).integers(0, 255, (240, 320, 3), dtype=np.uint8)
STANDING = (100, 50, 130, 130)
LYING = (80, 110, 160, 140)


def found(*boxes):
    return Detections(
        boxes_xyxy_px=np.array(boxes, dtype=np.float32).reshape(-1, 4), scores=np.full(len(boxes), 0.8, np.float32)
    )


def walk(builder, boxes, *, number=7, start=0.0, step=0.5):
    for index, box in enumerate(boxes):
        builder.add(found(box), np.array([number]), FRAME, start + index * step)


def closed(builder):
    builder.finish()
    return list(builder.iter_closed())


def test_a_track_becomes_one_tracklet_of_a_few_crops():
    builder = build_tracklets("v", seconds_per_crop=2.0)
    walk(builder, [STANDING] * 10)
    [crops] = closed(builder)
    assert len(crops) == 3
    assert len({crop.crop_id for crop in crops}) == 3
    assert {crop.tracklet_num_detections for crop in crops} == {10}
    assert crops[0].tracklet_stop_seconds == 4.5
    assert crops[0].image.flags.owndata
    assert list(builder.iter_closed()) == []


@pytest.mark.parametrize("start", range(20, 28))
def test_what_lasts_twice_the_span_of_a_crop_has_one(start):
    builder = build_tracklets("v", seconds_per_crop=1.0, max_tracklet_seconds=60)
    walk(builder, [STANDING] * start + [LYING] * 6 + [STANDING] * 40, step=1 / 3)
    [crops] = closed(builder)
    assert LYING in {tuple(map(int, crop.box_xyxy_px)) for crop in crops}


def test_a_span_gives_its_best_moment():
    builder = build_tracklets("v", seconds_per_crop=1.0)
    for index, score in enumerate([0.5, 0.9, 0.7, 0.6, 0.5, 0.8]):
        boxes = np.array([STANDING], np.float32)
        builder.add(
            Detections(boxes_xyxy_px=boxes, scores=np.array([score], np.float32)), np.array([1]), FRAME, index / 3
        )
    [crops] = closed(builder)
    assert [round(crop.pts_seconds * 3) for crop in crops] == [1, 5]


def test_somebody_whom_the_tracker_loses_in_a_fall_stays_in_one_tracklet():
    builder = build_tracklets("v", seconds_per_crop=1.0)
    walk(builder, [STANDING] * 4, number=1)
    walk(builder, [LYING] * 4, number=2, start=2.5)
    [crops] = closed(builder)
    assert {crop.tracklet_num_detections for crop in crops} == {8}
    assert {crop.tracklet_start_seconds for crop in crops} == {0.0}


def test_a_detection_without_a_track_goes_on_with_who_was_lost_there():
    builder = build_tracklets("v")
    walk(builder, [STANDING] * 3, number=1)
    walk(builder, [LYING], number=-1, start=1.5)
    [crops] = closed(builder)
    assert crops[0].tracklet_num_detections == 4
    assert crops[0].tracklet_stop_seconds == 1.5


@pytest.mark.parametrize(
    ("box", "start"),
    [((200, 50, 230, 130), 2.5), (STANDING, 4.0), ((80, 10, 250, 230), 2.5)],
    ids=["elsewhere", "later", "much larger"],
)
def test_somebody_else_gets_a_tracklet_of_their_own(box, start):
    builder = build_tracklets("v", max_gap_seconds=5)
    walk(builder, [STANDING] * 4, number=1)
    walk(builder, [box] * 4, number=2, start=start)
    assert len(closed(builder)) == 2


def test_something_that_was_never_surely_a_person_is_not_found_again():
    builder = build_tracklets("v")
    for index, (box, number) in enumerate([(STANDING, 1)] * 4 + [(LYING, 2)] * 4):
        boxes, scores = np.array([box], np.float32), np.array([0.45], np.float32)
        builder.add(Detections(boxes_xyxy_px=boxes, scores=scores), np.array([number]), FRAME, index / 2)
    assert len(closed(builder)) == 2


def test_a_person_beside_somebody_still_seen_is_another_one():
    builder = build_tracklets("v")
    walk(builder, [STANDING] * 2, number=1)
    for index in range(4):
        builder.add(found(STANDING, LYING), np.array([1, 2]), FRAME, 1.0 + index / 2)
    assert sorted(crops[0].tracklet_num_detections for crops in closed(builder)) == [4, 6]


def test_a_long_track_is_split_and_a_silent_one_closes():
    builder = build_tracklets("v", max_tracklet_seconds=10, max_gap_seconds=2)
    walk(builder, [STANDING] * 60)
    assert len(list(builder.iter_closed())) == 2
    builder.add(found(), np.zeros(0, dtype=np.int64), FRAME, 33.0)
    assert len(list(builder.iter_closed())) == 1
    assert closed(builder) == []


def test_glimpses_unknown_numbers_and_empty_boxes_give_nothing():
    builder = build_tracklets("v", min_detections=2)
    builder.add(found(STANDING, STANDING, (5, 5, 5, 5), (np.nan, 0, 1, 1)), np.array([1, -1, 2, 3]), FRAME, 0.0)
    assert closed(builder) == []


@pytest.mark.parametrize(("score", "number"), [(0.5, 0), (0.7, 1)])
def test_a_sure_glimpse_is_kept(score, number):
    builder = build_tracklets("v", min_detections=2, sure_score=0.6)
    boxes = np.array([STANDING], np.float32)
    builder.add(Detections(boxes_xyxy_px=boxes, scores=np.array([score], np.float32)), np.array([1]), FRAME, 0.0)
    assert len(closed(builder)) == number


def test_a_moment_of_an_open_tracklet_takes_the_place_of_a_worse_one():
    builder = build_tracklets("v", seconds_per_crop=5.0, max_tracklet_seconds=20)
    walk(builder, [STANDING] * 40)
    [crops] = closed(builder)
    assert len(crops) == 4


def test_ids_come_from_content_not_from_track_numbers():
    ids = []
    for number in (7, 99):
        builder = build_tracklets("v")
        walk(builder, [STANDING, LYING] * 5, number=number)
        ids.append([crop.crop_id for crops in closed(builder) for crop in crops])
    other = build_tracklets("w")
    walk(other, [STANDING, LYING] * 5)
    assert ids[0] == ids[1]
    assert not set(ids[0]) & {crop.crop_id for crops in closed(other) for crop in crops}


def test_a_clock_that_steps_back_ends_all_tracklets():
    builder = build_tracklets("v")
    walk(builder, [STANDING] * 4, start=100)
    walk(builder, [STANDING] * 4, start=0)
    assert len(closed(builder)) == 2


def test_a_tracklet_goes_on_into_the_next_video_and_each_crop_tells_of_its_own():
    builder = build_tracklets("a")
    walk(builder, [STANDING] * 4)
    builder.begin_video("b", shift_seconds=2.0)
    walk(builder, [STANDING] * 4)
    [crops] = closed(builder)
    assert [(crop.video_id, crop.pts_seconds) for crop in crops] == [("a", 0.0), ("a", 1.0), ("b", 0.0), ("b", 1.0)]
    told = {(crop.tracklet_start_seconds, crop.tracklet_stop_seconds, crop.tracklet_num_detections) for crop in crops}
    assert told == {(0.0, 1.5, 4)}
    assert (len({crop.tracklet_id for crop in crops}), len({crop.crop_id for crop in crops})) == (1, 4)
    alone = build_tracklets("a")
    walk(alone, [STANDING] * 4)
    assert [crop.crop_id for crop in closed(alone)[0]] == [crop.crop_id for crop in crops[:2]]


def test_the_length_of_a_tracklet_counts_over_the_cut():
    builder = build_tracklets("a", max_tracklet_seconds=3.0)
    walk(builder, [STANDING] * 4)
    builder.begin_video("b", shift_seconds=2.0)
    walk(builder, [STANDING] * 4)
    assert [[crop.video_id for crop in crops] for crops in closed(builder)] == [["a", "a", "b"], ["b"]]


def test_each_detection_needs_its_number():
    with pytest.raises(ShapeError, match="track_numbers"):
        build_tracklets("v").add(found(STANDING), np.zeros(2, dtype=np.int64), FRAME, 0.0)
    with pytest.raises(ConfigurationError):
        build_tracklets("v", seconds_per_crop=0)


def test_a_context_box_is_shifted_before_it_is_made_smaller():
    assert context_box((0, 0, 40, 40), 320, 240, margin=0.25) == (0, 0, 60, 60)
    assert context_box((300, 200, 320, 240), 320, 240, margin=0.25) == (260, 180, 320, 240)
    assert context_box((0, 10, 320, 230), 320, 240, margin=0.25) == (0, 0, 320, 240)
    assert context_box((100, 100, 120, 140), 320, 240, margin=0.25, square=False) == (95, 90, 125, 150)


@pytest.mark.parametrize("box", [(np.nan, 0, 1, 1), (400, 0, 500, 10), (10, 10, 10, 20)])
def test_a_box_outside_the_frame_is_refused(box):
    with pytest.raises(ShapeError, match="box"):
        context_box(box, 320, 240, margin=0.25)


def test_sharpness_compares_across_sizes():
    fine = FRAME[:128, :128]
    blurred = np.repeat(np.repeat(fine[::8, ::8], 8, axis=0), 8, axis=1)
    assert sharpness(fine) > sharpness(cut(blurred, (0, 0, 128, 128)))
    assert sharpness(FRAME[:1, :1]) == 0
