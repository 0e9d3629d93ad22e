"""Colors of body pixels: which garment covers a point of the body, and how cloth breaks the light."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.rendered.garment import COLUMN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.rendered.appearance import RGB, Look

REFLECTIVE: RGB = (0.86, 0.88, 0.88)


def paint(attributes: NDArray[np.float32], look: Look) -> NDArray[np.float32]:
    """RGB 0..1 of P points of the body from their P, A rest attributes."""
    a = {name: attributes[:, column] for name, column in COLUMN.items()}
    out = np.empty((len(attributes), 3), np.float32)
    out[:] = look.rgb["skin"]
    upper = _upper_mask(a, look)
    lower = (a["arm"] <= 0.5) & (a["head"] <= 0.5) & (a["height"] <= look.waist_m) & (a["inseam"] < look.inseam)
    out[lower] = look.rgb["lower"]
    out[upper] = look.rgb["upper"]
    _decorate(out, a, upper, look)
    out[(a["foot"] > 0.5) | (a["inseam"] > 1.03)] = look.rgb["shoes"]
    _head(out, a, look)
    cloth = (a["head"] <= 0.5) & (upper | lower)
    out[cloth] *= _folds(a, look)[cloth, None]
    return out


def _upper_mask(a: dict[str, NDArray[np.float32]], look: Look) -> NDArray[np.bool_]:
    arm = a["arm"] > 0.5
    collar = (a["y"] < -0.02) & (a["x"] < 0.05 + np.maximum(0, a["height"] - 0.56)) & (a["height"] > 0.55)
    trunk = ~arm & (a["height"] > look.waist_m) & (a["head"] <= 0.5) & (a["height"] < 0.615) & ~collar
    return np.asarray(np.where(arm, a["sleeve"] < look.sleeve, trunk))


def _decorate(
    out: NDArray[np.float32], a: dict[str, NDArray[np.float32]], upper: NDArray[np.bool_], look: Look
) -> None:
    accent, trunk = look.rgb["accent"], upper & (a["arm"] <= 0.5)
    if look.pattern == "striped":
        out[upper & (a["height"] * 14 % 1 < 0.42)] = accent
    elif look.pattern == "printed":
        out[trunk & (np.abs(a["height"] - 0.36) < 0.07) & (a["x"] < 0.07) & (a["y"] < 0)] = accent
    elif look.pattern == "open":
        out[trunk & (a["x"] < 0.02) & (a["y"] < 0)] = accent
    if look.hi_vis:
        bands = (np.abs(a["height"] - 0.22) < 0.022) | (np.abs(a["height"] - 0.36) < 0.022)
        straps = (np.abs(a["x"] - 0.09) < 0.02) & (a["height"] > 0.36)
        out[trunk & (bands | straps)] = REFLECTIVE
    belt = (np.abs(a["height"] - look.waist_m + 0.012) < 0.012) & (a["arm"] <= 0.5) & (look.upper_kind != "coat")
    out[belt] = np.array(look.rgb["lower"]) * 0.6


def _head(out: NDArray[np.float32], a: dict[str, NDArray[np.float32]], look: Look) -> None:
    head = a["head"] > 0.5
    face_y, face_z = a["face_y"], a["face_z"]
    hair = head & (face_y * 1.05 + face_z > look.hairline)
    if look.hair in ("long", "tied back"):
        hair |= head & (face_y > -0.01) & (face_z > -0.1)
    out[hair] = look.rgb["hair"]
    front = head & ~hair & (face_y < -0.06)
    out[front & (np.abs(face_z - 0.055) < 0.008) & (np.abs(a["x"] - 0.032) < 0.014)] = 0.12
    out[front & (np.abs(face_z + 0.02) < 0.006) & (a["x"] < 0.022)] *= np.array([0.75, 0.45, 0.45], np.float32)
    if look.hat:
        out[head & (face_z > 0.085)] = look.rgb["hat"]


def _folds(a: dict[str, NDArray[np.float32]], look: Look) -> NDArray[np.float32]:
    h, x, s = a["height"], a["x"], look.seed
    return np.asarray(0.9 + 0.1 * np.sin(h * 70 + x * 60 + s) * np.sin(h * 23 + x * 31 + s * 2), np.float32)
