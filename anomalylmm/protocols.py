"""What a model must offer: small, batch-first protocols, which are all that the method knows of models."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from anomalylmm.footage.edits import FrameEdit
from anomalylmm.records import Clip, DecodeReport, Detections, Floats, FrameBatch, Image, MomentPlace, VideoHeader

Views = Sequence[Image]  # a ``Clip`` where they are a moment's, in time order
# video: all of them as one video; pictures: several in one question, with their times; single: one a question
MomentWay = Literal["video", "pictures", "single"]


class DecodeSession(Protocol):
    """One pass over one video; iterate it, then read its report."""

    header: VideoHeader

    def __iter__(self) -> Iterator[FrameBatch]:
        """Yields sampled frames in time order; never hangs, never raises for damage after the start."""
        ...

    @property
    def report(self) -> DecodeReport:
        """What was decoded so far; final once iteration has ended."""
        ...

    def close(self) -> None:
        """Ends the decoding child, if any; may be called twice."""
        ...


class FrameSource(Protocol):
    """Opens videos for sampled decoding."""

    def open_session(self, path: Path, *, sample_fps: float) -> DecodeSession:
        """Opens one video.

        Raises:
            VideoError: The file can't be decoded at all; the message names it and the reason.
        """
        ...

    def keep_open(self) -> AbstractContextManager["FrameSource"]:
        """Gives a source for many videos, one after another, which may share what a first one needs to start."""
        ...


class ClipCutter(Protocol):
    """Reads every frame of a piece of a video, and makes clips of pieces."""

    def iter_frames(
        self, path: Path, start_seconds: float, stop_seconds: float, max_width_px: int | None = None
    ) -> Generator[tuple[Image, float], None, None]:
        """Yields every frame from start to stop, both included, with its ``pts_seconds``; close the generator.

        Wider frames than ``max_width_px`` are made smaller.

        Raises:
            VideoError: The file can't be decoded at all, or has no frame there.
        """
        ...

    def render(
        self,
        source: Path,
        start_seconds: float,
        stop_seconds: float,
        target: Path,
        edits: Mapping[float, FrameEdit] | None = None,
    ) -> tuple[float, float, int]:
        """Makes a clip of a piece, without sound; frames without an edit are left out, unless none is given.

        Safe to call from several threads.

        Returns:
            Media times of the first and the last frame, and the number of frames.

        Raises:
            VideoError: The source can't be decoded there, or the clip can't be written.
        """
        ...

    def copy(self, source: Path, start_seconds: float, stop_seconds: float, target: Path) -> tuple[float, float] | None:
        """Copies a piece without decoding it, from the key frame before it on, as an MP4 that browsers play.

        Returns:
            Media times of the first and last frame; None if the video can't be copied so.
        """
        ...


class MomentReader(Protocol):
    """Reads a few frames around known times of a video, without decoding all of it."""

    def iter_moments(self, path: Path, places: Sequence[MomentPlace]) -> Iterator[tuple[int, Clip]]:
        """Yields the position of each place with its pictures; a place where the video has no frame is left out.

        Raises:
            VideoError: The file can't be decoded; what was yielded before stays good.
        """
        ...

    def close(self) -> None:
        """Ends the decoding child, if any; may be called twice."""
        ...


class PersonDetector(Protocol):
    """Finds persons in frames."""

    model_id: str

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Finds the persons of N frames; one ``Detections`` per frame."""
        ...


class PoseEstimator(Protocol):
    """Finds the joints of persons whose boxes are known."""

    model_id: str

    def estimate(self, images: Sequence[Image], persons: Sequence[Detections]) -> list[Floats]:
        """Finds the joints of the persons of N frames.

        For each frame (P, 17, 3), in the order of its boxes: x and y in pixels of the frame, score 0..1.
        """
        ...


class Tracker(Protocol):
    """Links detections of one video over time; a new one is made for each video."""

    def update(self, detections: Detections, image: Image) -> NDArray[np.int64]:
        """Returns the track number of each of N detections, -1 for those without a track yet; shape (N,)."""
        ...


class ImageEncoder(Protocol):
    """Turns images into unit vectors."""

    model_id: str
    dimension: int

    def encode_images(self, images: Sequence[Image]) -> Floats:
        """Encodes N images; shape (N, D), rows of unit length."""
        ...


class TextEncoder(Protocol):
    """Turns sentences into unit vectors of the images' space."""

    model_id: str
    dimension: int

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Encodes Q texts; shape (Q, D), rows of unit length."""
        ...

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Words of the text that the encoder was not trained on (empty if it can't tell)."""
        ...

    def cut_off(self, text: str) -> str:
        """The end of a text that is too long for the encoder (empty if there is none, or it can't tell)."""
        ...


class PatchTextMapper(Protocol):
    """Finds where in an image a text applies."""

    def patch_maps(self, images: Sequence[Image], text: str) -> Floats:
        """Patch-text similarity of N images, scaled to 0..1 per image; shape (N, rows, columns)."""
        ...


class Judge(Protocol):
    """The large multi-modal model, asked about candidates in batches."""

    judge_id: str
    max_views: int  # images of one candidate it can be shown in one question
    moment_way: MomentWay  # how it is best shown the pictures of a moment

    def complete(self, views: Sequence[Views], prompt: str) -> list[str]:
        """Writes a short answer to the prompt for each of N candidates."""
        ...

    def score_answers(self, views: Sequence[Views], prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        """Log p(answer | images, prompt), teacher-forced, natural log; shape (N, A)."""
        ...

    def score_answers_blind(self, prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        """Log p(answer | prompt) with an empty (mid-gray) image; shape (A,)."""
        ...

    def affirm(self, views: Sequence[Views], prompt: str) -> NDArray[np.float64]:
        """Yes logit minus no logit at the first answer position; shape (N,)."""
        ...
