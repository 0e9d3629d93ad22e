"""The tracker's memory, and that it links as ultralytics' own ByteTrack does."""

from types import SimpleNamespace

import numpy as np

from anomalylmm.models.detect.bot_sort import boxes_of
from anomalylmm.models.detect.byte_tracker import ByteTracker
from anomalylmm.models.detect.yolo import import_ultralytics
from anomalylmm.records import Detections
from tests.adapters import build_tracker

FRAME = np.zeros((240, 320, 3), np.uint8)


def one_person(score: float = 0.9) -> Detections:
    return Detections(boxes_xyxy_px=np.array([[50, 50, 90, 170]], np.float32), scores=np.array([score], np.float32))


NOBODY = Detections(boxes_xyxy_px=np.zeros((0, 4), np.float32), scores=np.zeros(0, np.float32))


def test_a_hidden_person_keeps_the_number_for_the_seconds_of_the_buffer() -> None:
    for hidden_frames, is_same in ((4, True), (12, False)):
        tracker = build_tracker(sample_fps=4.0, buffer_seconds=2.0)
        first = [tracker.update(one_person(), FRAME)[0] for _ in range(3)][-1]
        for _ in range(hidden_frames):
            tracker.update(NOBODY, FRAME)
        again = [tracker.update(one_person(), FRAME)[0] for _ in range(3)][-1]
        assert (first == again) == is_same


def test_trackers_number_from_one_each() -> None:
    numbers = [build_tracker(sample_fps=2.0).update(one_person(), FRAME)[0] for _ in range(2)]
    assert numbers == [1, 1]


def test_a_doubtful_detection_belongs_to_no_track() -> None:
    assert build_tracker(sample_fps=2.0).update(one_person(0.15), FRAME).tolist() == [-1]


def passing(tracker: ByteTracker, shift_px: float) -> list[int]:
    """Track numbers of one person who moves by so many pixels between frames; 40 pixels wide."""
    numbers = []
    for index in range(4):
        left = 20 + index * shift_px
        boxes = np.array([[left, 40, left + 40, 140]], np.float32)
        numbers += tracker.update(Detections(boxes_xyxy_px=boxes, scores=np.array([0.8], np.float32)), FRAME).tolist()
    return numbers


def test_who_leaves_his_box_between_frames_is_followed_by_reach() -> None:
    assert passing(build_tracker(sample_fps=3.0, reach_per_second=1.5), 38) == [1, 1, 1, 1]
    assert len(set(passing(build_tracker(sample_fps=3.0), 38))) == 4


def test_a_new_track_has_its_number_at_once() -> None:
    tracker = build_tracker(sample_fps=3.0)
    tracker.update(NOBODY, FRAME)
    assert tracker.update(one_person(), FRAME).tolist() == [1]


def crowd(generator: np.random.Generator, frame: int) -> Detections:
    """Ten people who walk across each other, some overlooked, some doubtful, and a false box now and then."""
    starts = np.random.default_rng(5).uniform(0, 600, (10, 2))
    speeds = np.random.default_rng(6).normal(0, 25, (10, 2))
    center = starts + frame * speeds + generator.normal(0, 3, (10, 2))
    size = np.array([40, 100]) * generator.uniform(0.8, 1.2, (10, 2))
    boxes = np.hstack([center - size / 2, center + size / 2])[generator.random(10) < 0.85]
    scores = generator.uniform(0.05, 1, len(boxes))
    return Detections(boxes_xyxy_px=boxes.astype(np.float32), scores=scores.astype(np.float32))


def test_it_links_as_ultralytics_does() -> None:
    import_ultralytics()
    from ultralytics.trackers.byte_tracker import BYTETracker

    options = {"track_high_thresh": 0.35, "track_low_thresh": 0.1, "new_track_thresh": 0.35, "track_buffer": 6}
    theirs = BYTETracker(SimpleNamespace(**options, match_thresh=0.8, fuse_score=True))
    ours = ByteTracker(sample_fps=3.0, buffer_seconds=2.0, min_score=0.35, reach_per_second=1.5)
    generator, linked = np.random.default_rng(7), 0
    for frame in range(60):
        found = crowd(generator, frame)
        theirs.update(boxes_of(found, (720, 1280), 0.5))
        numbers = ours.update(found, FRAME)
        expected = {int(track.idx): track.track_id for track in theirs.tracked_stracks if track.frame_id == frame + 1}
        assert {index: number for index, number in enumerate(numbers.tolist()) if number >= 0} == expected
        linked += len(expected)
    assert linked > 200
