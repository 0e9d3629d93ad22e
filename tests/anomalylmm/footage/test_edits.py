"""What is drawn over the frames of a clip."""

import numpy as np
import pytest

from anomalylmm.footage.edits import FrameEdit, apply_edit, blur_regions


def test_boxes_are_in_widths_of_the_frame_and_the_picture_given_stays() -> None:
    image = np.random.default_rng(0).integers(0, 255, (50, 100, 3), np.uint8)
    before = image.copy()
    edited = apply_edit(image, FrameEdit(blurred=((0.1, 0.1, 0.3, 0.3),), framed=(0.5, 0.1, 0.9, 0.4), text="gate"))
    assert (image == before).all()
    assert (edited[10:30, 10:30] == blur_regions(image, [(10, 10, 30, 30)])[10:30, 10:30]).all()
    assert edited[10, 60].tolist() == [255, 210, 0]
    assert (edited[-1] < 10).any()
    assert (edited[15:35, 55:85] == image[15:35, 55:85]).all()


@pytest.mark.parametrize("region", [(-5, -5, 12, 12), (30, 30, 60, 60), (5, 5, 5.2, 5.2), (90, 0, 95, 4)])
def test_a_region_keeps_no_detail_and_the_rest_stays(region: tuple[float, float, float, float]) -> None:
    image = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    before = image.copy()
    blurred = blur_regions(image, [region])
    assert (image == before).all()
    inside = np.zeros((40, 40), bool)
    inside[max(0, int(region[1])) : int(np.ceil(region[3])), max(0, int(region[0])) : int(np.ceil(region[2]))] = True
    assert (blurred[~inside] == image[~inside]).all()
    if inside.sum() > 16:
        assert blurred[inside].std() < image[inside].std() / 2
