"""The judge behind an endpoint against a real server, beside the same judge without one."""

from collections.abc import Iterator

import numpy as np
import pytest

from anomalylmm.models.judge.endpoint import EndpointJudge, write_data_url
from anomalylmm.models.judge.transformers_judge import TransformersJudge
from anomalylmm.models.weights import resolve
from anomalylmm.records import Image
from anomalylmm.rerank.stages import Adjudicator
from tests.adapters import build_endpoint, build_judge
from tests.anomalylmm.models.judge.judge_server import read_data_url
from tests.anomalylmm.scripted import LEXICON, candidate_of, query_of

WEIGHTS = "pocket/judge"
CLOZE = "Fill each blank with one word, or UNKNOWN.\na man in a [MASK] jacket is [MASK]"
AFFIRM = "Does this picture show: a man in a red jacket is falling? Answer yes or no."
ANSWERS = ["red, falling", "blue, falling", "red, walking"]


def paint(number: int) -> Image:
    """A picture that survives being sent: the one that a JPEG of it decodes to."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 255, (6, 4, 3), dtype=np.uint8)
    return read_data_url(write_data_url(np.kron(coarse, np.ones((24, 24, 1), np.uint8))))


@pytest.fixture
def endpoint(judge_url: str) -> Iterator[EndpointJudge]:
    judge = build_endpoint(base_url=judge_url, model="pocket", max_views=2, concurrency=2)
    yield judge
    judge.close()


@pytest.fixture(scope="module")
def in_process() -> TransformersJudge:
    return build_judge(resolve(WEIGHTS, "judge"), device="cpu", max_views=2)


@pytest.fixture(scope="module")
def views() -> list[list[Image]]:
    return [[read_data_url(write_data_url(paint(number)))] for number in range(3)]


def sent(views: list[list[Image]]) -> list[list[Image]]:
    """The views as the server decodes them."""
    return [[read_data_url(write_data_url(image)) for image in candidate] for candidate in views]


def test_likelihoods_are_those_of_the_judge_in_process(
    endpoint: EndpointJudge, in_process: TransformersJudge, views: list[list[Image]]
) -> None:
    theirs = endpoint.score_answers(views, CLOZE, ANSWERS)
    np.testing.assert_allclose(theirs, in_process.score_answers(sent(views), CLOZE, ANSWERS), atol=1e-3)


def test_blind_likelihoods_are_those_of_the_judge_in_process(
    endpoint: EndpointJudge, in_process: TransformersJudge
) -> None:
    theirs = endpoint.score_answers_blind(CLOZE, ANSWERS)
    np.testing.assert_allclose(theirs, in_process.score_answers_blind(CLOZE, ANSWERS), atol=1e-3)


def test_yes_over_no_is_that_of_the_judge_in_process(
    endpoint: EndpointJudge, in_process: TransformersJudge, views: list[list[Image]]
) -> None:
    np.testing.assert_allclose(endpoint.affirm(views, AFFIRM), in_process.affirm(sent(views), AFFIRM), atol=1e-3)


def test_yes_over_no_of_few_likely_tokens_is_the_same(
    judge_url: str, in_process: TransformersJudge, views: list[list[Image]]
) -> None:
    judge = build_endpoint(base_url=judge_url, model="pocket", top_logprobs=1)
    np.testing.assert_allclose(judge.affirm(views, CLOZE), in_process.affirm(sent(views), CLOZE), atol=1e-3)
    judge.close()


def test_written_answers_are_those_of_the_judge_in_process(
    endpoint: EndpointJudge, in_process: TransformersJudge, views: list[list[Image]]
) -> None:
    assert endpoint.complete(views, CLOZE) == in_process.complete(sent(views), CLOZE)


def test_a_server_that_scores_no_text_still_tells_first_words_apart(
    judge_url: str, in_process: TransformersJudge, views: list[list[Image]]
) -> None:
    answers = ["red", "blue"]
    plain = judge_url.replace("/v1", "/plain/v1")
    judge = build_endpoint(base_url=plain, model="pocket", top_logprobs=200)
    theirs = judge.score_answers(views, CLOZE, answers)
    judge.close()
    np.testing.assert_allclose(theirs, in_process.score_answers(sent(views), CLOZE, answers), atol=1e-3)


def test_the_three_stages_run_on_it(endpoint: EndpointJudge) -> None:
    judged = Adjudicator(endpoint, LEXICON).adjudicate(
        query_of("a man in a red coat is falling"), [candidate_of(rank, rank + 1) for rank in range(2)]
    )
    verdicts = [ranked.verdict for ranked in judged.ranked]
    assert all(verdict and len(verdict.slots) == 2 and verdict.judge_id == endpoint.judge_id for verdict in verdicts)
    assert not any("not judged" in verdict.reason for verdict in verdicts if verdict)
