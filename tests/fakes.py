"""Small stand-ins for the models: a detector of bright blocks, an encoder of colors, a judge that knows colors."""

from collections.abc import Sequence
from fractions import Fraction
from functools import cache, cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from anomalylmm.protocols import Views
from anomalylmm.records import Detections, Floats, Image
from flows.composition import Composition
from flows.index.indexing import index_archive
from flows.settings.model import Settings
from flows.sweep.sweeping import sweep_store
from storage.disk.layout import StoreLayout
from tests.adapters import build_source, build_tracker

COLORS = {"red": (220, 40, 40), "green": (40, 200, 60), "blue": (50, 70, 220)}
SIZE = (320, 240)


def write_video(path: Path, blocks: Sequence[tuple[str, float, float]], *, seconds: float = 6.0, fps: int = 8) -> Path:
    """Writes an H.264 clip in which colored blocks (color, start, stop seconds) walk through a gray street."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_encode(path.suffix, tuple(blocks), seconds, fps))
    return path


@cache
def _encode(suffix: str, blocks: tuple[tuple[str, float, float], ...], seconds: float, fps: int) -> bytes:
    """The content of a clip, encoded once for all tests that want it."""
    with NamedTemporaryFile(suffix=suffix) as file, av.open(file.name, "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.time_base = Fraction(1, fps)
        for number in range(int(seconds * fps)):
            image = draw(blocks, number / fps, seconds)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        container.close()
        return Path(file.name).read_bytes()


def draw(blocks: Sequence[tuple[str, float, float]], at: float, seconds: float) -> Image:
    """Draws one frame (H, W, 3)."""
    width, height = SIZE
    image = np.full((height, width, 3), 90, np.uint8)
    for lane, (color, start, stop) in enumerate(blocks):
        if start <= at < stop:
            left = int(20 + (width - 80) * at / seconds)
            top = 20 + lane * 70
            cv2.rectangle(image, (left, top), (left + 30, top + 60), COLORS[color], -1)
    return image


class BlockDetector:
    """Finds saturated blocks."""

    model_id = "block-detector@1"

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Finds them by saturation and connected components."""
        return [self._one(image) for image in images]

    def _one(self, image: Image) -> Detections:
        _, _, stats, _ = cv2.connectedComponentsWithStats(_find_saturated(image))
        boxes = [(x, y, x + w, y + h) for x, y, w, h, area in stats[1:].tolist() if area > 300]
        return Detections(
            boxes_xyxy_px=np.array(boxes, np.float32).reshape(-1, 4), scores=np.full(len(boxes), 0.9, np.float32)
        )


class ColorEncoder:
    """Encodes an image by its most saturated color and a text by the colors it names."""

    model_id = "color-encoder@1"
    dimension = 4

    def encode_images(self, images: Sequence[Image]) -> Floats:
        """Gives (N, 4) unit rows."""
        return _unit([[*main_color(image), 20.0] for image in images])

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Gives (Q, 4) unit rows."""
        found = [[COLORS[name] for name in COLORS if name in text] for text in texts]
        return _unit([[*np.mean(colors, axis=0), 20.0] if colors else [100, 100, 100, 20.0] for colors in found])

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Knows all but one word."""
        return ("flibbertigibbet",) if "flibbertigibbet" in text else ()

    def cut_off(self, text: str) -> str:
        """Reads any length."""
        return ""

    def patch_maps(self, images: Sequence[Image], text: str) -> Floats:
        """Gives a map that is warm in the middle."""
        warm = np.zeros((4, 4), np.float32)
        warm[1:3, 1:3] = 1.0
        return np.repeat(warm[None], len(images), axis=0)


def _unit(rows: Sequence[Sequence[float]]) -> Floats:
    array = np.asarray(rows, np.float32).reshape(-1, 4)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def _find_saturated(image: Image) -> Image:
    """Tells colored pixels (1) from gray ones (0), (H, W)."""
    red, green, blue = cv2.split(image)  # by channel: in numpy, an axis of three is slow
    spread = cv2.subtract(cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue))
    return cv2.threshold(spread, 60, 1, cv2.THRESH_BINARY)[1]


def main_color(image: Image) -> tuple[float, float, float]:
    """Gives the mean of the saturated pixels."""
    saturated = image[_find_saturated(image) > 0].astype(float)
    means = saturated.mean(axis=0) if len(saturated) else (90.0, 90.0, 90.0)
    return float(means[0]), float(means[1]), float(means[2])


class ColorJudge:
    """Knows colors; believes that everybody walks."""

    judge_id = "color-judge@1"
    max_views = 2
    moment_way = "pictures"

    def __init__(self) -> None:
        self.calls = 0

    def complete(self, views: Sequence[Views], prompt: str) -> list[str]:
        """Fills each blank with the color of the first view, or walking."""
        self.calls += len(views)
        blanks = prompt.count("[MASK]")
        return [", ".join([nearest_color(view[0])] * max(0, blanks - 1) + ["walking"]) for view in views]

    def score_answers(self, views: Sequence[Views], prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        """Gives (N, A): words that are true are likelier by a factor of e^4 each."""
        self.calls += len(views)
        colors = [nearest_color(view[0]) for view in views]
        return np.array([[self._score(color, answer) for answer in answers] for color in colors])

    def score_answers_blind(self, prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        """Gives (A,): all the same."""
        return np.full(len(answers), -3.0)

    def affirm(self, views: Sequence[Views], prompt: str) -> NDArray[np.float64]:
        """Says yes where the color is named."""
        self.calls += len(views)
        return np.array([3.0 if nearest_color(view[0]) in prompt else -3.0 for view in views])

    @staticmethod
    def _score(color: str, answer: str) -> float:
        return -10.0 + 4.0 * (color in answer) + 4.0 * ("walking" in answer)


def nearest_color(image: Image) -> str:
    """Names the color nearest to an image's main color."""
    color = np.array(main_color(image))
    return min(COLORS, key=lambda name: float(np.abs(color - COLORS[name]).sum()))


class FakeComposition(Composition):
    """A composition of the stand-ins; decoding and tracking are real."""

    def model_ids(self) -> dict[str, str]:
        """The stand-ins' ids."""
        return {"detector": BlockDetector.model_id, "dual_encoder": ColorEncoder.model_id}

    @cached_property
    def detector(self) -> Any:
        """The block detector."""
        return BlockDetector()

    @property
    def has_poses(self) -> bool:
        """Whether a test has given bodies."""
        return self.bodies is not None

    @cached_property
    def bodies(self) -> Any:
        """No poses are estimated."""
        return None

    @cached_property
    def encoder(self) -> Any:
        """The color encoder."""
        return ColorEncoder()

    @cached_property
    def judge(self) -> Any:
        """The color judge."""
        return ColorJudge()

    @cached_property
    def source(self) -> Any:
        """The real decoder."""
        return build_source(batch_frames=4, stall_seconds=20.0)

    def build_tracker(self) -> Any:
        """A real tracker."""
        return build_tracker(sample_fps=self.settings.decode.sample_fps)

    def probe_start(self, path: Path) -> None:
        """Asks no container."""
        return


def compose(**sections: Any) -> FakeComposition:
    """Builds a composition of stand-ins with some settings changed."""
    return FakeComposition(Settings.model_validate({"decode": {"sample_fps": 4.0}, **sections}))


def index_and_sweep(composition: Composition, folder: Path, archive: Path, queries: str) -> StoreLayout:
    """Makes a store in a folder, indexes an archive into it and sweeps it for the queries of ``queries.toml`` there."""
    layout = StoreLayout(folder / "store")
    (folder / "queries.toml").write_text(queries)
    index_archive(composition, layout, archive)
    sweep_store(composition, layout, folder / "queries.toml")
    return layout
