"""The picture of one hit as it is exported: heads of bystanders blurred in both of its halves."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from anomalylmm.errors import VideoError
from anomalylmm.footage.edits import blur_regions
from anomalylmm.protocols import PersonDetector
from anomalylmm.records import Box, CropRow, Image
from flows.export.bystanders import find_same, head_region, others
from flows.export.looking import Scene
from flows.index.units.cropping import read_jpeg, write_jpeg
from flows.report.pictures import SIDE_PX, draw_box, place_in_crop

JPEG_QUALITY = 90


def build_still(path: Path, row: CropRow | None, detector: PersonDetector | None, scene: Scene | None) -> bytes:
    """Gives the JPEG of a hit's picture, with a detector blurred; drawn anew from its crop where the store has lost it.

    Heads are looked for in the crop, and in the whole frame where the source video is there: a person at the edge of
    the crop is found more surely in the frame.

    Raises:
        VideoError: There is neither a picture nor a crop, or nobody can say where heads are to be blurred.
        OSError: The picture can't be read.
    """
    if detector is None and path.is_file():
        return path.read_bytes()
    if row is None:
        raise VideoError(
            f"{path.name} is left out: without its crop it is not known where heads are to be blurred"
            if path.is_file()
            else f"{path.name} is missing, and so is the crop it was drawn from"
        )
    crop = read_jpeg(row.jpeg)
    heads = [*find_heads(crop, row, detector), *heads_in_crop(scene, row, crop)] if detector is not None else []
    pair = read_jpeg(path.read_bytes()) if path.is_file() else None
    if pair is not None and pair.shape[1] == 2 * SIDE_PX and pair.shape[0] >= SIDE_PX:
        pair = pair[:SIDE_PX]  # frames of a moment below it are left out: heads were not looked for in them
        return write_jpeg(blur_regions(pair, place_in_pair(heads, crop)), JPEG_QUALITY)
    return write_jpeg(draw_box(blur_regions(crop, heads), row), JPEG_QUALITY)


def find_heads(crop: Image, row: CropRow, detector: PersonDetector) -> list[Box]:
    """The heads of all persons in a crop but the one it is of."""
    boxes = detector.detect([crop])[0].boxes_xyxy_px
    mine = find_same(boxes, box_in_crop(row, crop, row.box_xyxy_px))
    return [head_region(box) for box in others(boxes, mine)]


def heads_in_crop(scene: Scene | None, row: CropRow, crop: Image) -> list[Box]:
    """The heads of others in the source's frame of the crop's time, in pixels of the crop's picture."""
    if scene is None:
        return []
    heads = [np.array(head) * row.frame_width_px for head in scene.heads_near(row.pts_seconds)]
    return [box_in_crop(row, crop, (head[0], head[1], head[2], head[3])) for head in heads]


def box_in_crop(row: CropRow, crop: Image, box: Box) -> Box:
    """A box of the frame in pixels of the crop's picture."""
    left, top, right, bottom = place_in_crop(crop, row, np.reshape(box, (2, 2))).ravel().tolist()
    return left, top, right, bottom


def place_in_pair(regions: Sequence[Box], crop: Image) -> list[Box]:
    """Regions of the crop where they lie in the pair of pictures, each fitted into a square (see ``draw_pair``)."""
    height, width = crop.shape[:2]
    scale = SIDE_PX / max(height, width)
    left, top = (SIDE_PX - round(width * scale)) // 2, (SIDE_PX - round(height * scale)) // 2
    inside = np.clip(np.array(regions).reshape(-1, 4), 0, (width, height, width, height))
    once = inside * scale + (left, top, left, top)
    halves = [(box.tolist(), shift) for box in once for shift in (0, SIDE_PX)]
    return [(box[0] + shift, box[1], box[2] + shift, box[3]) for box, shift in halves]
