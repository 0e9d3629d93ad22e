"""Reads the answers of an OpenAI-compatible server, which are not trusted; asks nothing itself."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AliasPath, BaseModel, Field, ValidationError

from anomalylmm.errors import JudgeError
from anomalylmm.rerank.evidence import MIN_LOG
from anomalylmm.rerank.prompts import MAX_ANSWER_CHARACTERS, NO_WORDS, YES_WORDS

ROUNDING = 1e-3  # a log-probability may be above 0 by so much
SPACES = " \t\r\n\u2581\u0120"  # as tokenizers write them
PROBLEMS = {  # by the field that is missing or wrong
    "choices": "the endpoint's answer has no choices; set base_url to an OpenAI-compatible server",
    "message": "the endpoint's answer has no text (message.content); serve a model that takes images and text, and one "
    "that thinks without its thinking",
    "logprobs": "the endpoint gives no logprobs, without which answers can't be weighed; use a server that does (vLLM "
    'does by default), or read written answers only: rerank.reading = "generate", rerank.affirm_weight = 0',
    "token": "the endpoint's logprobs name no tokens; use an OpenAI-compatible server",
    "logprob": "the endpoint gave {} where a log-probability belongs; see the server's logs",
    "prompt_logprobs": "the endpoint's prompt_logprobs hold no tokens; set the endpoint's scoring = \"first_token\"",
}
LogP = Annotated[float, Field(le=ROUNDING), AfterValidator(lambda value: min(0.0, max(MIN_LOG, value)))]
Read = TypeVar("Read", bound=BaseModel)


class _Scored(BaseModel, strict=True):
    logprob: LogP


class _Token(_Scored):
    token: str


class _Position(_Token):
    top_logprobs: list[_Token] | None = None


class _Reply(BaseModel, strict=True):
    choice: dict[str, Any] = Field(validation_alias=AliasPath("choices", 0))


class _Text(_Reply):
    text: str = Field(validation_alias=AliasPath("choices", 0, "message", "content"))


class _Weighed(_Reply):
    first: _Position = Field(validation_alias=AliasPath("choices", 0, "logprobs", "content", 0))


class PromptToken(BaseModel, strict=True):
    """One token of a prompt that the server scored."""

    token_id: str = ""
    logprob: Any = None  # not checked: what an image's tokens are given does not matter
    text: str | None = Field(None, validation_alias="decoded_token")  # not every server says

    @property
    def log_p(self) -> float:
        """Its log-probability.

        Raises:
            JudgeError: The server gave none; the first token of a prompt has none.
        """
        return _read(_Scored, {"logprob": self.logprob}).logprob


class _Prompt(BaseModel, strict=True):
    prompt_logprobs: list[dict[str, PromptToken] | None] | None = Field(None, min_length=1)


def read_text(payload: Mapping[str, Any]) -> str:
    """The written answer, without white space around it; an overlong one is cut just over the parser's limit.

    Raises:
        JudgeError: There is none.
    """
    return _read(_Text, payload).text.strip()[: MAX_ANSWER_CHARACTERS + 1]


def read_first_token(payload: Mapping[str, Any]) -> dict[str, float]:
    """Log-probabilities of the likeliest tokens at the first answer position, by their text.

    Raises:
        JudgeError: The server gives none, or NaN or infinite values.
    """
    first = _read(_Weighed, payload).first
    top: dict[str, float] = {}
    for entry in (first, *(first.top_logprobs or ())):
        top[entry.token] = max(entry.logprob, top.get(entry.token, MIN_LOG))
    return top


def read_prompt_tokens(payload: Mapping[str, Any]) -> list[PromptToken] | None:
    """The prompt's tokens as vLLM scores them; None if the server does not.

    Raises:
        JudgeError: They have another shape.
    """
    listed = _read(_Prompt, payload).prompt_logprobs
    if listed is None:
        return None
    firsts = [next(iter((entry or {"": PromptToken()}).items())) for entry in listed]
    return [token.model_copy(update={"token_id": token_id}) for token_id, token in firsts]


def _read(kind: type[Read], payload: Mapping[str, Any]) -> Read:
    try:
        return kind.model_validate(payload)
    except ValidationError as error:
        wrong = error.errors()[0]
        field = next(str(name) for name in reversed(wrong["loc"]) if name in PROBLEMS)
        raise JudgeError(PROBLEMS[field].format(str(wrong["input"])[:40])) from error


def yes_and_no_of(top: Mapping[str, float]) -> tuple[float | None, float | None]:
    """The best log-probability of a yes and of a no; None if none is among the likeliest."""
    return _best_of(top, YES_WORDS), _best_of(top, NO_WORDS)


def _best_of(top: Mapping[str, float], words: Sequence[str]) -> float | None:
    found = [log_p for token, log_p in top.items() if token.strip(SPACES) in words]
    return max(found) if found else None


def beginning_of(top: Mapping[str, float], answer: str) -> float | None:
    """Log-probability that an answer begins as this one does, as far as one token tells; None if it can't be seen.

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
    """The most that a token outside the likeliest can have: as much as the last of them, or all that is left."""
    rest = 1.0 - sum(math.exp(log_p) for log_p in top.values())
    return min(*top.values(), math.log(rest) if rest > 0 else MIN_LOG, 0.0)


def _log_sum(logs: Sequence[float]) -> float:
    most = max(logs)
    return most + math.log(sum(math.exp(log_p - most) for log_p in logs))
