"""ultralytics' trackers fed with our detections, without a YOLO model of theirs."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import ConfigurationError
from anomalylmm.models.detect.yolo import import_ultralytics
from anomalylmm.records import Detections, Image

TRACKERS = ("bytetrack", "botsort")
NO_TRACK = -1
MAX_REACH = 1.0  # beyond that, boxes of a crowd all meet each other


class UltralyticsTracker:
    """Links the detections of one video; make a new one for each video. Implements ``Tracker``."""

    def __init__(
        self,
        name: str,
        *,
        sample_fps: float,
        buffer_seconds: float,
        min_score: float,
        reach_per_second: float,
    ) -> None:
        """Builds the tracker.

        At a few frames a second, a walking person leaves their box between two frames, so boxes are linked by
        their overlap after each has grown on all sides (buffered IoU: Yang et al., "Hard to Track Objects
        with Irregular Motions and Similar Appearances? Make It Easier by Buffering the Matching Space", WACV 2023).

        Args:
            name: ``"bytetrack"`` or ``"botsort"`` (corrects the motion of the camera, never looks at appearance).
            sample_fps: Frames a second that ``update`` will see.
            buffer_seconds: How long a person may be hidden before the track ends.
            min_score: Confidence from which a detection may begin a track.
            reach_per_second: Share of its width and height by which a box grows on each side for each second between
                frames, at most by its own size.

        Raises:
            ConfigurationError: There is no tracker of that name.
        """
        if name not in TRACKERS:
            raise ConfigurationError(f"there is no tracker {name!r}; use one of {', '.join(TRACKERS)}")
        import_ultralytics()
        from ultralytics.trackers.track import TRACKER_MAP
        from ultralytics.utils import YAML, IterableSimpleNamespace
        from ultralytics.utils.checks import check_yaml

        options = YAML.load(check_yaml(f"{name}.yaml"))
        options["track_buffer"] = max(1, round(buffer_seconds * sample_fps))
        options["new_track_thresh"] = options["track_high_thresh"] = min_score
        self._tracker: Any = TRACKER_MAP[name](args=IterableSimpleNamespace(**options))
        self._reach = min(MAX_REACH, reach_per_second / sample_fps)
        self._wants_images = name == "botsort"

    def update(self, detections: Detections, image: Image) -> NDArray[np.int64]:
        """Gives each of N detections its track number, or -1 where it belongs to none; shape (N,).

        A track seen for the first time has its number at once: who passes in a moment is not lost, and whoever takes
        the tracks decides how many detections make one.
        """
        numbers = np.full(len(detections), NO_TRACK, np.int64)
        picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if self._wants_images else None
        self._tracker.update(boxes_of(detections, image.shape[:2], self._reach), picture)
        for track in self._tracker.tracked_stracks:
            index = int(track.idx)
            if track.frame_id == self._tracker.frame_id and 0 <= index < len(numbers):
                numbers[index] = int(track.track_id)
        return numbers


def boxes_of(detections: Detections, shape: tuple[int, ...], reach: float) -> Any:
    """Our detections, grown on each side by a share of their size, as the record that ultralytics' trackers read."""
    from ultralytics.engine.results import Boxes

    boxes = detections.boxes_xyxy_px
    grown = reach * (boxes[:, 2:] - boxes[:, :2])
    classes = np.zeros((len(detections), 1), np.float32)
    table = np.hstack([boxes[:, :2] - grown, boxes[:, 2:] + grown, detections.scores[:, None], classes])
    return Boxes(table.astype(np.float32), shape)
