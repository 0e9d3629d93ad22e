"""Turns pictures with BT.2020 colors (HDR: PQ and HLG, and SDR) into BT.709, as a person would see them; pure numpy.

Sources: ITU-R BT.2100 (PQ, HLG), BT.2087 (primaries), BT.2408 (reference white of 203 cd/m2 = 75 % HLG).
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from anomalylmm.records import Floats, Image

WIDE_PRIMARIES = 9  # BT.2020, as FFmpeg numbers them
PQ, HLG = 16, 18  # transfer characteristics, as FFmpeg numbers them
WHITE_NITS, PEAK_NITS = 203.0, 1000.0
HLG_GAMMA = 1.2
DISPLAY_GAMMA = 2.4
KNEE = 0.75  # darker light is kept as it is; what is brighter than white is rolled off above it
STEPS = 4096
LUMINANCE = np.array([0.2627, 0.678, 0.0593], np.float32)  # of BT.2020
TO_BT709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32)


def to_standard(picture: NDArray[np.uint16], transfer: int) -> Image:
    """Maps a picture (H, W, 3; 16 bit, BT.2020) to 8 bit and BT.709."""
    light = _light_of_code(transfer)[picture]
    if transfer == HLG:  # the system's gamma; 75 % of the signal is white
        luminance = np.maximum(light @ LUMINANCE, 1e-6)[..., None]
        light *= luminance ** (HLG_GAMMA - 1) * np.float32(PEAK_NITS / WHITE_NITS)
    narrow = np.maximum(light @ TO_BT709.T, 0)
    brightest = np.maximum(narrow.max(axis=2, keepdims=True), 1e-6)
    if transfer in (PQ, HLG):
        narrow *= _roll_off(brightest) / brightest
    codes = (np.minimum(narrow, 1) * (STEPS - 1)).astype(np.uint16)
    return _code_of_light()[codes]


def _roll_off(light: Floats) -> Floats:
    above = np.maximum(light - KNEE, 0)
    return np.minimum(light, KNEE) + (1 - KNEE) * above / (above + 1 - KNEE)


@cache
def _light_of_code(transfer: int) -> Floats:
    """Light of each 16-bit code value (65536,), white being 1.0; for HLG the scene's light, its peak being 1.0."""
    code = np.linspace(0, 1, 1 << 16)
    if transfer == PQ:
        root = code ** (1 / 78.84375)
        nits = 10_000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
        return (nits / WHITE_NITS).astype(np.float32)
    if transfer == HLG:
        bright = (np.exp((code - 0.55991073) / 0.17883277) + 0.28466892) / 12
        return np.where(code <= 0.5, code**2 / 3, bright).astype(np.float32)
    return (code**DISPLAY_GAMMA).astype(np.float32)


@cache
def _code_of_light() -> NDArray[np.uint8]:
    """8-bit code value of each of the steps of light; (``STEPS``,)."""
    return np.round(255 * np.linspace(0, 1, STEPS) ** (1 / DISPLAY_GAMMA)).astype(np.uint8)
