"""Teacher-forced likelihoods of several answers to one question, the question computed once."""

import copy
import inspect
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomalylmm.models.hub.chat import Inputs

LOGGER = logging.getLogger(__name__)
NO_TOKEN = 0  # fills up shorter answers; masked, and its likelihood is not counted
Beginning = tuple[tuple[int, ...], tuple[int, ...]]  # tokens, and positions of the answers that begin with them
CACHE_ERRORS = (AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError)


class AnswerScorer:
    """Scores answers with one model; the key-value cache of the question is shared by all its answers."""

    def __init__(self, model: Any, *, max_rows: int) -> None:
        """Takes a model and the number of sequences it may be given at once."""
        self._model, self._max_rows = model, max_rows
        self._can_trim = "logits_to_keep" in inspect.signature(model.forward).parameters
        self.uses_cache = True

    @torch.inference_mode()
    def score(self, inputs: Inputs, answers: Sequence[list[int]]) -> NDArray[np.float64]:
        """Sum of log p of the tokens of A answers to each of N questions of equal shape; shape (N, A)."""
        if self.uses_cache:
            try:
                return self._score_with_cache(inputs, answers)
            except torch.OutOfMemoryError:
                raise
            except CACHE_ERRORS as error:
                LOGGER.warning("the judge's cache can't be shared between answers (%s); it is asked one by one", error)
                self.uses_cache = False
        return self.score_one_by_one(inputs, answers)

    @torch.inference_mode()
    def first_logits(self, inputs: Inputs) -> Tensor:
        """Logits of the first answer token; shape (N, vocabulary)."""
        return self._model(**inputs, use_cache=False, **self._keep(1)).logits[:, -1].float()

    @torch.inference_mode()
    def score_one_by_one(self, inputs: Inputs, answers: Sequence[list[int]]) -> NDArray[np.float64]:
        """The same by a full forward pass for each answer: slow, for models whose cache can't be repeated."""
        columns = [self._full_forward(inputs, answer) for answer in answers]
        return np.stack(columns, axis=1) if columns else np.zeros((len(inputs["input_ids"]), 0))

    def _full_forward(self, inputs: Inputs, answer: list[int]) -> NDArray[np.float64]:
        count = len(inputs["input_ids"])
        tail = torch.tensor([answer], device=inputs["input_ids"].device).expand(count, -1)
        logits = self._model(**lengthen(inputs, tail), use_cache=False, **self._keep(len(answer) + 1)).logits
        return picked(logits[:, -len(answer) - 1 : -1], tail).sum(1).double().cpu().numpy()

    def _score_with_cache(self, inputs: Inputs, answers: Sequence[list[int]]) -> NDArray[np.float64]:
        count = len(inputs["input_ids"])
        output = self._model(**inputs, use_cache=True, **self._keep(1))
        first = torch.log_softmax(output.logits[:, -1].float(), dim=-1)  # N,V
        scores = first[:, [answer[0] for answer in answers]]  # N,A
        beginnings = share_beginnings(answers)
        most = max(1, self._max_rows // count)
        for start in range(0, len(beginnings), most):
            self._add_rest(scores, inputs, output.past_key_values, beginnings[start : start + most], answers)
        return scores.double().cpu().numpy()

    def _keep(self, count: int) -> dict[str, int]:
        """Asks for the logits of the last tokens only: those of a long question would fill the memory."""
        return {"logits_to_keep": count} if self._can_trim else {}

    def _add_rest(
        self, scores: Tensor, inputs: Inputs, cache: Any, beginnings: Sequence[Beginning], answers: Sequence[list[int]]
    ) -> None:
        """Adds the log p of the tokens after the first to the scores (N, A) of the answers that begin so.

        No attention mask is given: questions of equal shape have no padding, and what fills up shorter beginnings
        comes after their tokens, where a causal model does not look. Qwen-VL models would take their positions from
        it, for the question's tokens too.
        """
        count, device = len(inputs["input_ids"]), inputs["input_ids"].device
        longest = max(len(tokens) for tokens, _ in beginnings)
        padded = [[*tokens, *[NO_TOKEN] * (longest - len(tokens))] for tokens, _ in beginnings]
        cache = copy.deepcopy(cache)
        cache.batch_repeat_interleave(len(beginnings))
        rows = torch.tensor(padded, device=device).repeat(count, 1)  # N*B,T: beginnings of the first question first
        logits = self._model(input_ids=rows, past_key_values=cache, use_cache=True).logits.float()
        total = torch.logsumexp(logits, dim=-1)  # N*B,T
        for number, (_, members) in enumerate(beginnings):
            own = slice(number, None, len(beginnings))  # N rows
            for member in members:
                rest = torch.tensor(answers[member][1:], device=device)
                steps = torch.arange(len(rest), device=device)
                scores[:, member] += (logits[own][:, steps, rest] - total[own][:, steps]).sum(1)


def share_beginnings(answers: Sequence[list[int]]) -> list[Beginning]:
    """Lists the token sequences that must be read to score answers of several tokens, and the answers each serves.

    All but an answer's last token is read, and what begins another answer's is read with it.
    """
    found: list[tuple[tuple[int, ...], list[int]]] = []
    place_of: dict[tuple[int, ...], int] = {}
    for number in sorted(range(len(answers)), key=lambda number: -len(answers[number])):
        tokens = tuple(answers[number][:-1])
        if not tokens:
            continue
        if tokens not in place_of:
            place_of |= {tokens[:end]: len(found) for end in range(1, len(tokens) + 1) if tokens[:end] not in place_of}
            found.append((tokens, []))
        found[place_of[tokens]][1].append(number)
    return [(tokens, tuple(members)) for tokens, members in found]


def picked(logits: Tensor, tokens: Tensor) -> Tensor:
    """Log p of the tokens under logits that predict them; shapes (N, T, V) and (N, T) to (N, T)."""
    return torch.log_softmax(logits.float(), dim=-1).gather(2, tokens.unsqueeze(2)).squeeze(2)


def lengthen(inputs: Inputs, tail: Tensor) -> Inputs:
    """Puts tokens behind the question; masks and token types grow with it."""
    longer = dict(inputs)
    for name, value in inputs.items():
        if name == "input_ids":
            longer[name] = torch.cat([value, tail], dim=1)
        elif value.shape == inputs["input_ids"].shape:
            fill = torch.ones_like if name == "attention_mask" else torch.zeros_like
            longer[name] = torch.cat([value, fill(tail).to(value.dtype)], dim=1)
    return longer
