"""Where the loops put what they find: vectors into one flat FAISS index, the rest into a pickle."""

import pickle
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch
from transformers import AutoModel, AutoProcessor

from anomalylmm.records import Image
from benchmarks.peers.seen import Look

MARGIN = 0.15  # around a box, as a share of its sides


class FlatStore:
    """Vectors and looks of everything that was cut out."""

    def __init__(self, encoder: Path, batch_size: int) -> None:
        """Loads the encoder.

        Args:
            encoder: Its folder.
            batch_size: Crops encoded together.
        """
        self._processor = AutoProcessor.from_pretrained(encoder)
        self._encoder = AutoModel.from_pretrained(encoder, dtype=torch.float32).eval()
        self._batch_size = batch_size
        self._waiting: list[Image] = []
        self._vectors: list[np.ndarray] = []
        self.looks: list[Look] = []

    def add(self, frame: Image, box: np.ndarray, video: str, pts_seconds: float) -> None:
        """Cuts a box (4,) out of an RGB frame (H, W, 3); full batches are encoded."""
        self._waiting.append(_cut(frame, box))
        left, top, right, bottom = map(float, box)
        self.looks.append(Look(video=video, pts_seconds=pts_seconds, box=(left, top, right, bottom)))
        if len(self._waiting) >= self._batch_size:
            self._encode()

    def write(self, folder: Path) -> None:
        """Encodes the rest, and writes index.faiss and looks.pkl."""
        if self._waiting:
            self._encode()
        folder.mkdir(parents=True)
        vectors = np.concatenate(self._vectors)
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        faiss.write_index(index, str(folder / "index.faiss"))
        (folder / "looks.pkl").write_bytes(pickle.dumps(self.looks))

    @torch.inference_mode()
    def _encode(self) -> None:
        inputs: Any = self._processor(images=self._waiting, return_tensors="pt")
        self._waiting = []
        output = self._encoder.get_image_features(**inputs)
        vectors = getattr(output, "pooler_output", output).numpy()
        self._vectors.append(np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32))


def _cut(frame: Image, box: np.ndarray) -> Image:
    left, top, right, bottom = box
    wide, high = MARGIN * (right - left), MARGIN * (bottom - top)
    height, width = frame.shape[:2]
    x0, y0 = max(0, int(left - wide)), max(0, int(top - high))
    return np.ascontiguousarray(frame[y0 : min(height, int(bottom + high) + 1), x0 : min(width, int(right + wide) + 1)])
