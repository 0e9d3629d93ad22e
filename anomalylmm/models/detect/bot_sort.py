"""ultralytics' BoT-SORT fed with our detections, without a YOLO model of theirs; it loads torch."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from anomalylmm.models.detect.byte_tracker import MAX_REACH, NO_TRACK, grow
from anomalylmm.models.detect.yolo import import_ultralytics
from anomalylmm.records import Detections, Image


class BotSortTracker:
    """Links the detections of one video; make a new one for each video. Implements ``Tracker``.

    As ``ByteTracker``, but it corrects the motion of the camera. It never looks at appearance.
    """

    def __init__(self, *, sample_fps: float, buffer_seconds: float, min_score: float, reach_per_second: float) -> None:
        """Builds the tracker; its settings are those of ``ByteTracker``."""
        import_ultralytics()
        from ultralytics.trackers.bot_sort import BOTSORT
        from ultralytics.utils import YAML, IterableSimpleNamespace
        from ultralytics.utils.checks import check_yaml

        options = YAML.load(check_yaml("botsort.yaml"))
        options["track_buffer"] = max(1, round(buffer_seconds * sample_fps))
        options["new_track_thresh"] = options["track_high_thresh"] = min_score
        self._tracker: Any = BOTSORT(args=IterableSimpleNamespace(**options))
        self._reach = min(MAX_REACH, reach_per_second / sample_fps)

    def update(self, detections: Detections, image: Image) -> NDArray[np.int64]:
        """Gives each of N detections its track number, or -1 where it belongs to none; shape (N,)."""
        numbers = np.full(len(detections), NO_TRACK, np.int64)
        picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        self._tracker.update(boxes_of(detections, image.shape[:2], self._reach), picture)
        for track in self._tracker.tracked_stracks:
            index = int(track.idx)
            if track.frame_id == self._tracker.frame_id and 0 <= index < len(numbers):
                numbers[index] = int(track.track_id)
        return numbers


def boxes_of(detections: Detections, shape: tuple[int, ...], reach: float) -> Any:
    """Our detections, grown on each side by a share of their size, as the record that ultralytics' trackers read."""
    from ultralytics.engine.results import Boxes

    classes = np.zeros((len(detections), 1))
    table = np.hstack([grow(detections.boxes_xyxy_px, reach), detections.scores[:, None], classes])
    return Boxes(table.astype(np.float32), shape)
