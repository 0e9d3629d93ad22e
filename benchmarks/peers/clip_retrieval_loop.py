"""clip-retrieval's own inference, from a folder of pictures to files of vectors; only the model it loads is ours."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from transformers import AutoModel, AutoProcessor

from anomalylmm.models.hub.loading import image_inputs
from anomalylmm.records import Floats


class ClipLikeModel:
    """Our dual encoder with the methods that clip-retrieval calls, and its preprocessing of one picture."""

    def __init__(self, weights: Path) -> None:
        self._processor = AutoProcessor.from_pretrained(weights)
        self._model = AutoModel.from_pretrained(weights, dtype=torch.float32).eval()

    def preprocess(self, picture: Any) -> torch.Tensor:
        """One picture, (3, H, W)."""
        return image_inputs(self._processor, [np.array(picture.convert("RGB"))])["pixel_values"][0]

    def encode_image(self, pictures: torch.Tensor) -> torch.Tensor:
        """A batch of them, (N, D)."""
        output = self._model.get_image_features(pixel_values=pictures)
        return getattr(output, "pooler_output", output)

    def encode_text(self, tokens: torch.Tensor) -> torch.Tensor:
        """Not called: the folder holds no texts."""
        raise NotImplementedError


def embed_folder(model: ClipLikeModel, pictures: Path, target: Path) -> tuple[Floats, list[str]]:
    """The vectors (N, D) that clip-retrieval's ``clip_inference`` writes, and the names of their pictures."""
    inside = "clip_retrieval.clip_inference"
    for name in ("worker", "mapper"):
        importlib.import_module(f"{inside}.{name}").load_clip = lambda **_: (model, model.preprocess, _no_tokens)
    inference = importlib.import_module(f"{inside}.main").main
    inference(input_dataset=str(pictures), output_folder=str(target), enable_text=False)
    vectors = np.concatenate([np.load(path) for path in sorted((target / "img_emb").iterdir())])
    tables = [pq.read_table(path, columns=["image_path"]) for path in sorted((target / "metadata").iterdir())]
    names = [Path(path).stem for table in tables for path in table.column("image_path").to_pylist()]
    return vectors.astype(np.float32), names


def _no_tokens(texts: Sequence[str]) -> torch.Tensor:
    return torch.zeros((len(texts), 1), dtype=torch.long)
