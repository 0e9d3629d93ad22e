"""The pictures of a result: the crop with the detector's box beside the map of where the behavior shows."""

import base64
from collections.abc import Sequence

import cv2
import numpy as np

from anomalylmm.protocols import PatchTextMapper
from anomalylmm.records import CropRow, Image, Query
from anomalylmm.saliency import overlay
from flows.cropping import read_jpeg, write_jpeg

SIDE_PX = 320
BOX_COLOR = (255, 210, 0)


def behavior_text(query: Query) -> str:
    """Names what the map is of: the action words, or the whole text where there are none."""
    actions = [slot.word for slot in query.cloze.slots if slot.kind == "action"]
    return f"a person {' and '.join(actions)}" if actions else query.text


def draw_pair(row: CropRow, patch_map: np.ndarray) -> Image:
    """Draws the crop with its tight box, and beside it the overlay; (SIDE, 2 * SIDE, 3)."""
    crop = read_jpeg(row.jpeg)
    warm = overlay(crop, patch_map)
    boxed = crop.copy()
    scale_x = crop.shape[1] / max(1.0, row.context_xyxy_px[2] - row.context_xyxy_px[0])
    scale_y = crop.shape[0] / max(1.0, row.context_xyxy_px[3] - row.context_xyxy_px[1])
    left, top = row.context_xyxy_px[0], row.context_xyxy_px[1]
    corners = [
        round(value)
        for value in (
            (row.box_xyxy_px[0] - left) * scale_x, (row.box_xyxy_px[1] - top) * scale_y,
            (row.box_xyxy_px[2] - left) * scale_x, (row.box_xyxy_px[3] - top) * scale_y,
        )
    ]  # fmt: skip
    cv2.rectangle(boxed, corners[:2], corners[2:], BOX_COLOR, max(1, crop.shape[0] // 160))
    return np.hstack([_fit(boxed), _fit(warm)])


def _fit(image: Image) -> Image:
    height, width = image.shape[:2]
    scale = SIDE_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    canvas = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
    top, left = (SIDE_PX - size[1]) // 2, (SIDE_PX - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = small
    return canvas


def draw_results(mapper: PatchTextMapper, query: Query, rows: Sequence[CropRow]) -> list[bytes]:
    """Draws the pictures of a query's results as JPEGs."""
    if not rows:
        return []
    maps = mapper.patch_maps([read_jpeg(row.jpeg) for row in rows], behavior_text(query))
    return [write_jpeg(draw_pair(row, patch_map), 88) for row, patch_map in zip(rows, maps, strict=True)]


def data_url(jpeg: bytes) -> str:
    """Writes a JPEG as a data URL."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
