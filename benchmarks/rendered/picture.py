"""From a clean rendering to what a surveillance camera stores: exposure, blur, noise, low resolution, JPEG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from random import Random

    from numpy.typing import NDArray


def exposed(image: NDArray[np.float32], u: Random, *, night: bool) -> NDArray[np.float32]:
    """Brightness, contrast and white balance; night is dark, cold or yellow and pale."""
    out = image * u.uniform(0.85, 1.3) + u.uniform(-8, 12)
    out = (out - out.mean()) * u.uniform(0.8, 1.15) + out.mean()
    tint = np.array([u.uniform(0.94, 1.06) for _ in range(3)], np.float32)
    if night:
        gray = out.mean(2, keepdims=True)
        out = (gray + (out - gray) * u.uniform(0.6, 0.9)) * u.uniform(0.4, 0.65) + u.uniform(0, 10)
        tint *= np.array(u.choice([(1.08, 1.0, 0.85), (0.92, 1.0, 1.1), (1.0, 1.0, 1.0)]), np.float32)
    return np.asarray(np.clip(out * tint, 0, 255), np.float32)


def degraded(image: NDArray[np.float32], u: Random, original_px: int, size: int, *, night: bool) -> NDArray[np.uint8]:
    """The square picture as if its side had been `original_px` in the camera, brought to `size`."""
    side = max(24, original_px)
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    if u.random() < 0.5:
        small = cv2.GaussianBlur(small, (0, 0), u.uniform(0.35, 0.9))
    if u.random() < 0.2:
        small = small + u.uniform(0.4, 0.9) * (small - cv2.GaussianBlur(small, (0, 0), 1.0))
    sigma = u.uniform(0, 4) + (u.uniform(1, 4) if night else 0)
    rng = np.random.default_rng(u.randrange(1 << 30))
    small = small + rng.standard_normal((side, side, 1), dtype=np.float32) * sigma
    stored = compressed(np.clip(small, 0, 255).astype(np.uint8), u.randint(45, 95))
    way = cv2.INTER_AREA if side > size else u.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC])
    return np.asarray(cv2.resize(stored, (size, size), interpolation=way), np.uint8)


def compressed(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """The RGB picture after JPEG."""
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])
