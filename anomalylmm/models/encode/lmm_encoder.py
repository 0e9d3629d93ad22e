"""Images and sentences in one space by an embedding LMM (Qwen3-VL-Embedding kind): the last token's hidden state."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anomalylmm.errors import ConfigurationError
from anomalylmm.models.encode.dual_encoder import end_of_read
from anomalylmm.models.encode.maps import stack_maps
from anomalylmm.models.encode.vocabulary import read_vocabulary, unknown_words
from anomalylmm.models.hub.chat import Inputs
from anomalylmm.models.hub.devices import choose_device, choose_dtype, work_in_batches
from anomalylmm.models.hub.image_budget import limit_pixels
from anomalylmm.models.hub.loading import load_model, load_processor, move
from anomalylmm.models.weights import ResolvedWeights
from anomalylmm.records import Floats, Image

# What the models were trained with (github.com/QwenLM/Qwen3-VL-Embedding): an instruction, the input, and the opened
# answer, whose last token gathers the meaning.
IMAGE_INSTRUCTION = "Represent the user's input."
TEXT_INSTRUCTION = "Retrieve images or text relevant to the user's query."
MAX_TEXT_TOKENS = 512


class LmmEncoder:
    """Implements ``ImageEncoder``, ``TextEncoder`` and ``PatchTextMapper`` with one model."""

    def __init__(
        self,
        weights: ResolvedWeights,
        *,
        device: str,
        batch_size: int,
        dimension: int | None,
        max_pixels: int | None,
        model_id: str = "",
    ) -> None:
        """Loads the model without its language head.

        Args:
            weights: Folder of an embedding model of images and text with a chat template.
            device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:<number>"``.
            batch_size: Images or texts encoded together.
            dimension: First numbers of the vector that are kept, where the model was trained for that (Matryoshka);
                None keeps all.
            max_pixels: Most pixels of one image that the model is given; None leaves it to its processor.
            model_id: Name of all that decides the vectors; the weights' own unless given.

        Raises:
            WeightsError: The folder is damaged or holds no such model.
            ConfigurationError: There is no such device, the dimension is larger than the model's, or the
                pixels can't be limited.
        """
        from transformers import AutoModel

        self.model_id, self.batch_size = model_id or weights.model_id, batch_size
        self._device = choose_device(device)
        self._dtype = choose_dtype("auto", self._device)
        self._processor = load_processor(weights)
        self._processor.tokenizer.padding_side = "right"  # never seen by the tokens before it: the model is causal
        limit_pixels(self._processor, max_pixels)
        self._model = load_model(AutoModel, weights, self._device, self._dtype)
        self._vocabulary = read_vocabulary(weights)
        width = int(self._model.config.get_text_config().hidden_size)
        if dimension is not None and not 1 <= dimension <= width:
            raise ConfigurationError(f"dimension is {dimension}, but {weights.path} gives {width}; set at most that")
        self.dimension = dimension or width

    def encode_images(self, images: Sequence[Image]) -> Floats:
        """Encodes N images; shape (N, D), rows of unit length."""
        rows = work_in_batches(images, self.batch_size, lambda batch: self._pooled(self._image_inputs(batch)))
        return np.concatenate(rows) if rows else np.zeros((0, self.dimension), np.float32)

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Encodes Q texts; shape (Q, D), rows of unit length. Very long texts are cut."""
        rows = work_in_batches(texts, self.batch_size, lambda batch: self._pooled(self._text_inputs(batch)))
        return np.concatenate(rows) if rows else np.zeros((0, self.dimension), np.float32)

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Words that ``vocabulary.txt`` next to the weights does not list; without that file all words are known."""
        return unknown_words(text, self._vocabulary)

    def cut_off(self, text: str) -> str:
        """Returns the end of a text that is longer than the model reads."""
        return text[len(self._cut(text)) :].strip()

    def patch_maps(self, images: Sequence[Image], text: str) -> Floats:
        """Similarity of the hidden states of N images' tokens and a text's vector, 0..1 per image; (N, rows, columns).

        The model was trained on its last token only, so a map shows where it reads, not where it was taught to look.
        Images of different size have different grids; all are brought to the largest.

        Raises:
            ConfigurationError: The family does not say how its image tokens are laid out.
        """
        query = torch.from_numpy(self.encode_texts([text])[0]).to(self._device)
        pieces = work_in_batches(images, self.batch_size, lambda batch: self._similarity_maps(batch, query))
        return stack_maps([one for piece in pieces for one in piece])

    @torch.inference_mode()
    def _pooled(self, inputs: Inputs) -> Floats:
        hidden = self._model(**inputs, use_cache=False).last_hidden_state  # N,T,W
        last = inputs["attention_mask"].sum(1) - 1
        return self._unit(hidden[torch.arange(len(last), device=last.device), last]).cpu().numpy()

    @torch.inference_mode()
    def _similarity_maps(self, images: Sequence[Image], query: Tensor) -> list[Floats]:
        inputs = self._image_inputs(images)
        if "image_grid_thw" not in inputs:
            raise ConfigurationError(
                f"{type(self._model).__name__} does not say how its image tokens are laid out; set rerank.focus = false"
            )
        hidden = self._model(**inputs, use_cache=False).last_hidden_state
        merge = self._processor.image_processor.merge_size
        maps = []
        for states, ids, grid in zip(hidden, inputs["input_ids"], inputs["image_grid_thw"].tolist(), strict=True):
            tokens = self._unit(states[ids == self._model.config.image_token_id])  # P,D
            maps.append((tokens @ query).view(grid[1] // merge, grid[2] // merge).cpu().numpy())
        return maps

    def _unit(self, states: Tensor) -> Tensor:
        return torch.nn.functional.normalize(states[..., : self.dimension].float(), dim=-1)

    def _image_inputs(self, images: Sequence[Image]) -> Inputs:
        prompts = [self._prompt(IMAGE_INSTRUCTION, {"type": "image"})] * len(images)
        return self._inputs(text=prompts, images=[[image] for image in images])

    def _text_inputs(self, texts: Sequence[str]) -> Inputs:
        content = [{"type": "text", "text": self._cut(text) or "NULL"} for text in texts]
        return self._inputs(text=[self._prompt(TEXT_INSTRUCTION, part) for part in content])

    def _inputs(self, **given: Any) -> Inputs:
        inputs = self._processor(**given, padding=True, return_tensors="pt")
        tensors = {name: value for name, value in inputs.items() if isinstance(value, Tensor)}
        return move(tensors, self._device, self._dtype)

    def _prompt(self, instruction: str, content: dict[str, str]) -> str:
        messages = [
            {"role": "system", "content": [{"type": "text", "text": instruction}]},
            {"role": "user", "content": [content]},
        ]
        text: str = self._processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return text

    def _cut(self, text: str) -> str:
        return text[: end_of_read(self._processor.tokenizer, text, MAX_TEXT_TOKENS, add_special_tokens=False)]
