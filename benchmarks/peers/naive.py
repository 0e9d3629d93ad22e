"""The loop that people write: every frame by OpenCV, YOLO.track, every box to the encoder, flat FAISS, a pickle.

It is a peer to measure against, not a part of the system: one thread after the other, nothing bounded, no resume.
"""

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import faiss
import numpy as np
import torch
from transformers import AutoModel, AutoProcessor

from anomalylmm.models.detect.yolo import import_ultralytics
from benchmarks.peers.seen import Look
from flows.index.archive_files import list_archive
from flows.settings.model import Settings

MARGIN = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Where the models lie that both sides use."""

    detector: Path
    encoder: Path


class NaiveIndexer:
    """Indexes an archive the plain way."""

    def __init__(self, weights: Weights, settings: Settings) -> None:
        self._detector_path, self._settings = weights.detector, settings
        self._processor = AutoProcessor.from_pretrained(weights.encoder)
        self._encoder = AutoModel.from_pretrained(weights.encoder, dtype=torch.float32).eval()
        self._vectors: list[np.ndarray] = []
        self._looks: list[Look] = []

    def index(self, archive: Path, store: Path) -> list[Look]:
        """Indexes all videos and writes index.faiss and looks.pkl; gives where and when somebody was embedded."""
        store.mkdir(parents=True)
        for path in list_archive(archive).videos:
            self._index_video(path, path.relative_to(archive).as_posix())
        vectors = np.concatenate(self._vectors)
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        faiss.write_index(index, str(store / "index.faiss"))
        (store / "looks.pkl").write_bytes(pickle.dumps(self._looks))
        return self._looks

    def _index_video(self, path: Path, name: str) -> None:
        model = import_ultralytics().YOLO(str(self._detector_path), task="detect")
        detector = self._settings.detector
        for pts_seconds, frame in _iter_frames(path):
            found = model.track(
                frame,
                persist=True,
                tracker="bytetrack.yaml",
                imgsz=detector.image_size,
                conf=detector.confidence,
                device="cpu",
                verbose=False,
            )[0]
            for box in found.boxes.xyxy.numpy():
                self._vectors.append(self._encode(_cut(frame, box)))
                left, top, right, bottom = map(float, box)
                self._looks.append(Look(video=name, pts_seconds=pts_seconds, box=(left, top, right, bottom)))

    @torch.inference_mode()
    def _encode(self, crop: np.ndarray) -> np.ndarray:
        inputs: Any = self._processor(images=np.ascontiguousarray(crop[:, :, ::-1]), return_tensors="pt")
        output = self._encoder.get_image_features(**inputs)
        vector = getattr(output, "pooler_output", output).numpy()
        return np.asarray(vector / np.linalg.norm(vector), np.float32)


def _iter_frames(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    stream, number = cv2.VideoCapture(str(path)), 0
    fps = stream.get(cv2.CAP_PROP_FPS)
    while True:
        good, frame = stream.read()
        if not good:
            return
        yield number / fps, frame
        number += 1


def _cut(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    left, top, right, bottom = box
    wide, high = MARGIN * (right - left), MARGIN * (bottom - top)
    height, width = frame.shape[:2]
    x0, y0 = max(0, int(left - wide)), max(0, int(top - high))
    return frame[y0 : min(height, int(bottom + high) + 1), x0 : min(width, int(right + wide) + 1)]
