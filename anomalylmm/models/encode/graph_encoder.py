"""Images and sentences in one space by the graphs next to a dual encoder, without torch."""

import json
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

from anomalylmm.errors import WeightsError
from anomalylmm.models.encode.maps import scale_each
from anomalylmm.models.encode.vocabulary import MAX_TOKENS, read_vocabulary, unknown_words
from anomalylmm.models.hub.plain_processor import PlainTokenizer
from anomalylmm.models.onnx.graphs import Graph
from anomalylmm.models.onnx.pixels import PixelReader
from anomalylmm.models.weights import ResolvedWeights
from anomalylmm.records import Floats, Image

Item = TypeVar("Item")


class GraphEncoder:
    """Implements ``ImageEncoder``, ``TextEncoder`` and ``PatchTextMapper``, as ``DualEncoder`` with equal weights."""

    def __init__(self, weights: ResolvedWeights, *, batch_size: int) -> None:
        """Loads the tokenizer and the text side; what reads pictures is loaded when the first one comes.

        Raises:
            WeightsError: A file is missing or damaged, or a graph was written for other weights.
        """
        self.model_id, self.batch_size = weights.model_id, batch_size
        self._weights, self._pixels = weights, PixelReader.of(weights)
        self._tokenizer = PlainTokenizer(weights.path)
        self._vocabulary = read_vocabulary(weights)
        self._longest = min(_read_positions(weights), self._tokenizer.model_max_length, MAX_TOKENS)
        self._graphs = {"text": Graph(weights, "text")}
        self.dimension = int(self.encode_texts(["a person"]).shape[1])

    def encode_images(self, images: Sequence[Image]) -> Floats:
        """Encodes N images; shape (N, D), rows of unit length."""
        return self._join([self._read(images_, "image") for images_ in self._batches(images)])

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Encodes Q texts; shape (Q, D), rows of unit length."""
        return self._join([self._text_rows(batch) for batch in self._batches(texts)])

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Words of the text that the encoder was not trained on, in order, each once.

        ``vocabulary.txt`` next to the weights decides; without one, the tokenizer's unknown token does.
        """
        return unknown_words(text, self._vocabulary, self._tokenizer)

    def cut_off(self, text: str) -> str:
        """Returns the end of a text that is too long for the model."""
        return text[self._tokenizer.end_of(text, self._longest) :].strip()

    def patch_maps(self, images: Sequence[Image], text: str) -> Floats:
        """Patch-text similarity of N images, scaled to 0..1 per image; shape (N, rows, columns)."""
        query = self.encode_texts([text])[0]
        maps = [self._read(batch, "patches") @ query for batch in self._batches(images)]
        return scale_each(np.concatenate(maps)) if maps else np.zeros((0, 1, 1), np.float32)

    def _batches(self, items: Sequence[Item]) -> Iterator[Sequence[Item]]:
        return (items[start : start + self.batch_size] for start in range(0, len(items), self.batch_size))

    def _join(self, rows: list[Floats]) -> Floats:
        return np.concatenate(rows) if rows else np.zeros((0, self.dimension), np.float32)

    def _read(self, images: Sequence[Image], name: str) -> Floats:
        """Unit vectors of N images (N, D), or of their patches (N, rows, columns, D)."""
        if name not in self._graphs:
            self._graphs[name] = Graph(self._weights, name)
        return _unit(self._graphs[name](pixels=self._pixels.read(images))[0])

    def _text_rows(self, texts: Sequence[str]) -> Floats:
        rows = self._tokenizer.read_texts(texts, self._longest)
        tokens = np.full((len(rows), max(map(len, rows))), self._tokenizer.pad_token_id or 0, np.int64)
        mask = np.zeros_like(tokens)
        for number, row in enumerate(rows):
            tokens[number, : len(row)], mask[number, : len(row)] = row, 1
        return _unit(self._graphs["text"](tokens=tokens, mask=mask)[0])


def _unit(vectors: Floats) -> Floats:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), np.float32)


def _read_positions(weights: ResolvedWeights) -> int:
    """Tokens that the text side can read."""
    config = json.loads((weights.path / "config.json").read_text(encoding="utf-8"))
    found = config.get("text_config", {}).get("max_position_embeddings")
    if not isinstance(found, int):
        raise WeightsError(f'{weights.path} does not say how long a text may be; set encoder.runtime = "torch"')
    return found
