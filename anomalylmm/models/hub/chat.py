"""Turns images and a prompt into a judge's inputs through its chat template; knows no model."""

from collections.abc import Sequence
from typing import Any

import torch

from anomalylmm.models.hub.loading import move
from anomalylmm.protocols import Views

Inputs = dict[str, torch.Tensor]
PROBE_ANSWER = "yes"


class Chat:
    """Builds prompts and answers as the tokens a model was trained on."""

    def __init__(self, processor: Any, device: torch.device, dtype: torch.dtype) -> None:
        """Takes a processor with a chat template."""
        self.tokenizer = processor.tokenizer
        self._processor, self._device, self._dtype = processor, device, dtype
        self._lead = self._find_lead()

    def prompt_text(self, num_images: int, prompt: str) -> str:
        """The question as text, up to where the answer begins."""
        messages = self._messages(num_images, prompt)
        text: str = self._processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return text

    def inputs_of(self, views: Views, prompt: str) -> Inputs:
        """The inputs of one candidate; batch dimension 1."""
        text = self.prompt_text(len(views), prompt)
        begin = self.tokenizer.bos_token
        has_begin = bool(begin) and text.startswith(begin)
        inputs = self._processor(
            text=[text], images=[list(views)], return_tensors="pt", add_special_tokens=not has_begin
        )
        tensors = {name: value for name, value in inputs.items() if isinstance(value, torch.Tensor)}
        return move(tensors, self._device, self._dtype)

    def answer_ids(self, prompt: str, answer: str) -> list[int]:
        """Tokens of an answer as the continuation of a prompt, without an end token.

        A tokenizer may join the prompt's last letters with the answer's first; then the answer is tokenized alone.
        """
        before = self.prompt_text(0, prompt)
        whole = self._ids(before + self._lead + answer)
        start = self._ids(before)
        if whole[: len(start)] == start and len(whole) > len(start):
            return whole[len(start) :]
        return self._ids(self._lead + answer)

    def first_ids(self, words: Sequence[str]) -> list[int]:
        """Token numbers of those words that are one token, with and without a space before them."""
        unknown = self.tokenizer.unk_token_id
        single = [ids[0] for word in words for ids in (self._ids(word), self._ids(" " + word)) if len(ids) == 1]
        return sorted({number for number in single if number != unknown})

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

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _messages(self, num_images: int, prompt: str) -> list[dict[str, Any]]:
        content = [{"type": "image"}] * num_images + [{"type": "text", "text": prompt}]
        return [{"role": "user", "content": content}]

    def _find_lead(self) -> str:
        """White space that the template puts between its prompt for an answer and the answer."""
        question = self._messages(0, "?")
        answer = {"role": "assistant", "content": [{"type": "text", "text": PROBE_ANSWER}]}
        before = self.prompt_text(0, "?")
        whole: str = self._processor.apply_chat_template([*question, answer], tokenize=False)
        if not whole.startswith(before):
            return ""
        lead = whole[len(before) :].partition(PROBE_ANSWER)[0]
        return lead if not lead.strip() else ""


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
