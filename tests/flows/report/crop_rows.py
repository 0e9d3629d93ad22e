"""A crop as it is stored, with joints or without."""

from dataclasses import replace

import numpy as np

from anomalylmm.records import Body, CropRow, Floats
from flows.index.units.cropping import write_jpeg
from tests.storage.examples import make_row


def body(keypoints: Floats) -> Body:
    return Body(
        keypoints=keypoints,
        posture_scores=np.zeros(14, np.float32),
        posture="standing",
        fall_score=0.0,
        run_score=0.0,
        trunk_angle_degrees=0.0,
        height_ratio=0.7,
    )


def row_of(width: int, height: int, keypoints: Floats | None = None) -> CropRow:
    """A gray crop that shows 160 x 160 px of the frame from (100, 120) on."""
    return replace(
        make_row("a", np.zeros(8, np.float32)),
        jpeg=write_jpeg(np.full((height, width, 3), 90, np.uint8), 95),
        box_xyxy_px=(140.0, 130.0, 220.0, 270.0),
        context_xyxy_px=(100.0, 120.0, 260.0, 280.0),
        body=None if keypoints is None else body(keypoints),
    )
