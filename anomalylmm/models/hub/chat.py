"""Turns images and a prompt into a judge's inputs through its chat template; knows no model."""

from collections.abc import Sequence
from typing import Any

import torch

from anomalylmm.models.hub.loading import move
from anomalylmm.models.hub.words import ChatWords
from anomalylmm.protocols import Views

Inputs = dict[str, torch.Tensor]


class Chat(ChatWords):
    """Builds a question's tensors as well."""

    def __init__(self, processor: Any, device: torch.device, dtype: torch.dtype) -> None:
        """Takes a processor with a chat template."""
        super().__init__(processor)
        self._device, self._dtype = device, dtype

    def inputs_of(self, views: Views, prompt: str) -> Inputs:
        """The inputs of one candidate; batch dimension 1."""
        text = self.prompt_text(len(views), prompt)
        inputs = self._processor(
            text=[text], images=[list(views)], return_tensors="pt", add_special_tokens=not self.is_begun(text)
        )
        tensors = {name: value for name, value in inputs.items() if isinstance(value, torch.Tensor)}
        return move(tensors, self._device, self._dtype)

    @property
    def merge_size(self) -> int:
        """Side in patches of what one image token stands for, in families that say so."""
        return int(getattr(self._processor.image_processor, "merge_size", 1))

    def tile_tokens(self, names: Sequence[str]) -> int:
        """Tokens of one tile of a picture, by the first of these names that the processor knows; 0 for none."""
        return next((int(value) for name in names if (value := getattr(self._processor, name, None))), 0)

    def decode(self, ids: torch.Tensor) -> str:
        """Text of generated tokens."""
        text: str = self.tokenizer.decode(ids.tolist(), skip_special_tokens=True)
        return text.strip()


def group_alike(inputs: Sequence[Inputs], most: int) -> list[list[int]]:
    """Groups candidates whose inputs have equal shapes, at most ``most`` together.

    Equal shapes need no padding, so a batch gives what each candidate alone would.
    """
    groups: dict[Any, list[list[int]]] = {}
    for index, item in enumerate(inputs):
        key = tuple((name, tuple(value.shape)) for name, value in sorted(item.items()))
        lists = groups.setdefault(key, [[]])
        if len(lists[-1]) == most:
            lists.append([])
        lists[-1].append(index)
    return [group for lists in groups.values() for group in lists]


def join(inputs: Sequence[Inputs]) -> Inputs:
    """Stacks the inputs of alike candidates along their first dimension."""
    return {name: torch.cat([item[name] for item in inputs]) for name in inputs[0]}
