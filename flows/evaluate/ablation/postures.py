"""Posture scores of a benchmark's pictures; a single picture shows no change over time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from anomalylmm.posture.bodies import BodyReader
from anomalylmm.posture.classes import CHANGES, STILLS
from anomalylmm.protocols import PersonDetector
from anomalylmm.records import Detections, Floats, Image
from flows.composition import Composition
from flows.evaluate.ablation.kept_arrays import compute_once
from flows.evaluate.benchmark.records import GalleryImage
from flows.runs.progress import Listener

MARGIN = 0.05  # of each side, left out if nobody is found: the picture was cut around a person


def read_postures(
    composition: Composition, images: Sequence[GalleryImage], folder: Path, listener: Listener
) -> Floats | None:
    """Computes the posture scores (N, P) of all pictures, or reads them; None if the profile estimates no poses.

    Raises:
        ArchiveError: A picture can't be read.
        StoreError: The folder can't be written.
    """
    bodies = composition.bodies
    if bodies is None:
        return None
    ids = composition.model_ids()
    return compute_once(
        images,
        lambda pictures: np.stack([score_picture(composition.detector, bodies, picture) for picture in pictures]),
        width=len(STILLS) + len(CHANGES),
        folder=folder,
        model_id="+".join(ids[name] for name in ("detector", "pose", "posture")),
        suffix=".postures.npy",
        stage="postures",
        listener=listener,
    )


def score_picture(detector: PersonDetector, bodies: BodyReader, image: Image) -> Floats:
    """Scores the postures (P,) of the largest person; the scores of changes are those of the matching stills."""
    persons = order_persons(detector.detect([image])[0], image)
    stills = bodies.read([image], [persons])[0].stills[0]
    return np.concatenate([stills, [stills[STILLS.index("falling")], stills[STILLS.index("running")]]])


def order_persons(found: Detections, image: Image) -> Detections:
    """Sorts persons by size, largest first; if nobody is found, nearly the whole picture counts as one person."""
    if not len(found):
        height, width = image.shape[:2]
        box = np.array([[MARGIN * width, MARGIN * height, (1 - MARGIN) * width, (1 - MARGIN) * height]], np.float32)
        return Detections(boxes_xyxy_px=box, scores=np.ones(1, np.float32))
    boxes = found.boxes_xyxy_px
    order = np.argsort(-np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), kind="stable")
    return Detections(boxes_xyxy_px=boxes[order], scores=found.scores[order])
