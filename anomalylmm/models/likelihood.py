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

from anomalylmm.models.chat import Inputs

LOGGER = logging.getLogger(__name__)
NO_TOKEN = 0  # fills up shorter answers; masked, and its likelihood is not counted
CACHE_ERRORS = (AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError)


class AnswerScorer:
    """Scores answers with one model; the key-value cache of the question is shared by all its answers."""

    def __init__(self, model: Any, *, most_rows: int) -> None:
        """Takes a model and the number of sequences it may be given at once."""
        self._model, self._most_rows = model, most_rows
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
        long = [number for number, answer in enumerate(answers) if len(answer) > 1]
        most = max(1, self._most_rows // count)
        for start in range(0, len(long), most):
            chosen = long[start : start + most]
            chunk = [answers[number] for number in chosen]
            scores[:, chosen] += self._rest(inputs, output.past_key_values, chunk)
        return scores.double().cpu().numpy()

    def _keep(self, count: int) -> dict[str, int]:
        """Asks for the logits of the last tokens only: those of a long question would fill the memory."""
        return {"logits_to_keep": count} if self._can_trim else {}

    def _rest(self, inputs: Inputs, cache: Any, answers: list[list[int]]) -> Tensor:
        """Sum of log p of the tokens after the first; shape (N, A).

        No attention mask is given: questions of equal shape have no padding, and what fills up shorter answers comes
        after their tokens, where a causal model does not look. Qwen-VL models would take their positions from it, for
        the question's tokens too.
        """
        count, device = len(inputs["input_ids"]), inputs["input_ids"].device
        longest = max(map(len, answers))
        padded = torch.tensor([answer + [NO_TOKEN] * (longest - len(answer)) for answer in answers], device=device)
        real = torch.tensor([[place < len(answer) for place in range(longest)] for answer in answers], device=device)
        rows, mask = padded.repeat(count, 1), real.repeat(count, 1)  # N*A,T: answers of the first question first
        cache = copy.deepcopy(cache)
        cache.batch_repeat_interleave(len(answers))
        logits = self._model(input_ids=rows[:, :-1], past_key_values=cache, use_cache=True).logits
        return (picked(logits, rows[:, 1:]) * mask[:, 1:]).sum(1).view(count, len(answers))


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
