"""ultralytics' trackers fed with our detections, without a YOLO model of theirs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import ConfigurationError
from anomalylmm.models.yolo import import_ultralytics
from anomalylmm.records import Detections, Image

TRACKERS = ("bytetrack", "botsort")
NO_TRACK = -1


class UltralyticsTracker:
    """Links the detections of one video; make a new one for each video. Implements ``Tracker``."""

    def __init__(
        self, name: str = "bytetrack", *, sample_fps: float, buffer_seconds: float = 2.0, least_score: float = 0.25
    ) -> None:
        """Builds the tracker.

        Args:
            name: ``"bytetrack"`` or ``"botsort"`` (corrects the motion of the camera, never looks at appearance).
            sample_fps: Frames a second that ``update`` will see.
            buffer_seconds: How long a person may be hidden before the track ends.
            least_score: Confidence from which a detection may begin a track.

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
        options["new_track_thresh"] = options["track_high_thresh"] = least_score
        self._tracker: Any = TRACKER_MAP[name](args=IterableSimpleNamespace(**options))

    def update(self, detections: Detections, image: Image) -> NDArray[np.int64]:
        """Gives each of N detections its track number, or -1 where it belongs to none yet; shape (N,)."""
        numbers = np.full(len(detections), NO_TRACK, np.int64)
        rows = self._tracker.update(boxes_of(detections, image.shape[:2]), np.ascontiguousarray(image[:, :, ::-1]))
        for row in rows:  # x1, y1, x2, y2, track, score, class, detection
            index = int(row[-1])
            if 0 <= index < len(numbers):
                numbers[index] = int(row[4])
        return numbers


def boxes_of(detections: Detections, shape: tuple[int, ...]) -> Any:
    """Our detections as the record that ultralytics' trackers read."""
    from ultralytics.engine.results import Boxes

    classes = np.zeros((len(detections), 1), np.float32)
    table = np.hstack([detections.boxes_xyxy_px, detections.scores[:, None], classes]).astype(np.float32)
    return Boxes(table, shape)
