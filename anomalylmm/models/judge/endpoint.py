"""A judge behind an OpenAI-compatible endpoint (vLLM and the like); loads no model library."""

import base64
import hashlib
import itertools
import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import JudgeError
from anomalylmm.models.judge.endpoint_client import EndpointClient, Payload
from anomalylmm.models.judge.endpoint_replies import (
    PromptToken,
    beginning_of,
    floor_of,
    read_first_token,
    read_prompt_tokens,
    read_text,
    yes_and_no_of,
)
from anomalylmm.protocols import MomentWay, Views
from anomalylmm.records import Image
from anomalylmm.rerank.prompts import GRAY

LOGGER = logging.getLogger(__name__)
JPEG = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
Scoring = Literal["auto", "text", "first_token"]
Messages = list[dict[str, Any]]
Top = dict[str, float]
Item = TypeVar("Item")
Result = TypeVar("Result")


class EndpointJudge:
    """Implements ``Judge`` by asking a server; a few candidates at a time.

    Likelihoods of answers are exact if the server scores a given text (vLLM's ``prompt_logprobs``). If it does not,
    only the first token of an answer is weighed by the server's ``top_logprobs``: words that begin alike, and slots
    after the first, can't be told apart, and a word that is not among the likeliest gets a floor.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: str,
        timeout_seconds: float,
        retries: int,
        concurrency: int,
        scoring: Scoring,
        top_logprobs: int,
        max_views: int,
        max_new_tokens: int,
        max_pixels: int | None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Asks nothing yet.

        Args:
            base_url: The server's address up to and with ``/v1``.
            model: The model's name there.
            api_key: The server's key; empty if it wants none.
            timeout_seconds: Longest time for one try of one question.
            retries: Tries after the first if the server is out of reach, busy or broken.
            concurrency: Questions under way at once.
            scoring: ``"text"`` wants exact likelihoods or an error, ``"first_token"`` never asks for them,
                ``"auto"`` takes what the server can.
            top_logprobs: Likeliest tokens that are asked for; servers allow up to 20 unless told otherwise.
            max_views: Images of one candidate it is shown; more are left out.
            max_new_tokens: Longest answer written.
            max_pixels: Images with more pixels are sent smaller; None sends them as they are.
            sleep: Waits between tries.

        Raises:
            ConfigurationError: The address is not that of a server.
        """
        decides = json.dumps([base_url, scoring, top_logprobs, max_pixels])
        self.judge_id = f"{model}@endpoint-{hashlib.sha256(decides.encode()).hexdigest()[:12]}"
        self.max_views = max_views
        self.moment_way: MomentWay = "pictures" if max_views > 1 else "single"
        self._model, self._concurrency, self._scoring = model, concurrency, scoring
        self._top_logprobs, self._max_new_tokens, self._max_pixels = top_logprobs, max_new_tokens, max_pixels
        self._scores_text = False if scoring == "first_token" else None  # None: not known yet
        self._client = EndpointClient(
            base_url=base_url,
            api_key=api_key,
            timeout_seconds=timeout_seconds,
            retries=retries,
            connections=concurrency,
            sleep=sleep,
        )

    def close(self) -> None:
        """Closes the connections; may be called twice."""
        self._client.close()

    def complete(self, views: Sequence[Views], prompt: str) -> list[str]:
        """Writes a short answer to the prompt for each of N candidates.

        Raises:
            JudgeError: A candidate has no image, or the server did not answer usably after the last try.
        """
        questions = self._questions(views, prompt)
        return self._each(lambda question: read_text(self._ask(question, max_tokens=self._max_new_tokens)), questions)

    def score_answers(self, views: Sequence[Views], prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        """Log p(answer | images, prompt), natural log; shape (N, A).

        Raises:
            JudgeError: A candidate has no image, an answer no word, or the server did not answer usably after the
                last try, or gives no log-probabilities.
        """
        if not all(answer.strip() for answer in answers):
            raise JudgeError(f"one of the answers {list(answers)} is empty and has no token; give a word")
        questions = self._questions(views, prompt)
        if not questions or not answers:
            return np.zeros((len(views), len(answers)))
        exact = self._score_text(questions, answers)
        if exact is not None:
            return exact
        rows = self._each(self._first_token, questions)
        self._settle_for_first_tokens()
        seen = [[beginning_of(top, answer) for answer in answers] for top in rows]
        return np.array(
            [[floor_of(top) if log_p is None else log_p for log_p in row] for top, row in zip(rows, seen, strict=True)]
        )

    def score_answers_blind(self, prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        """Log p(answer | prompt) with one mid-gray image; shape (A,).

        Raises:
            JudgeError: As ``score_answers``.
        """
        return self.score_answers([[GRAY]], prompt, answers)[0]

    def affirm(self, views: Sequence[Views], prompt: str) -> NDArray[np.float64]:
        """Best log-probability of a yes minus best of a no at the first answer position; shape (N,).

        That is the difference of their logits. Where one of them is not among the likeliest tokens, both are scored
        as text, or, if the server can't, the missing one has a floor.

        Raises:
            JudgeError: A candidate has no image, the server did not answer usably after the last try, gives no
                log-probabilities, or the model says neither yes nor no.
        """
        questions = self._questions(views, prompt)
        tops = self._each(self._first_token, questions)
        margins = np.array([_margin(top) for top in tops], np.float64)
        unseen = [index for index, margin in enumerate(margins) if np.isnan(margin)]
        if unseen:
            margins[unseen] = self._margins_of_text([questions[index] for index in unseen], [tops[i] for i in unseen])
        return margins

    def _margins_of_text(self, questions: Sequence[Messages], tops: Sequence[Top]) -> NDArray[np.float64]:
        """Margins of questions to whose answers a yes or a no is not among the likeliest beginnings."""
        exact = self._score_text(questions, ("yes", "no"))
        if exact is not None:
            return exact[:, 0] - exact[:, 1]
        for top in tops:
            if yes_and_no_of(top) == (None, None):
                likeliest = sorted(top, key=lambda token: -top[token])[:5]
                raise JudgeError(f"{self.judge_id} answered neither yes nor no, but {likeliest}; choose another model")
        self._settle_for_first_tokens()
        return np.array([_margin(top, floor_of(top)) for top in tops])

    def _score_text(self, questions: Sequence[Messages], answers: Sequence[str]) -> NDArray[np.float64] | None:
        """Exact likelihoods by the log-probabilities of the answer's tokens in the prompt; None if there are none.

        The answer's tokens begin where the first question with and without it differ.
        """
        if self._scores_text is False:
            return None
        before = self._prompt_tokens(questions[0])
        if before is None:
            return None
        self._scores_text = True
        pairs = list(itertools.product(questions, answers))
        asked = self._each(lambda pair: self._prompt_tokens(*pair), pairs)
        rows = [asked[start : start + len(answers)] for start in range(0, len(asked), len(answers))]
        tails = [_tail(before, after or [], answer) for after, answer in zip(rows[0], answers, strict=True)]
        return np.array([[_sum(after or [], tail) for after, tail in zip(row, tails, strict=True)] for row in rows])

    def _prompt_tokens(self, question: Messages, answer: str = "") -> list[PromptToken] | None:
        """The scored tokens of a question, with the beginning of its answer; None if the server does not score."""
        body: Payload = {"max_tokens": 1, "prompt_logprobs": 0}
        if answer:
            question = [*question, {"role": "assistant", "content": answer}]
            body |= {"add_generation_prompt": False, "continue_final_message": True}
        unsure = self._scores_text is None and self._scoring == "auto"
        payload = self._client.ask(self._body(question, **body), may_refuse=unsure)
        tokens = read_prompt_tokens(payload) if payload is not None else None
        if tokens is None and not unsure:
            raise JudgeError(
                f"{self.judge_id} gives no prompt_logprobs, by which given answers are scored; serve it with vLLM, or "
                'set the endpoint\'s scoring = "first_token"'
            )
        return tokens

    def _first_token(self, question: Messages) -> Top:
        return read_first_token(self._ask(question, max_tokens=1, logprobs=True, top_logprobs=self._top_logprobs))

    def _settle_for_first_tokens(self) -> None:
        if self._scores_text is None:
            LOGGER.warning(
                "%s does not score given answers (prompt_logprobs): only the first token of each answer is weighed, "
                "and slots after the first can't be told apart; serve it with vLLM for exact likelihoods",
                self.judge_id,
            )
        self._scores_text = False

    def _ask(self, question: Messages, **options: Any) -> Payload:
        payload = self._client.ask(self._body(question, **options))
        if payload is None:  # only where a refusal is allowed
            raise JudgeError(f"{self.judge_id} refused a question; see the server's logs")
        return payload

    def _body(self, messages: Messages, **options: Any) -> Payload:
        return {"model": self._model, "messages": messages, "temperature": 0, "stream": False, **options}

    def _questions(self, views: Sequence[Views], prompt: str) -> list[Messages]:
        """The messages about each of N candidates."""
        if not all(len(candidate) for candidate in views):
            raise JudgeError("a candidate without images can't be judged; give at least one crop of each")
        return [self._question(list(candidate)[: self.max_views], prompt) for candidate in views]

    def _question(self, views: Views, prompt: str) -> Messages:
        urls = [write_data_url(view, self._max_pixels) for view in views]
        content = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        return [{"role": "user", "content": [*content, {"type": "text", "text": prompt}]}]

    def _each(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Does the work for all items, a few at once; results in the items' order, the first error ends it all."""
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="judge") as pool:
            futures = [pool.submit(work, item) for item in items]
            try:
                return [future.result() for future in futures]
            finally:
                for future in futures:
                    future.cancel()


def write_data_url(image: Image, max_pixels: int | None = None) -> str:
    """Writes an image as a JPEG data URL, scaled down if it has more pixels than allowed."""
    height, width = image.shape[:2]
    scale = math.sqrt(max_pixels / (height * width)) if max_pixels else 1.0
    if scale < 1:
        size = (max(1, int(width * scale)), max(1, int(height * scale)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    written, jpeg = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), JPEG)
    if not written:
        raise JudgeError(f"an image of shape {image.shape} can't be written as JPEG; give RGB images (H, W, 3)")
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()


def _margin(top: Top, floor: float = math.nan) -> float:
    """Yes minus no, with a floor for one that is not among the likeliest; NaN without a floor."""
    yes, no = yes_and_no_of(top)
    return (floor if yes is None else yes) - (floor if no is None else no)


def _tail(before: Sequence[PromptToken], after: Sequence[PromptToken], answer: str) -> tuple[str, ...]:
    """Ids of the tokens that an answer puts behind a question."""
    same = itertools.takewhile(lambda pair: pair[0].token_id == pair[1].token_id, zip(before, after, strict=False))
    tail = after[sum(1 for _ in same) :]
    said, wanted = _letters("".join(token.text or "" for token in tail)), _letters(answer)
    if not tail or (said.startswith(wanted) and said != wanted):
        raise JudgeError(
            f"the endpoint scored {said[:60]!r} where {answer!r} was given: its chat template does not continue a last "
            'message (continue_final_message); set the endpoint\'s scoring = "first_token"'
        )
    return tuple(token.token_id for token in tail)


def _sum(tokens: Sequence[PromptToken], tail: Sequence[str]) -> float:
    """Sum of log p of a prompt's last tokens."""
    last = tokens[-len(tail) :]
    if tuple(token.token_id for token in last) != tuple(tail):
        raise JudgeError("the endpoint cuts one answer into different tokens for different pictures; see its logs")
    return sum(token.log_p for token in last)


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())
