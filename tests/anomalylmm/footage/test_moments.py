"""Which frames show a moment, and which part of them."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from anomalylmm.errors import ShapeError
from anomalylmm.footage.crops import cut
from anomalylmm.footage.moments import even_out, follow_boxes, moment_times, plan_moment, shows_crop
from anomalylmm.records import Box, Clip, CropRow, Image, MomentCut, MomentPlace
from tests.storage.examples import make_row


def make_crop(pts_seconds: float, box: Box) -> CropRow:
    row = make_row(f"crop {pts_seconds}", np.zeros(4, np.float32))
    left, top, right, bottom = box
    around = (left - 10, top - 10, right + 10, bottom + 10)
    return replace(
        row,
        pts_seconds=pts_seconds,
        box_xyxy_px=box,
        context_xyxy_px=around,
        frame_width_px=400,
        frame_height_px=200,
    )


def draw_frame(x: int) -> Image:
    frame = np.full((200, 400, 3), 90, np.uint8)
    cv2.rectangle(frame, (x, 60), (x + 20, 140), (250, 240, 20), -1)
    return frame


def test_the_best_time_is_among_the_times() -> None:
    assert moment_times(10.0, 2.0, 5) == (9.0, 9.5, 10.0, 10.5, 11.0)
    assert 10.0 in moment_times(10.0, 2.0, 8)
    assert moment_times(3.0, 2.0, 1) == (3.0,)


def test_a_moment_does_not_begin_before_the_video() -> None:
    assert moment_times(0.5, 2.0, 5) == (0.0, 0.5, 1.0, 1.5)


def test_the_part_of_the_frame_holds_the_person_over_the_whole_span() -> None:
    best = make_crop(10.0, (100, 60, 120, 140))
    crops = [make_crop(9.0, (60, 60, 80, 140)), best, make_crop(11.0, (150, 100, 200, 140))]
    left, top, right, bottom = plan_moment(best, crops, span_seconds=2.0, count=5, margin=0.1).boxes_share[0]
    assert left * 400 <= 60
    assert right * 400 >= 200
    assert top * 200 <= 60
    assert bottom * 200 >= 140
    assert (right - left) * 400 == pytest.approx((bottom - top) * 200)


def test_boxes_long_before_and_after_do_not_count() -> None:
    best = make_crop(10.0, (100, 60, 120, 140))
    far = [make_crop(4.0, (0, 60, 20, 140)), best, make_crop(16.0, (370, 60, 390, 140))]
    alone = plan_moment(best, [best], span_seconds=2.0, count=5, margin=0.1)
    assert plan_moment(best, far, span_seconds=2.0, count=5, margin=0.1) == alone


def test_a_cut_that_follows_has_the_person_in_its_middle_at_every_time_and_one_size() -> None:
    best = make_crop(10.0, (100, 60, 120, 140))
    crops = [make_crop(9.0, (60, 60, 80, 140)), best, make_crop(11.0, (200, 70, 220, 150))]
    place = plan_moment(best, crops, span_seconds=2.0, count=5, margin=0.1, moment_cut="follow")
    boxes = np.array(place.boxes_share) * (400, 200, 400, 200)
    np.testing.assert_allclose((boxes[:, 0] + boxes[:, 2]) / 2, [70, 90, 110, 160, 210], atol=1)
    np.testing.assert_allclose((boxes[:, 1] + boxes[:, 3]) / 2, [100, 100, 100, 105, 110], atol=1)
    np.testing.assert_allclose(boxes[:, 2:] - boxes[:, :2], 96)


def test_a_cut_that_follows_stays_in_the_frame_and_where_the_person_was_seen_last() -> None:
    best = make_crop(10.0, (370, 60, 390, 140))
    place = plan_moment(best, [best], span_seconds=2.0, count=3, margin=0.1, moment_cut="follow")
    assert len(set(place.boxes_share)) == 1
    left, _, right, _ = place.boxes_share[0]
    assert (left * 400, right * 400) == (400 - 96, 400)


def test_a_cut_that_follows_a_still_person_is_a_crop_of_them() -> None:
    boxes = np.array([(100, 0, 120, 80), (100, 0, 120, 80)])
    assert follow_boxes([9.0, 10.0], boxes, (9.5,), (400, 200)) == [(70, 0, 150, 80)]


def test_a_cut_that_follows_a_large_person_out_of_the_frame_keeps_its_shape() -> None:
    best = make_crop(10.0, (100, 0, 400, 200))
    crops = [make_crop(9.0, (0, 0, 300, 200)), best, make_crop(11.0, (380, 0, 400, 200))]
    place = plan_moment(best, crops, span_seconds=2.0, count=8, margin=0.2, moment_cut="follow")
    sizes = {(round((right - left) * 400), round((low - top) * 200)) for left, top, right, low in place.boxes_share}
    assert sizes == {(374, 200)}


def test_a_place_needs_a_box_for_each_time() -> None:
    with pytest.raises(ShapeError, match="boxes_share"):
        MomentPlace(pts_seconds=(1.0, 2.0), boxes_share=((0.0, 0.0, 1.0, 1.0),))


@pytest.mark.parametrize("moment_cut", ["fixed", "follow"])
def test_a_moment_of_the_same_frame_is_told_from_one_of_another_time(moment_cut: MomentCut) -> None:
    best = make_crop(10.0, (100, 60, 120, 140))
    crops = [make_crop(9.0, (60, 60, 80, 140)), best]
    stored = cut(draw_frame(100), best.context_xyxy_px)
    place = plan_moment(best, crops, span_seconds=2.0, count=3, margin=0.5, moment_cut=moment_cut)
    left, top, right, bottom = place.boxes_share[1]
    region = (left * 800, top * 400, right * 800, bottom * 400)  # the source has twice the resolution
    seen, elsewhere = (cut(cv2.resize(draw_frame(x), (800, 400)), region) for x in (100, 124))
    times = (9.0, 10.0, 11.0)
    assert shows_crop(Clip([elsewhere, seen, elsewhere], times), place, best, stored)
    assert not shows_crop(Clip([seen, elsewhere, seen], times), place, best, stored)


@pytest.mark.parametrize("times", [(1.0,), (1.0, 1.0), (2.0, 1.0)])
def test_a_clip_needs_rising_times_as_many_as_pictures(times: tuple[float, ...]) -> None:
    with pytest.raises(ShapeError, match="rising"):
        Clip([draw_frame(0), draw_frame(9)], times)


def test_boxes_seen_in_larger_frames_of_the_same_shape_count_by_their_share() -> None:
    best = make_crop(10.0, (100, 60, 120, 140))
    later = replace(make_crop(11.0, (300, 200, 400, 280)), frame_width_px=800, frame_height_px=400)
    other = replace(make_crop(9.0, (0, 0, 10, 10)), frame_width_px=300, frame_height_px=300)
    same = plan_moment(best, [best, make_crop(11.0, (150, 100, 200, 140))], span_seconds=2.0, count=5, margin=0.1)
    assert plan_moment(best, [best, later, other], span_seconds=2.0, count=5, margin=0.1) == same


def test_pictures_of_a_moment_get_the_size_at_the_best_time_and_others_shape_is_left_out() -> None:
    clip = Clip(
        [np.zeros((60, 80, 3), np.uint8), np.zeros((31, 40, 3), np.uint8), np.zeros((45, 80, 3), np.uint8)], (1, 2, 3)
    )
    even = even_out(clip, 2.1)
    assert [image.shape for image in even] == [(31, 40, 3)] * 2
    assert even.pts_seconds == (1, 2)
    assert even_out(even, 1.0) is even
