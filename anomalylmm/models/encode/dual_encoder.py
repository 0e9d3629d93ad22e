"""Images and sentences in one space by a transformers dual encoder (SigLIP, CLIP, VisionTextDualEncoder)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from anomalylmm.models.encode.maps import scale_each
from anomalylmm.models.encode.patches import patch_vectors
from anomalylmm.models.encode.vocabulary import MAX_TOKENS, read_vocabulary, unknown_words
from anomalylmm.models.hub.devices import choose_device, choose_dtype, work_in_batches
from anomalylmm.models.hub.loading import image_inputs, load_model, load_processor, move
from anomalylmm.models.weights import ResolvedWeights
from anomalylmm.records import Floats, Image

PADDED_FAMILIES = ("siglip",)  # trained on lower-case texts padded to full length, without a mask


class DualEncoder:
    """Implements ``ImageEncoder``, ``TextEncoder`` and ``PatchTextMapper`` with one model."""

    def __init__(self, weights: ResolvedWeights, *, device: str, batch_size: int) -> None:
        """Loads the model.

        Raises:
            WeightsError: The folder is damaged or holds no dual encoder.
            ConfigurationError: This computer has no such device.
        """
        from transformers import AutoModel

        self.model_id, self.batch_size = weights.model_id, batch_size
        self._device = choose_device(device)
        self._dtype = choose_dtype("auto", self._device)
        self._processor = load_processor(weights)
        self._model = load_model(AutoModel, weights, self._device, self._dtype)
        self._vocabulary = read_vocabulary(weights)
        self._text_options = self._choose_text_options()
        self.dimension = int(self.encode_texts(["a person"]).shape[1])

    def encode_images(self, images: Sequence[Image]) -> Floats:
        """Encodes N images; shape (N, D), rows of unit length."""
        rows = work_in_batches(images, self.batch_size, self._image_rows)
        return np.concatenate(rows) if rows else np.zeros((0, self.dimension), np.float32)

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Encodes Q texts; shape (Q, D), rows of unit length."""
        rows = work_in_batches(texts, self.batch_size, self._text_rows)
        return np.concatenate(rows) if rows else np.zeros((0, self.dimension), np.float32)

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Words of the text that the encoder was not trained on, in order, each once.

        ``vocabulary.txt`` next to the weights decides; without one, the tokenizer's unknown token does.
        """
        return unknown_words(text, self._vocabulary, self._processor.tokenizer)

    def cut_off(self, text: str) -> str:
        """Returns the end of a text that is too long for the model; empty if the tokenizer can't tell."""
        return text[
            end_of_read(self._processor.tokenizer, self._written(text), self._text_options["max_length"]) :
        ].strip()

    def patch_maps(self, images: Sequence[Image], text: str) -> Floats:
        """Patch-text similarity of N images, scaled to 0..1 per image; shape (N, rows, columns).

        Raises:
            ConfigurationError: The vision tower's patches can't be brought into the joint space.
        """
        query = torch.from_numpy(self.encode_texts([text])[0]).to(self._device)
        maps = work_in_batches(images, self.batch_size, lambda batch: self._similarity_maps(batch, query))
        return scale_each(np.concatenate(maps)) if maps else np.zeros((0, 1, 1), np.float32)

    @torch.inference_mode()
    def _similarity_maps(self, images: Sequence[Image], query: torch.Tensor) -> Floats:
        inputs = move(image_inputs(self._processor, list(images)), self._device, self._dtype)
        vectors = torch.nn.functional.normalize(patch_vectors(self._model, inputs).float(), dim=-1)
        return (vectors @ query).cpu().numpy()

    @torch.inference_mode()
    def _image_rows(self, images: Sequence[Image]) -> Floats:
        inputs = move(image_inputs(self._processor, list(images)), self._device, self._dtype)
        return unit_rows(self._model.get_image_features(**inputs))

    @torch.inference_mode()
    def _text_rows(self, texts: Sequence[str]) -> Floats:
        written = [self._written(text) for text in texts]
        inputs = dict(self._processor.tokenizer(written, return_tensors="pt", **self._text_options))
        if self._is_padded_family():
            inputs = {"input_ids": inputs["input_ids"]}
        return unit_rows(self._model.get_text_features(**move(inputs, self._device, self._dtype)))

    def _written(self, text: str) -> str:
        """The text as the family was trained on it; SigLIP 2's tokenizer, Gemma's, keeps capital letters."""
        return lower(text) if self._is_padded_family() else text

    def _is_padded_family(self) -> bool:
        return str(self._model.config.model_type).startswith(PADDED_FAMILIES)

    def _choose_text_options(self) -> dict[str, Any]:
        text_config = self._model.config.text_config
        positions = int(getattr(text_config, "max_position_embeddings", MAX_TOKENS))
        longest = min(positions, int(min(self._processor.tokenizer.model_max_length, MAX_TOKENS)))
        padding = "max_length" if self._is_padded_family() else True
        return {"padding": padding, "truncation": True, "max_length": longest}


def lower(text: str) -> str:
    """Lowers the letters of a text but those that become two, so that places in it stay the same."""
    return "".join(letter if len(letter.lower()) > 1 else letter.lower() for letter in text)


def end_of_read(tokenizer: Any, text: str, max_length: int, **options: Any) -> int:
    """Finds where what a tokenizer keeps of a text ends; the text's length if the tokenizer can't tell."""
    if not tokenizer.is_fast:
        return len(text)
    limits = {"truncation": True, "max_length": max_length, **options}
    spans = tokenizer(text, return_offsets_mapping=True, **limits)["offset_mapping"]
    return max((stop for _, stop in spans), default=0)


def unit_rows(output: Any) -> Floats:
    """Unit vectors, (N, D), of what the model gives: a tensor (transformers 4) or an output with a pooled one (5)."""
    features = output if isinstance(output, torch.Tensor) else output.pooler_output
    rows: Floats = torch.nn.functional.normalize(features.float(), dim=-1).cpu().numpy()
    return rows
