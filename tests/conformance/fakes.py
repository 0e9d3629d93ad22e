"""The simplest things that keep the protocols; the conformance suite holds them to the same promises."""

import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import VideoError
from anomalylmm.footage.edits import FrameEdit, apply_edit
from anomalylmm.protocols import Views
from anomalylmm.records import DecodeReport, Detections, Floats, FrameBatch, Image, VideoHeader


class FakeSession:
    """Ten black frames, two a batch."""

    header = VideoHeader(
        width_px=160,
        height_px=120,
        num_frames_from_header=60,
        duration_seconds_from_header=6.0,
        average_fps=10.0,
        codec="none",
    )

    def __init__(self, sample_fps: float) -> None:
        self._times = [step / sample_fps for step in range(int(6.0 * sample_fps))]
        self._given = 0
        self._is_closed = False

    def __iter__(self) -> Iterator[FrameBatch]:
        while self._given < len(self._times) and not self._is_closed:
            times = tuple(self._times[self._given : self._given + 2])
            self._given += len(times)
            yield FrameBatch(images=tuple(np.zeros((120, 160, 3), np.uint8) for _ in times), pts_seconds=times)

    @property
    def report(self) -> DecodeReport:
        return DecodeReport(
            status="complete", decoder="fake", num_frames=self._given, seconds_promised=6.0, seconds_decoded=6.0
        )

    def close(self) -> None:
        self._is_closed = True


class FakeSource:
    """Opens any file that is not empty."""

    def open_session(self, path: Path, *, sample_fps: float) -> FakeSession:
        if not path.is_file() or path.stat().st_size < 1000:
            raise VideoError(f"{path} can't be decoded: it is no video; exclude it")
        return FakeSession(sample_fps)

    def keep_open(self) -> AbstractContextManager["FakeSource"]:
        return nullcontext(self)


def keep_frames(path: Path, frames: Iterable[tuple[Image, float]], _options: object = None) -> int:
    """Keeps frames as arrays, whatever the file's suffix says."""
    images, times = zip(*frames, strict=True)
    try:
        with path.open("wb") as file:
            np.savez(file, images=np.stack(images), times=np.array(times))
    except OSError as error:
        raise VideoError(f"{path.name} can't be written: {error}") from error
    return len(images)


class FakeCutter:
    """Reads and makes files of ``keep_frames``."""

    def iter_frames(
        self, path: Path, start_seconds: float, stop_seconds: float, max_width_px: int | None = None
    ) -> Generator[tuple[Image, float], None, None]:
        try:
            with np.load(path) as kept:
                images, times = kept["images"], kept["times"].tolist()
        except (OSError, ValueError) as error:
            raise VideoError(f"{path} can't be decoded: it is no video; exclude it") from error
        wanted = [number for number, at in enumerate(times) if start_seconds <= at <= stop_seconds]
        if not wanted:
            raise VideoError(f"{path} has no frame there")
        step = images.shape[2] // max_width_px if max_width_px else 1
        for number in wanted:
            yield images[number, ::step, ::step], times[number]

    def render(
        self,
        source: Path,
        start_seconds: float,
        stop_seconds: float,
        target: Path,
        edits: Mapping[float, FrameEdit] | None = None,
    ) -> tuple[float, float, int]:
        frames = [
            (apply_edit(image, edits[at]) if edits else image, at)
            for image, at in self.iter_frames(source, start_seconds, stop_seconds)
            if edits is None or at in edits
        ]
        return frames[0][1], frames[-1][1], keep_frames(target, frames)

    def copy(self, *_: object) -> None:
        return None


class FakeDetector:
    """Finds one person where a frame is bright."""

    model_id = "fake-detector"

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        return [self._one(image) for image in images]

    def _one(self, image: Image) -> Detections:
        count = int(image.mean() > 100)
        height, width = image.shape[:2]
        boxes = np.array([[0, 0, width / 2, height]] * count, np.float32).reshape(-1, 4)
        return Detections(boxes_xyxy_px=boxes, scores=np.full(count, 0.9, np.float32))


class FakePose:
    """All joints in the middle of the box."""

    model_id = "fake-pose"

    def estimate(self, images: Sequence[Image], persons: Sequence[Detections]) -> list[Floats]:
        return [self._middle(found.boxes_xyxy_px) for found in persons]

    def _middle(self, boxes: Floats) -> Floats:
        joints = np.full((len(boxes), 17, 3), 0.5, np.float32)
        joints[:, :, :2] = ((boxes[:, :2] + boxes[:, 2:]) / 2)[:, None]
        return joints


class FakeTracker:
    """Gives the first detection of each frame track 1, the second track 2."""

    def update(self, detections: Detections, image: Image) -> NDArray[np.int64]:
        return np.arange(1, len(detections) + 1, dtype=np.int64)


class FakeEncoder:
    """Seeds a random vector with the content of what it encodes."""

    model_id = "fake-encoder"
    dimension = 16

    def encode_images(self, images: Sequence[Image]) -> Floats:
        return self._rows([image.tobytes() for image in images])

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        return self._rows([text.encode() for text in texts])

    def unknown_words(self, text: str) -> tuple[str, ...]:
        return tuple(word for word in text.split() if word == "zorblax")

    def cut_off(self, text: str) -> str:
        return ""

    def patch_maps(self, images: Sequence[Image], text: str) -> Floats:
        maps = np.zeros((len(images), 2, 2), np.float32)
        maps[:, 0, 0] = 1
        return maps

    def _rows(self, contents: list[bytes]) -> Floats:
        rows = [np.random.default_rng(zlib.crc32(content)).normal(size=self.dimension) for content in contents]
        matrix = np.array(rows, np.float32).reshape(-1, self.dimension)
        unit: Floats = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
        return unit


class FakeJudge:
    """Likes short answers and bright images."""

    judge_id = "fake-judge"
    max_views = 2
    moment_way = "pictures"

    def complete(self, views: Sequence[Views], prompt: str) -> list[str]:
        return ["UNKNOWN" for _ in views]

    def score_answers(self, views: Sequence[Views], prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        bright = np.array([float(candidate[0].mean()) for candidate in views]).reshape(-1, 1)
        return -np.array([[float(len(answer)) for answer in answers]]) - bright / 255

    def score_answers_blind(self, prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        return self.score_answers([[np.full((8, 8, 3), 128, np.uint8)]], prompt, answers)[0]

    def affirm(self, views: Sequence[Views], prompt: str) -> NDArray[np.float64]:
        return np.array([float(candidate[0].mean()) / 255 - 0.5 for candidate in views])
