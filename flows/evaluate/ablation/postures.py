"""What joints say of a benchmark's pictures, computed once and kept; a picture shows no change over time."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from anomalylmm.posture.bodies import BodyReader
from anomalylmm.posture.classes import CHANGES, STILLS
from anomalylmm.protocols import PersonDetector
from anomalylmm.records import Detections, Floats, Image
from flows.composition import Composition
from flows.evaluate.ablation.ranking import CHUNK, digest_images, read_vectors
from flows.evaluate.benchmark.records import GalleryImage, read_picture
from flows.runs.progress import Listener
from storage.disk.files import replace_file

MARGIN = 0.05  # of a picture's sides, left out where nobody is found: the picture was cut around a person


def read_postures(
    composition: Composition, images: Sequence[GalleryImage], folder: Path, listener: Listener
) -> Floats | None:
    """Reads the posture scores (N, P) of all pictures; None where the profile estimates no poses.

    Each chunk is kept in the folder, so a second run reads no picture.

    Raises:
        ArchiveError: A picture can't be read.
        StoreError: The folder can't be written.
    """
    if composition.bodies is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    ids = composition.model_ids()
    model = "+".join(ids[name] for name in ("detector", "pose", "posture"))
    listener.start("postures", len(images))
    parts = []
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK]
        parts.append(_read_chunk(composition.detector, composition.bodies, chunk, folder / digest_images(chunk, model)))
        listener.advance("postures", len(chunk))
    return np.concatenate(parts)


def _read_chunk(detector: PersonDetector, bodies: BodyReader, chunk: Sequence[GalleryImage], path: Path) -> Floats:
    kept = path.with_suffix(".postures.npy")
    known = read_vectors(kept, (len(chunk), len(STILLS) + len(CHANGES)))
    if known is not None:
        return known
    scores = np.stack([score_picture(detector, bodies, read_picture(image.path)) for image in chunk])
    content = io.BytesIO()
    np.save(content, scores)
    replace_file(kept, content.getvalue(), scratch=kept.parent)
    return scores


def score_picture(detector: PersonDetector, bodies: BodyReader, image: Image) -> Floats:
    """Scores the postures (P,) of the largest person of a picture; a fall is what a still shows of one."""
    persons = order_persons(detector.detect([image])[0], image)
    stills = bodies.read([image], [persons])[0].stills[0]
    return np.concatenate([stills, [stills[STILLS.index("falling")], stills[STILLS.index("running")]]])


def order_persons(found: Detections, image: Image) -> Detections:
    """Puts the person whom the picture shows first: the largest; nearly the whole picture where nobody is found."""
    if not len(found):
        height, width = image.shape[:2]
        box = np.array([[MARGIN * width, MARGIN * height, (1 - MARGIN) * width, (1 - MARGIN) * height]], np.float32)
        return Detections(boxes_xyxy_px=box, scores=np.ones(1, np.float32))
    boxes = found.boxes_xyxy_px
    order = np.argsort(-np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), kind="stable")
    return Detections(boxes_xyxy_px=boxes[order], scores=found.scores[order])
