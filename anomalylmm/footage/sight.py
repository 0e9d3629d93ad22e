"""Notices a camera that sees nothing: a black, white or empty picture, or one that never changes. Pure."""

import cv2
import numpy as np

from anomalylmm.records import Floats, Image

WIDTH_PX = 96
MAX_SPREAD = 5.0  # gray levels: deviation of a picture without anything in it
BLACK, WHITE = 40.0, 215.0  # mean gray levels below and above which such a picture is black or white
BURNT, BURNT_SHARE = 250.0, 0.8  # gray level of overexposed pixels, and their share in an overexposed picture
BLIND_SHARE = 0.5  # of the frames, from which it is worth telling
# Gray levels between small key frames, measured with x264 (CRF 23 to 36): 2 to 14 for live scenes, dark ones too (noise
# of 0.5 to 4), and 1 for one picture once its encoder has settled. Between key frames, compression can hide noise.
MAX_CHANGE = 1.5
FROZEN_SECONDS = 300.0  # a live picture nearly always changes within that time, if only by its noise


class Sight:
    """Follows the frames of one camera."""

    def __init__(self) -> None:
        """Begins with nothing."""
        self._num_frames = 0
        self._blind = {"black": 0, "white or overexposed": 0, "empty, of one color": 0}
        self._last: Floats | None = None
        self._last_seconds = 0.0
        self._frozen_seconds, self._longest_seconds = 0.0, 0.0

    def look(self, image: Image, pts_seconds: float) -> None:
        """Adds a frame (H, W, 3); times may start again with the next video."""
        height = max(1, round(image.shape[0] * WIDTH_PX / image.shape[1]))
        small = cv2.resize(image, (WIDTH_PX, height), interpolation=cv2.INTER_AREA).astype(np.float32)
        self._num_frames += 1
        kind = _blindness(small)
        if kind:
            self._blind[kind] += 1
        self._follow(small, pts_seconds)

    def _follow(self, small: Floats, pts_seconds: float) -> None:
        """Adds the time since the last frame to that without a change."""
        last = self._last
        if last is not None and last.shape == small.shape and float(np.abs(small - last).max()) <= MAX_CHANGE:
            self._frozen_seconds += max(0.0, pts_seconds - self._last_seconds)
        else:
            self._last, self._frozen_seconds = small, 0.0
        self._last_seconds = pts_seconds
        self._longest_seconds = max(self._longest_seconds, self._frozen_seconds)

    def complaints(self) -> list[str]:
        """Says what is wrong with the pictures, and what to check."""
        found = [
            f"the picture is {kind} in {count / self._num_frames:.0%} of the frames; check the lens and the exposure"
            for kind, count in self._blind.items()
            if count and count >= BLIND_SHARE * self._num_frames
        ]
        if self._longest_seconds >= FROZEN_SECONDS:
            minutes = self._longest_seconds / 60
            found.append(
                f"the picture does not change for {minutes:.0f} minutes; check whether the camera has frozen, or "
                "whether the scene is still and strong compression has removed the noise"
            )
        return found


def _blindness(small: Floats) -> str:
    """Names what makes a small picture (H, W, 3) useless; empty if it shows something."""
    gray = small.mean(axis=2)
    if float((gray >= BURNT).mean()) >= BURNT_SHARE:
        return "white or overexposed"
    if float(small.std(axis=(0, 1)).max()) > MAX_SPREAD:
        return ""
    mean = float(gray.mean())
    if mean <= BLACK:
        return "black"
    return "white or overexposed" if mean >= WHITE else "empty, of one color"
