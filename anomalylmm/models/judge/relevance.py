"""Maps where in a picture a judge sees what it says yes to: gradient times input at its image tokens."""

import math
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anomalylmm.errors import ConfigurationError
from anomalylmm.models.encode.maps import stack_maps
from anomalylmm.models.hub.chat import Chat, Inputs
from anomalylmm.records import Floats, Image

LENGTH_NAMES = ("image_seq_length", "image_seq_len")  # of the tokens of one tile, as families call it


class JudgeMapper:
    """Implements ``PatchTextMapper`` with a judge in this process.

    The margin of a yes over a no to the whole sentence is followed back to the image tokens that the language model
    reads. A token counts by the dot product of the margin's gradient and what sets the token apart from the picture's
    mean one (gradient times input, as in Grad-CAM, Selvaraju et al., 2017; without the mean the pocket judge's maps
    point next to the person); what speaks against the sentence counts nothing. One forward and one backward pass a
    picture.
    """

    def __init__(
        self,
        model: Any,
        chat: Chat,
        yes_no_ids: Callable[[str], tuple[list[int], list[int]]],
        write_prompt: Callable[[str], str],
    ) -> None:
        """Takes the judge's parts, and how a text becomes its yes-or-no prompt."""
        self._model, self._chat, self._yes_no_ids, self._write_prompt = model, chat, yes_no_ids, write_prompt

    def patch_maps(self, images: Sequence[Image], text: str) -> Floats:
        """How much each region of N images speaks for a text, scaled to 0..1 per image; shape (N, rows, columns).

        Images of different grids are brought to the largest.

        Raises:
            ConfigurationError: The family does not say how its image tokens are laid out.
            JudgeError: The model has no tokens for yes and no.
        """
        prompt = self._write_prompt(text)
        return stack_maps([self._map(image, prompt) for image in images])

    def _map(self, image: Image, prompt: str) -> Floats:
        inputs = self._chat.inputs_of([image], prompt)
        tokens = self._relevance(inputs, *self._yes_no_ids(prompt)).clamp(min=0).cpu().numpy()
        rows, columns = self._grid(inputs, len(tokens))
        return np.asarray(tokens[len(tokens) - rows * columns :].reshape(rows, columns), np.float32)

    def _relevance(self, inputs: Inputs, yes: list[int], no: list[int]) -> Tensor:
        """What each of P image tokens adds to the margin of a yes; shape (P,)."""
        places = inputs["input_ids"][0] == image_token(self._model)
        with torch.enable_grad(), read_embeddings(self._model) as seen:
            logits = self._model(**inputs, use_cache=False).logits[0, -1].float()
            margin = logits[yes].amax() - logits[no].amax()
            gradient = torch.autograd.grad(margin, seen[0])[0][0, places]
        tokens = seen[0].detach()[0, places]
        return (gradient * (tokens - tokens.mean(0))).sum(-1).float()

    def _grid(self, inputs: Inputs, count: int) -> tuple[int, int]:
        """Rows and columns of the tokens that show the whole picture: the last ones, where tiles come before them."""
        if "image_grid_thw" in inputs:
            _, rows, columns = inputs["image_grid_thw"][0].tolist()
            merge = self._chat.merge_size
            return rows // merge, columns // merge
        whole = min(count, self._chat.tile_tokens(LENGTH_NAMES) or count)
        side = math.isqrt(whole)
        if side == 0 or whole - side * side > 1:  # one more may stand for the picture as a whole
            raise ConfigurationError(
                f"{type(self._model).__name__} gives {count} tokens of a picture and does not say how they are laid "
                "out; set judge.maps = false"
            )
        return side, side


def image_token(model: Any) -> int:
    """The number of the token that stands for a piece of a picture.

    Raises:
        ConfigurationError: The model's configuration names none.
    """
    for name in ("image_token_id", "image_token_index"):
        number = getattr(model.config, name, None)
        if number is not None:
            return int(number)
    raise ConfigurationError(f"{type(model).__name__} names no image token; set judge.maps = false")


@contextmanager
def read_embeddings(model: Any) -> Any:
    """Catches the embeddings (1, T, D) that the language model is given, as a leaf that a gradient can be taken of."""
    seen: list[Tensor] = []

    def catch(_: Any, args: tuple[Any, ...], given: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        leaf = given["inputs_embeds"].detach().requires_grad_()
        seen.append(leaf)
        return args, {**given, "inputs_embeds": leaf}

    hook = model.get_decoder().register_forward_pre_hook(catch, with_kwargs=True)
    try:
        yield seen
    finally:
        hook.remove()
