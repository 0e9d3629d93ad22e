"""Frames with little motion are looked at in part, and boxes come back in the frame's pixels."""

from collections.abc import Sequence

import numpy as np

from anomalylmm.records import Detections, FrameBatch, Image
from flows.index.units.cropping import CropStream
from flows.index.units.streams import Frames, VideoEnd
from flows.settings.model import Settings
from tests.drawn import VIDEO, LaneTracker

WIDTH, HEIGHT = 640, 384
TIMES = [number / 3 for number in range(24)]


class BrightDetector:
    """Finds the one bright thing."""

    model_id = "bright"

    def __init__(self) -> None:
        self.widths: list[int] = []

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        self.widths += [image.shape[1] for image in images]
        return [self._find(image) for image in images]

    def _find(self, image: Image) -> Detections:
        rows, columns = np.nonzero(image[:, :, 0] > 128)
        if not len(rows):
            return Detections(boxes_xyxy_px=np.zeros((0, 4), np.float32), scores=np.zeros(0, np.float32))
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        return Detections(boxes_xyxy_px=np.array([box], np.float32), scores=np.array([0.9], np.float32))


def draw(number: int) -> Image:
    image = np.full((HEIGHT, WIDTH, 3), 30, np.uint8)
    image[200:260, 300 + 6 * number : 330 + 6 * number] = 220
    return image


def boxes(settings: dict[str, object], parts: int = 1) -> tuple[list[list[float]], list[int]]:
    detector = BrightDetector()
    stream = CropStream(Settings.model_validate(settings), detector, LaneTracker, parts=parts)
    batch = FrameBatch(images=tuple(map(draw, range(len(TIMES)))), pts_seconds=tuple(TIMES))
    looks = stream.look(Frames(video=VIDEO, batch=batch)).looks
    looks += stream.look(Frames(video=VIDEO, end=VideoEnd(video=VIDEO), ends_stream=True)).looks
    return [found.boxes_xyxy_px[0].tolist() for _, _, found, _ in looks], detector.widths


def test_parts_give_the_boxes_of_whole_frames() -> None:
    whole, widths = boxes({"detector": {"zoom": False}})
    assert set(widths) == {WIDTH}
    parts, widths = boxes({})
    assert parts == whole
    assert widths.count(WIDTH // 2) > len(TIMES) / 2
    assert widths[::6] == [WIDTH] * 4


def test_small_persons_and_a_gate_that_is_off_need_whole_frames() -> None:
    assert set(boxes({"gate": {"enabled": False}})[1]) == {WIDTH}
    assert set(boxes({}, parts=2)[1]) == {WIDTH}
