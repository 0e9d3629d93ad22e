"""Runs a profile's models on the labeled footage: its detector, its encoder's texts, and the whole pipeline."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import ConfigurationError
from anomalylmm.footage.crops import context_box, cut
from anomalylmm.posture.classes import STILLS
from anomalylmm.protocols import PersonDetector
from anomalylmm.query.masking import mask_query
from anomalylmm.records import Query
from benchmarks.real import crops, persons
from benchmarks.real.footage import (
    EVENTS,
    POSTURES,
    Part,
    find_root,
    iter_images,
    list_files,
    read_crops,
    read_pictures,
    read_rows,
    source_of,
)
from benchmarks.real.harder import write_harder
from flows.composition import Composition
from flows.evaluate.ablation.postures import score_picture
from flows.evaluate.clips.evaluating import ClipRequest, evaluate_clips
from flows.sweep.coarse_search import encode_views, mean_views

MIN_CONFIDENCE = 0.05  # of the detections of which the average precision is made
SCALE = 50.0  # from cosines to logits, about what dual encoders learn; the order of the postures does not need it
MARGIN = 0.15  # of crops for colors, as the pocket profile cuts
TEXTS: Mapping[str, Sequence[str]] = {
    "standing": ("a person standing",),
    "walking": ("a person walking",),
    "running": ("a person running",),
    "sitting": ("a person sitting",),
    "crouching": ("a person crouching",),
    "other": ("a person bending over", "a person on a bicycle", "a person carrying something", "a person waving"),
    "falling": ("a person falling to the ground",),
    "lying": ("a person lying on the ground",),
    "fighting": ("two people fighting",),
}
GARMENTS = {"upper": "a person in a {} jacket", "lower": "a person in {} trousers"}
CropReader = Callable[[Sequence[NDArray[np.uint8]]], NDArray[np.floating]]  # N crops to (N, 9) shares of the postures


def measure_persons(detector: PersonDetector, data: Path, part: Part, threshold: float) -> dict[str, Any]:
    """Scores a detector that gives boxes down to ``MIN_CONFIDENCE`` on the labeled boxes of a part."""
    pictures, found, seconds = read_pictures(part), [], []
    for picture, image in zip(pictures, iter_images(data, [item.name for item in pictures]), strict=True):
        began = time.perf_counter()
        (detected,) = detector.detect([image])
        seconds.append(time.perf_counter() - began)
        sides = np.array([image.shape[1], image.shape[0]] * 2)
        found.append(
            persons.ScoredPicture(
                truth=np.array([person.box for person in picture.persons]) * sides,
                postures=tuple(person.posture for person in picture.persons),
                boxes=np.asarray(detected.boxes_xyxy_px, np.float64),
                scores=np.asarray(detected.scores, np.float64),
                height_px=image.shape[0],
            )
        )
    return {
        "detector": detector.model_id,
        **persons.score(found, threshold),
        "by_source": _score_sources([source_of(picture.name) for picture in pictures], found, threshold),
        "ms_a_picture": round(1000 * statistics.median(seconds), 1),
    }


def _score_sources(
    sources: Sequence[str], found: Sequence[persons.ScoredPicture], threshold: float
) -> dict[str, dict[str, object]]:
    names = ("pictures", "persons", "recall", "ap50", "false_a_picture")
    groups = {name: [item for source, item in zip(sources, found, strict=True) if source == name] for name in sources}
    scored = {name: persons.score(group, threshold) for name, group in sorted(groups.items())}
    return {name: {key: figures[key] for key in names} for name, figures in scored.items()}


def measure_crops(read: CropReader, data: Path, part: Part) -> dict[str, Any]:
    """Scores what reads postures off crops on the labeled crops of a part."""
    listed = read_crops(part, data)
    root = find_root(data)
    images = [np.ascontiguousarray(cv2.imread(str(root / file))[..., ::-1]) for file, _ in listed]
    return crops.score(read(images), [label for _, label in listed])


def read_by_texts(composition: Composition, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.floating]:
    """Reads postures as the coarse search does: cosines of the encoder's crops and texts; (N, 9) shares."""
    vectors = composition.encoder.encode_images(list(images))
    best = [(vectors @ _encode(composition, texts).T).max(axis=1) for texts in TEXTS.values()]
    logits = SCALE * np.stack(best, axis=1)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def read_by_joints(composition: Composition, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.floating]:
    """Reads postures off the joints of each crop's largest person; (N, 9) shares, finer stills counted as other."""
    if composition.bodies is None:
        raise ConfigurationError('the profile estimates no poses; set pose.family to something else than "none"')
    scores = [score_picture(composition.detector, composition.bodies, image) for image in images]
    folded = np.zeros((len(STILLS), len(POSTURES)))
    for number, name in enumerate(STILLS):
        folded[number, POSTURES.index(name if name in POSTURES else "other")] = 1
    return np.asarray(np.stack(scores)[:, : len(STILLS)] @ folded)


def _encode(composition: Composition, texts: Sequence[str]) -> NDArray[np.floating]:
    queries = [
        Query(name=str(number), text=text, cloze=mask_query(text, composition.lexicon), version=str(number))
        for number, text in enumerate(texts)
    ]
    return mean_views(encode_views(composition.encoder, composition.lexicon, queries))


def measure_colors(composition: Composition, data: Path, part: Part) -> dict[str, Any]:
    """Scores the colors that the encoder's texts see on the persons of a part."""
    boxes = {picture.name: picture.persons for picture in read_pictures(part)}
    rows = [row for row in read_rows("colors.csv") if row["picture"] in boxes]
    images = iter_images(data, [row["picture"] for row in rows])
    cut_out = [
        _cut(image, boxes[row["picture"]][int(row["person"])].box) for row, image in zip(rows, images, strict=True)
    ]
    vectors, words = composition.encoder.encode_images(cut_out), composition.lexicon.words("color")
    figures = {}
    for garment, text in GARMENTS.items():
        cosines = vectors @ _encode(composition, [text.format(word) for word in words]).T
        guessed = [words[index] for index in cosines.argmax(axis=1)]
        figures[garment] = crops.score_colors(guessed, [crops.read_accepted(row, garment) for row in rows])
    return figures


def _cut(image: NDArray[np.uint8], share: Sequence[float]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    box = (share[0] * width, share[1] * height, share[2] * width, share[3] * height)
    return cut(image, context_box(box, width, height, margin=MARGIN))


def measure_clips(
    composition: Composition,
    data: Path,
    parts: Sequence[Part],
    out: Path,
    queries: Path | None,
    harder: str | None = None,
) -> dict[str, Any]:
    """Scores the whole pipeline on the clips of some parts in one store; the report with pictures lies in ``out``.

    Args:
        composition: Builds what the pipeline needs.
        data: Folder of the real footage.
        parts: Parts whose clips lie in the store.
        out: Folder of the report.
        queries: File of the user's own queries.
        harder: In which of ``WAYS`` copies of the clips are made harder; None: they are read as they are.
    """
    only = tuple(file for part in parts for file in list_files(part, "videos/"))
    folder = find_root(data)
    with TemporaryDirectory() as copies:
        if harder:
            write_harder([folder / file for file in only], Path(copies) / "videos", harder)
            folder = Path(copies)
        request = ClipRequest(folder=folder, out=out, labels=EVENTS, queries=queries, only=only)
        return evaluate_clips(composition, request).document
