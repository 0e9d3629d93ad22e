"""The strip below a result's picture: the frames of the moment that the judge saw, in time order, with their maps."""

import cv2
import numpy as np

from anomalylmm.records import Clip, Image
from anomalylmm.rerank.saliency import overlay

COLUMNS = 4
FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_strip(clip: Clip, patch_maps: np.ndarray, best_seconds: float, width_px: int) -> Image:
    """Draws T frames in reading order, each with its map (T, R, C) over it and its time from the best one."""
    side = width_px // COLUMNS
    cells = [
        _draw_cell(cv2.addWeighted(image, 0.5, overlay(image, patch_map), 0.5, 0), side, time - best_seconds)
        for image, patch_map, time in zip(clip, patch_maps, clip.pts_seconds, strict=True)
    ]
    cells += [np.zeros((side, side, 3), np.uint8)] * (-len(cells) % COLUMNS)
    rows = [np.hstack(cells[start : start + COLUMNS]) for start in range(0, len(cells), COLUMNS)]
    return np.pad(np.vstack(rows), ((0, 0), (0, width_px - COLUMNS * side), (0, 0)))


def _draw_cell(image: Image, side: int, seconds: float) -> Image:
    """Puts a frame into a black square and writes its time into the corner."""
    cell = center(fit(image, side, cv2.INTER_LINEAR), side)
    text = f"{seconds:+.1f} s"
    (wide, tall), below = cv2.getTextSize(text, FONT, 0.4, 1)
    cv2.rectangle(cell, (0, 0), (wide + 6, tall + below + 4), (0, 0, 0), -1)
    cv2.putText(cell, text, (3, tall + 3), FONT, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
    return cell


def fit(image: Image, side: int, enlarging: int) -> Image:
    """Makes the longer side of a picture ``side`` pixels; ``enlarging`` is OpenCV's way to enlarge a smaller one."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else enlarging), np.uint8)


def center(image: Image, side: int) -> Image:
    """Puts a picture into the middle of a black square."""
    height, width = image.shape[:2]
    canvas = np.zeros((side, side, 3), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    canvas[top : top + height, left : left + width] = image
    return canvas
