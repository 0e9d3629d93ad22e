"""Where boxes will be in the next frame: a Kalman filter of constant velocity, for many boxes at once. Pure."""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

_PLACE_SHARE = 1 / 20  # of the height of a box: how unsure its place is
_SPEED_SHARE = 1 / 160  # and its speed, a frame
_STEP = np.eye(8) + np.eye(8, k=4)  # a frame later, each value has grown by its speed


class BoxMotion:
    """Places and speeds of N boxes, as (x, y, aspect, height) of each box and how they change from frame to frame.

    The noise of ByteTrack (Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV
    2022) and its forerunners: in proportion to the height of the box, and hardly any for its aspect.
    """

    def __init__(self, mean: Numbers, covariance: Numbers) -> None:
        """Takes means (N, 8) and covariances (N, 8, 8)."""
        self.mean, self.covariance = mean, covariance

    @classmethod
    def at(cls, boxes: Numbers) -> "BoxMotion":
        """Begins with boxes (N, 4) x0, y0, x1, y1 that stand still."""
        seen = _to_places(boxes)
        noise = _noise(seen[:, 3], 2 * _PLACE_SHARE, 10 * _SPEED_SHARE, aspect=1e-2, turning=1e-5)
        return cls(np.hstack([seen, np.zeros_like(seen)]), noise)

    @classmethod
    def joined(cls, motions: "list[BoxMotion]") -> "BoxMotion":
        """Puts the boxes of several together, in their order."""
        means, covariances = [one.mean for one in motions], [one.covariance for one in motions]
        return cls(np.concatenate([np.zeros((0, 8)), *means]), np.concatenate([np.zeros((0, 8, 8)), *covariances]))

    def __getitem__(self, index: int) -> "BoxMotion":
        return BoxMotion(self.mean[index : index + 1], self.covariance[index : index + 1])

    @property
    def boxes(self) -> Numbers:
        """The boxes (N, 4) x0, y0, x1, y1."""
        center, height = self.mean[:, :2], self.mean[:, 3:4]
        half = np.hstack([self.mean[:, 2:3] * height, height]) / 2
        return np.hstack([center - half, center + half])

    def predicted(self, is_lost: NDArray[np.bool_]) -> "BoxMotion":
        """Moves on by a frame; boxes that are lost (N,) stop growing."""
        mean = self.mean.copy()
        mean[is_lost, 7] = 0
        noise = _noise(mean[:, 3], _PLACE_SHARE, _SPEED_SHARE, aspect=1e-2, turning=1e-5)
        return BoxMotion(mean @ _STEP.T, _STEP @ self.covariance @ _STEP.T + noise)

    def corrected(self, boxes: Numbers) -> "BoxMotion":
        """Takes in the boxes (N, 4) that were found."""
        noise = _noise(self.mean[:, 3], _PLACE_SHARE, 0.0, aspect=1e-1, turning=0.0)[:, :4, :4]
        expected = self.covariance[:, :4, :4] + noise
        gain = np.linalg.solve(expected, self.covariance[:, :4, :]).transpose(0, 2, 1)  # N,8,4
        surprise = _to_places(boxes) - self.mean[:, :4]
        mean = self.mean + (gain @ surprise[:, :, None])[:, :, 0]
        return BoxMotion(mean, self.covariance - gain @ expected @ gain.transpose(0, 2, 1))


def overlaps(one: NDArray[np.floating], other: NDArray[np.floating]) -> Numbers:
    """Intersection over union of boxes (N, 4) and (M, 4); shape (N, M)."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (one, other)]
    return np.asarray(shared / (areas[0][:, None] + areas[1][None, :] - shared + 1e-7), np.float64)


def _to_places(boxes: Numbers) -> Numbers:
    """Center x and y, aspect and height (N, 4) of boxes (N, 4)."""
    size = boxes[:, 2:] - boxes[:, :2]
    return np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, size[:, :1] / size[:, 1:], size[:, 1:]])


def _noise(heights: Numbers, place: float, speed: float, *, aspect: float, turning: float) -> Numbers:
    """Variances (N, 8, 8) for boxes of these heights (N,)."""
    deviations = np.empty((len(heights), 8))
    deviations[:, [0, 1, 3]], deviations[:, 2] = place * heights[:, None], aspect
    deviations[:, [4, 5, 7]], deviations[:, 6] = speed * heights[:, None], turning
    return np.asarray(deviations[:, :, None] ** 2 * np.eye(8))
