"""The pictures of a result: the crop with its box and skeleton beside the map of where the behavior shows."""

import base64
from collections.abc import Sequence

import cv2
import numpy as np

from anomalylmm.footage.edits import BOX_COLOR
from anomalylmm.posture.skeleton import draw_skeleton
from anomalylmm.protocols import PatchTextMapper
from anomalylmm.records import Clip, CropRow, Image, Query
from anomalylmm.rerank.saliency import overlay
from flows.index.units.cropping import read_jpeg, write_jpeg
from flows.report.strips import center, draw_strip, fit

SIDE_PX = 320


def behavior_text(query: Query) -> str:
    """Names what the map is of: the action words, or the whole text where there are none."""
    return describe_behavior([slot.word for slot in query.cloze.slots if slot.kind == "action"], query.text)


def describe_behavior(actions: Sequence[str], text: str) -> str:
    """Describes a person who does these things; the query's text where there are none."""
    return f"a person {' and '.join(actions)}" if actions else text


def draw_pair(row: CropRow, patch_map: np.ndarray) -> Image:
    """Draws the crop with its tight box and its skeleton, and beside it the overlay; (SIDE, 2 * SIDE, 3).

    There is no skeleton where nothing is known of the person's joints.
    """
    crop = read_jpeg(row.jpeg)
    warm = overlay(crop, patch_map)
    boxed = draw_box(crop.copy(), row)
    crop, warm = (fit(image, SIDE_PX, cv2.INTER_CUBIC) for image in (boxed, warm))
    return np.hstack([center(_draw_body(crop, row), SIDE_PX), center(warm, SIDE_PX)])


def draw_box(crop: Image, row: CropRow) -> Image:
    """Draws the person's tight box into a crop's picture."""
    first, second = np.rint(place_in_crop(crop, row, np.reshape(row.box_xyxy_px, (2, 2)))).astype(int).tolist()
    cv2.rectangle(crop, first, second, BOX_COLOR, max(1, crop.shape[0] // 160))
    return crop


def _draw_body(image: Image, row: CropRow) -> Image:
    """Draws the skeleton on a crop at its final size: drawn before, its lines would grow with a small crop."""
    if row.body is None:
        return image
    keypoints = row.body.keypoints.copy()
    keypoints[:, :2] = place_in_crop(image, row, keypoints[:, :2])
    return draw_skeleton(image, keypoints)


def place_in_crop(image: Image, row: CropRow, places: np.ndarray) -> np.ndarray:
    """Places of the frame, (N, 2) x and y, in pixels of a picture that shows the whole crop; (N, 2)."""
    left, top, right, bottom = row.context_xyxy_px
    scale = image.shape[1] / max(1.0, right - left), image.shape[0] / max(1.0, bottom - top)
    return np.asarray((places - (left, top)) * scale)


def draw_results(
    mapper: PatchTextMapper, query: Query, rows: Sequence[CropRow], moments: Sequence[Clip | None]
) -> list[bytes]:
    """Draws the pictures of a query's results as JPEGs; below the pair are the frames of a moment, if there is one."""
    if not rows:
        return []
    text = behavior_text(query)
    maps = mapper.patch_maps([read_jpeg(row.jpeg) for row in rows], text)
    pictures = []
    for row, patch_map, clip in zip(rows, maps, moments, strict=True):
        picture = draw_pair(row, patch_map)
        if clip:
            strip = draw_strip(clip, mapper.patch_maps(list(clip), text), row.pts_seconds, picture.shape[1])
            picture = np.vstack([picture, strip])
        pictures.append(write_jpeg(picture, 88))
    return pictures


def data_url(jpeg: bytes) -> str:
    """Writes a JPEG as a data URL."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
