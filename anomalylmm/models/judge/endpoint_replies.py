"""Reads what an OpenAI-compatible server answers: data that is not trusted; asks nothing itself."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anomalylmm.errors import JudgeError
from anomalylmm.models.judge.answers import NO_WORDS, YES_WORDS
from anomalylmm.rerank.prompts import MAX_ANSWER_CHARACTERS

MIN_LOG = -1e4  # stands for log 0
ROUNDING = 1e-3  # a log-probability may be above 0 by so much
SPACES = " \t\r\n\u2581\u0120"  # as tokenizers write them


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptToken:
    """One token of a prompt that the server scored."""

    token_id: str
    said_log_p: object  # not checked: what an image's tokens are given does not matter
    text: str  # empty where the server does not say

    @property
    def log_p(self) -> float:
        """Its log-probability.

        Raises:
            JudgeError: The server gave none; the first token of a prompt has none.
        """
        return read_log(self.said_log_p)


def read_text(payload: Mapping[str, Any]) -> str:
    """The written answer, without white space around it; an overlong one is cut just over the parser's limit.

    Raises:
        JudgeError: There is none.
    """
    message = _choice(payload).get("message")
    text = message.get("content") if isinstance(message, dict) else None
    if not isinstance(text, str):
        raise JudgeError(
            "the endpoint's answer has no text (message.content); serve a model that takes images and text, and one "
            "that thinks without its thinking"
        )
    return text.strip()[: MAX_ANSWER_CHARACTERS + 1]


def read_first_token(payload: Mapping[str, Any]) -> dict[str, float]:
    """Log-probabilities of the likeliest tokens at the first answer position, by their text.

    Raises:
        JudgeError: The server gives none, or numbers that are none.
    """
    logprobs = _choice(payload).get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(content, list) or not content or not isinstance(content[0], dict):
        raise JudgeError(
            "the endpoint gives no logprobs, without which answers can't be weighed; use a server that does (vLLM "
            'does by default), or read written answers only: rerank.reading = "generate", rerank.affirm_weight = 0'
        )
    first = content[0]
    listed = first.get("top_logprobs")
    entries = [first, *(listed if isinstance(listed, list) else [])]
    top: dict[str, float] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("token"), str):
            raise JudgeError("the endpoint's logprobs name no tokens; use an OpenAI-compatible server")
        top[entry["token"]] = max(read_log(entry.get("logprob")), top.get(entry["token"], MIN_LOG))
    return top


def read_prompt_tokens(payload: Mapping[str, Any]) -> list[PromptToken] | None:
    """The prompt's tokens as vLLM scores them; None where the server does not.

    Raises:
        JudgeError: They have another shape.
    """
    listed = payload.get("prompt_logprobs")
    if listed is None:
        return None
    if not isinstance(listed, list) or not listed:
        raise JudgeError("the endpoint's prompt_logprobs are no list; set the endpoint's scoring = \"first_token\"")
    return [_prompt_token(entry) for entry in listed]


def _prompt_token(entry: Any) -> PromptToken:
    if entry is None:
        return PromptToken(token_id="", said_log_p=None, text="")
    token_id, said = next(iter(entry.items())) if isinstance(entry, dict) and entry else ("", None)
    if not isinstance(said, dict):
        raise JudgeError("the endpoint's prompt_logprobs hold no tokens; set the endpoint's scoring = \"first_token\"")
    text = said.get("decoded_token")
    return PromptToken(token_id=token_id, said_log_p=said.get("logprob"), text=text if isinstance(text, str) else "")


def read_log(value: Any) -> float:
    """A log-probability.

    Raises:
        JudgeError: It is no number, NaN, or above 0.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not value <= ROUNDING:  # NaN is not below anything
        raise JudgeError(f"the endpoint gave {str(value)[:40]} where a log-probability belongs; see the server's logs")
    return min(0.0, float(max(MIN_LOG, value)))


def yes_and_no_of(top: Mapping[str, float]) -> tuple[float | None, float | None]:
    """The best log-probability of a yes and of a no; None where none is among the likeliest."""
    return _best_of(top, YES_WORDS), _best_of(top, NO_WORDS)


def _best_of(top: Mapping[str, float], words: Sequence[str]) -> float | None:
    found = [log_p for token, log_p in top.items() if token.strip(SPACES) in words]
    return max(found) if found else None


def beginning_of(top: Mapping[str, float], answer: str) -> float | None:
    """Log-probability that an answer begins as this one does, as far as one token tells; None where it can't be seen.

    Of tokens that begin the answer the longest count, with all ways to write them (case, space before) summed.
    """
    folded = answer.casefold()
    found: dict[int, list[float]] = {}
    for token, log_p in top.items():
        text = token.strip(SPACES).casefold()
        if text and folded.startswith(text):
            found.setdefault(len(text), []).append(log_p)
    return min(0.0, _log_sum(found[max(found)])) if found else None


def floor_of(top: Mapping[str, float]) -> float:
    """The most that a token can have which is not among the likeliest: as the last of them, or all that is left."""
    rest = 1.0 - sum(math.exp(log_p) for log_p in top.values())
    return min(*top.values(), math.log(rest) if rest > 0 else MIN_LOG, 0.0)


def _log_sum(logs: Sequence[float]) -> float:
    most = max(logs)
    return most + math.log(sum(math.exp(log_p - most) for log_p in logs))


def _choice(payload: Mapping[str, Any]) -> dict[str, Any]:
    choices = payload.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise JudgeError("the endpoint's answer has no choices; set base_url to an OpenAI-compatible server")
    return choices[0]
