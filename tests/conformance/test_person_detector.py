"""What every ``PersonDetector`` promises."""

import numpy as np

from anomalylmm.protocols import PersonDetector

BLACK = np.zeros((120, 160, 3), np.uint8)
BRIGHT = np.full((120, 160, 3), 255, np.uint8)


def test_nothing_is_found_in_black_frames(detector: PersonDetector) -> None:
    found = detector.detect([BLACK, BLACK])
    assert [detections.boxes_xyxy_px.shape for detections in found] == [(0, 4), (0, 4)]
    assert [detections.scores.shape for detections in found] == [(0,), (0,)]


def test_no_frames_give_no_detections(detector: PersonDetector) -> None:
    assert detector.detect([]) == []


def test_a_batch_gives_what_each_frame_alone_gives(detector: PersonDetector) -> None:
    together = detector.detect([BRIGHT, BLACK, BRIGHT])
    for frame, detections in zip([BRIGHT, BLACK, BRIGHT], together, strict=True):
        alone = detector.detect([frame])[0]
        np.testing.assert_allclose(detections.boxes_xyxy_px, alone.boxes_xyxy_px, atol=0.1)
        np.testing.assert_allclose(detections.scores, alone.scores, atol=1e-3)


def test_boxes_stay_inside_frames_of_any_size(detector: PersonDetector) -> None:
    frames = [BRIGHT, np.full((77, 301, 3), 255, np.uint8)]
    for frame, detections in zip(frames, detector.detect(frames), strict=True):
        boxes = detections.boxes_xyxy_px
        assert boxes.dtype == np.float32
        assert (boxes >= 0).all()
        assert (boxes[:, 2] <= frame.shape[1]).all()
        assert (boxes[:, 3] <= frame.shape[0]).all()


def test_the_model_has_an_id(detector: PersonDetector) -> None:
    assert detector.model_id
