"""How small a person may be: recall by height in 4K frames, by decode width, tiles and detector.image_size.

Run it as ``python -m benchmarks.small_persons DATA``. Labeled persons of the parts learn and validation (see
benchmarks/real/README.md) are scaled down to each height and laid on an empty street of 3840 x 2160 pixels. Nobody is
scaled up, but for the heights over 300. The detector has learned from some of them, so the figures are for comparing
settings.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from anomalylmm.footage.tiles import TiledDetector
from anomalylmm.protocols import PersonDetector
from benchmarks.real.footage import Part, find_file, iter_images, read_pictures
from benchmarks.real.persons import ScoredPicture, match
from flows.composition import Composition
from flows.settings.model import load_settings

WIDTH, HEIGHT = 3840, 2160
HEIGHTS = (40, 60, 80, 100, 130, 160, 200, 250, 300, 600, 1000)  # of persons: the longer side of their box
LARGEST = 300  # that many pixels are enough of a person for any larger height
TILES = (
    (960, 1),
    (960, 2),
    (960, 3),
    (1920, 1),
    (1920, 2),
    (1920, 3),
    (1920, 4),
    (3840, 1),
    (3840, 2),
    (3840, 3),
    (3840, 4),
)
LARGER = ((960, 832), (1920, 832), (1920, 1664))  # decode widths and sizes at which the detector sees whole frames
PARTS: tuple[Part, ...] = ("learn", "validation")
PERSONS_A_FRAME = 12
CONTEXT = 1.0  # of the longer side of a person, kept on each side
TRIES = 200
Picture = NDArray[np.uint8]
Scene = tuple[Picture, list[list[float]]]  # a frame, and the boxes of its persons


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutout:
    """A person with the surroundings."""

    image: Picture = field(repr=False)
    box: NDArray[np.float64] = field(repr=False)  # in the image

    @property
    def side(self) -> float:
        """Longer side of the person in pixels."""
        return float(np.max(self.box[2:] - self.box[:2]))

    def scaled(self, side: float) -> "Cutout":
        """Makes the person that long."""
        scale = side / self.side
        size = (round(self.image.shape[1] * scale), round(self.image.shape[0] * scale))
        small = np.asarray(cv2.resize(self.image, size, interpolation=cv2.INTER_AREA), np.uint8)
        return Cutout(image=small, box=self.box * scale)


def read_cutouts(data: Path) -> list[Cutout]:
    """Cuts all labeled persons who are seen whole."""
    found = []
    for part in PARTS:
        pictures = read_pictures(part)
        for picture, image in zip(pictures, iter_images(data, [item.name for item in pictures]), strict=True):
            size = np.array(image.shape[1::-1] * 2, np.float64)
            found += [_cut(image, np.array(person.box) * size) for person in picture.persons if not person.cut]
    return found


def _cut(image: Picture, box: NDArray[np.float64]) -> Cutout:
    reach = CONTEXT * float(np.max(box[2:] - box[:2]))
    left, top = np.maximum(box[:2] - reach, 0).astype(int)
    right, bottom = np.minimum(box[2:] + reach, image.shape[1::-1]).astype(int)
    return Cutout(image=image[top:bottom, left:right], box=box - np.array([left, top] * 2))


def read_street(data: Path) -> Picture:
    """The street of street.avi without its walkers: the median of many frames, enlarged."""
    stream = cv2.VideoCapture(str(find_file(data, "street.avi")))
    frames = [stream.read()[1] for _ in range(400)][::20]
    street = np.median(np.stack(frames), axis=0).astype(np.uint8)[..., ::-1]
    return np.asarray(cv2.resize(street, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)


def iter_frames(street: Picture, cutouts: Sequence[Cutout], side: int) -> Iterator[Scene]:
    """Yields frames with persons of one size in free places, and their boxes."""
    random = np.random.default_rng(side)
    scaled = [item.scaled(side) for item in cutouts if item.side >= min(side, LARGEST)]
    waiting = [item for item in scaled if item.image.shape[0] < HEIGHT and item.image.shape[1] < WIDTH]
    while waiting:
        image, taken, boxes = street.copy(), np.zeros((HEIGHT, WIDTH), np.bool_), list[list[float]]()
        for _ in range(TRIES):
            if not waiting or len(boxes) == PERSONS_A_FRAME:
                break
            height, width = waiting[-1].image.shape[:2]
            top, left = int(random.integers(HEIGHT - height)), int(random.integers(WIDTH - width))
            place = np.s_[top : top + height, left : left + width]
            if not taken[place].any():
                item = waiting.pop()
                image[place], taken[place] = item.image, True
                boxes.append((item.box + np.array([left, top] * 2)).tolist())
        yield image, boxes


def measure(detector: PersonDetector, scenes: Sequence[Sequence[Scene]], street: Picture, width: int) -> list[float]:
    """Returns the recall of each height, the boxes in the empty street and the CPU time of a frame in ms."""
    recalls, began = list[float](), time.process_time()
    for frames in scenes:
        found = [(match(_score(detector, image, truth, width)) >= 0).sum() for image, truth in frames]
        recalls.append(round(float(sum(found)) / sum(len(truth) for _, truth in frames), 2))
    seconds = (time.process_time() - began) / sum(map(len, scenes))
    empty = _score(detector, street, [], width)
    return [*recalls, len(empty.scores), round(1000 * seconds)]


def _score(detector: PersonDetector, image: Picture, truth: list[list[float]], width: int) -> ScoredPicture:
    """Detects in a frame that is shown that wide."""
    scale = width / WIDTH
    shown = cv2.resize(image, (width, round(HEIGHT * scale)), interpolation=cv2.INTER_AREA) if scale < 1 else image
    (seen,) = detector.detect([np.asarray(shown, np.uint8)])
    return ScoredPicture(
        truth=np.array(truth),
        postures=("",) * len(truth),
        boxes=seen.boxes_xyxy_px / scale,
        scores=seen.scores,
        height_px=HEIGHT,
    )


def build_detectors(profile: str | None) -> Iterator[tuple[int, int, int, PersonDetector]]:
    """Yields decode width, tiles, image size and the detector for each row of the table."""
    settings = load_settings(profile)
    detector = Composition(settings).detector
    for width, tiles in TILES:
        yield width, tiles, settings.detector.image_size, TiledDetector(detector, tiles) if tiles > 1 else detector
    for width, size in LARGER:
        yield width, 1, size, Composition(load_settings(profile, detector={"image_size": size})).detector


def main() -> None:
    """Prints the table and writes it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.small_persons", description=__doc__)
    parser.add_argument("data", type=Path, help="folder that holds real/ and street.avi; see benchmarks/real/README.md")
    parser.add_argument("--profile", help="pocket, cpu or gpu")
    parser.add_argument("--out", type=Path, default=Path("small_persons.json"))
    options = parser.parse_args()
    cutouts, street = read_cutouts(options.data), read_street(options.data)
    scenes = [list(iter_frames(street, cutouts, side)) for side in HEIGHTS]
    rows = []
    for width, tiles, size, detector in build_detectors(options.profile):
        rows.append([width, tiles, size, *measure(detector, scenes, street, width)])
        print(rows[-1], file=sys.stderr, flush=True)
    columns = ["width", "tiles", "image size", *HEIGHTS, "false boxes", "CPU ms a frame"]
    options.out.write_text(json.dumps({"columns": columns, "rows": rows}), encoding="utf-8")
    print("persons:", [sum(len(boxes) for _, boxes in frames) for frames in scenes])
    print("\n".join("| " + " | ".join(map(str, row)) + " |" for row in (columns, ["---"] * len(columns), *rows)))


if __name__ == "__main__":
    main()
