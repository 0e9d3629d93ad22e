"""The judge behind an endpoint: what it asks, what it believes, and what it does when the server misbehaves."""

import json
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

from anomalylmm.errors import ConfigurationError, JudgeError
from anomalylmm.models.judge.endpoint import EndpointJudge, write_data_url
from anomalylmm.records import Image
from anomalylmm.rerank.prompts import DESCRIBE_PROMPT
from anomalylmm.rerank.score import RerankSettings
from anomalylmm.rerank.stages import Adjudicator
from tests.adapters import build_endpoint
from tests.anomalylmm.models.judge.judge_server import read_data_url
from tests.anomalylmm.models.judge.serving import Script, scripted_server
from tests.anomalylmm.scripted import LEXICON, candidate_of, query_of
from tests.fakes import ColorEncoder

VIEW = np.full((40, 30, 3), 200, np.uint8)
Serve = Callable[..., EndpointJudge]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Gives a function that starts a scripted server and builds a judge that asks it."""
    with ExitStack() as stack:

        def start(script: Script, **options: Any) -> EndpointJudge:
            url = stack.enter_context(scripted_server(script))
            settings = {"model": "m", "retries": 2, "timeout_seconds": 60.0, "sleep": lambda _seconds: None}
            judge = build_endpoint(base_url=url, **{**settings, **options})
            stack.callback(judge.close)
            return judge

        yield start


def chat(text: str | None = "walking", tops: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A chat completion with the likeliest first tokens."""
    choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": text}}
    if tops is not None:
        listed = [{"token": token, "logprob": log_p} for token, log_p in tops.items()]
        choice["logprobs"] = {"content": [{**listed[0], "top_logprobs": listed}]}
    return {"choices": [choice], **more}


def scored(*tokens: tuple[int, float, str | None]) -> list[Any]:
    """Scored prompt tokens as vLLM writes them."""
    rows = [{str(number): {"logprob": log_p, "rank": 1, "decoded_token": text}} for number, log_p, text in tokens]
    return [None, *rows]


def test_the_picture_and_the_prompt_are_sent_and_the_text_comes_back(serve: Serve) -> None:
    script = Script([(200, chat(" red, walking \n"))])
    judge = serve(script, max_new_tokens=7, max_views=2)
    assert judge.complete([[VIEW, VIEW, VIEW]], "What?") == ["red, walking"]
    body = script.bodies[0]
    *images, text = body["messages"][0]["content"]
    assert text == {"type": "text", "text": "What?"}
    assert len(images) == 2
    assert read_data_url(images[0]["image_url"]["url"]).shape == VIEW.shape
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("m", 7, 0)


def test_large_pictures_are_sent_smaller_and_red_stays_red() -> None:
    image = np.zeros((200, 100, 3), np.uint8)
    image[..., 0] = 220
    sent = read_data_url(write_data_url(image, max_pixels=5000))
    assert sent.shape == (100, 50, 3)
    assert np.abs(sent.reshape(-1, 3).mean(0) - [220, 0, 0]).max() < 4


@pytest.mark.parametrize("failures", [[500], [429, 503], [500, 500]])
def test_a_busy_or_broken_server_is_asked_again(serve: Serve, failures: list[int]) -> None:
    script = Script([*((status, {"error": "busy"}) for status in failures), (200, chat("walking"))])
    assert serve(script).complete([[VIEW]], "What?") == ["walking"]
    assert len(script.bodies) == len(failures) + 1


def test_the_pauses_grow_and_the_servers_wish_is_followed(serve: Serve) -> None:
    waits: list[float] = []
    with pytest.raises(JudgeError, match="4 tries"):
        serve(Script([(503, {})]), retries=3, sleep=waits.append).complete([[VIEW]], "What?")
    assert waits == [0.5, 1.0, 2.0]
    waits.clear()
    script = Script([(429, {}), (429, {}), (200, chat())], headers={"Retry-After": "7"})
    serve(script, sleep=waits.append).complete([[VIEW]], "What?")
    assert waits == [7.0, 7.0]


def test_a_server_that_stays_broken_is_named_with_its_words_and_a_remedy(serve: Serve) -> None:
    with pytest.raises(JudgeError, match=r"127\.0\.0\.1.*3 tries.*out of memory.*retries"):
        serve(Script([(500, {"error": "out of memory"})])).complete([[VIEW]], "What?")


def test_nobody_listening_is_a_clear_error() -> None:
    judge = build_endpoint(base_url="http://127.0.0.1:9/v1", model="m", retries=1, sleep=lambda _seconds: None)
    with pytest.raises(JudgeError, match=r"2 tries.*see that the server runs"):
        judge.affirm([[VIEW]], "Is it?")
    judge.close()


def test_a_silent_server_is_left_after_the_timeout(serve: Serve) -> None:
    with pytest.raises(JudgeError, match="Timeout"):
        serve(Script([(200, chat())], delay_seconds=1.5), timeout_seconds=0.5, retries=0).complete([[VIEW]], "What?")


def test_a_server_that_drips_without_end_is_left_after_the_timeout(serve: Serve) -> None:
    with pytest.raises(JudgeError, match="ReadTimeout"):
        serve(Script([(200, b"")], drips=True), timeout_seconds=1.0, retries=0).complete([[VIEW]], "What?")


def test_an_answer_without_end_is_cut_off(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomalylmm.models.judge.endpoint_client.MAX_BYTES", 10_000)
    with pytest.raises(JudgeError, match="keeps sending its answer"):
        serve(Script([(200, chat("walking " * 5000))])).complete([[VIEW]], "What?")


def test_an_overlong_answer_is_cut_where_the_parser_notes_it(serve: Serve) -> None:
    assert len(serve(Script([(200, chat("walking " * 5000))])).complete([[VIEW]], "What?")[0]) == 2001


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (b"<html>hello</html>", "did not answer with JSON: <html>"),
        (b"[" * 100_000, "did not answer with JSON"),
        (b"[1, 2]", "not a chat completion"),
        ({}, "no choices"),
        ({"choices": []}, "no choices"),
        ({"choices": ["a"]}, "no choices"),
        ({"choices": [{"message": "walking"}]}, "no text"),
        (chat(None), "without its thinking"),
    ],
)
def test_nonsense_is_not_believed(serve: Serve, reply: Any, words: str) -> None:
    with pytest.raises(JudgeError, match=words):
        serve(Script([(200, reply)])).complete([[VIEW]], "What?")


@pytest.mark.parametrize(
    ("status", "words"), [(401, "api_key_env"), (404, "ends with /v1"), (400, "model takes images"), (302, "redirects")]
)
def test_a_refusal_is_not_repeated_and_says_what_to_do(serve: Serve, status: int, words: str) -> None:
    script = Script([(status, {"error": "no"})], headers={"Location": "http://127.0.0.1:9/v1"})
    with pytest.raises(JudgeError, match=f"HTTP {status}.*{words}"):
        serve(script).complete([[VIEW]], "What?")
    assert len(script.bodies) == 1


def test_the_key_is_sent_and_never_repeated(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    script = Script([(403, {"error": "key sekret-1 is wrong"})])
    with caplog.at_level(logging.DEBUG), pytest.raises(JudgeError) as caught:
        serve(script, api_key="sekret-1").complete([[VIEW]], "What?")
    assert script.keys == ["Bearer sekret-1"]
    assert "sekret-1" not in str(caught.value) + caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/v1",
        "host:8000/v1",
        "http://",
        "http://user:word@host/v1",
        "http://host/v1?key=1",
        "http://host:port/v1",
    ],
)
def test_an_address_that_is_none_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="base_url"):
        build_endpoint(base_url=url, model="m")


def test_order_is_kept_and_concurrency_bounded(serve: Serve) -> None:
    def answer(body: dict[str, Any]) -> dict[str, Any]:
        image = read_data_url(body["messages"][0]["content"][0]["image_url"]["url"])
        return chat(str(round(image.mean() / 10)))

    script = Script([(200, answer)], delay_seconds=0.2)
    views = [[np.full((16, 16, 3), 10 * number, np.uint8)] for number in range(12)]
    assert serve(script, concurrency=3).complete(views, "What?") == [str(number) for number in range(12)]
    assert 2 <= script.max_at_once <= 3


def test_one_candidates_failure_is_an_error_after_its_retries(serve: Serve) -> None:
    def answer(body: dict[str, Any]) -> Any:
        image: Image = read_data_url(body["messages"][0]["content"][0]["image_url"]["url"])
        return chat("walking") if image.mean() < 100 else {"choices": None}

    script = Script([(500, {}), (200, answer)])
    with pytest.raises(JudgeError, match="no choices"):
        serve(script, concurrency=1).complete([[VIEW // 4], [VIEW], [VIEW // 4]], "What?")
    assert len(script.bodies) <= 4


def test_yes_and_no_are_weighed_with_all_their_spellings(serve: Serve) -> None:
    tops = {"Yes": -1.0, " yes": -0.5, "\u2581No": -3.0, "Maybe": -2.0}
    script = Script([(200, chat("Yes", tops))])
    np.testing.assert_allclose(serve(script).affirm([[VIEW]], "Is it?"), [2.5])
    assert (script.bodies[0]["logprobs"], script.bodies[0]["top_logprobs"]) == (True, 20)


def test_a_yes_that_is_not_among_the_likeliest_is_scored_as_text(serve: Serve) -> None:
    question = scored((5, -1.0, "Is it?"))

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        if "prompt_logprobs" not in body:
            return chat("No", {"No": -0.1, "Nope": -3.0})
        given = body["messages"][1]["content"] if len(body["messages"]) > 1 else ""
        tail = {"": [], "yes": scored((7, -9.0, "yes"))[1:], "no": scored((8, -0.25, "no"))[1:]}[given]
        return chat("x", prompt_logprobs=[*question, *tail])

    np.testing.assert_allclose(serve(Script([(200, answer)])).affirm([[VIEW]], "Is it?"), [-8.75])


def test_a_yes_that_is_not_among_the_likeliest_has_a_floor_where_text_is_not_scored(serve: Serve) -> None:
    margin = serve(Script([(200, chat("No", {"No": -0.1, "Nope": -3.0}))])).affirm([[VIEW]], "Is it?")
    floor = math.log(1 - math.exp(-0.1) - math.exp(-3.0))
    np.testing.assert_allclose(margin, [min(floor, -3.0) + 0.1])


def test_neither_yes_nor_no_is_an_error_that_quotes_what_was_said(serve: Serve) -> None:
    with pytest.raises(JudgeError, match=r"neither yes nor no, but .*'The'"):
        serve(Script([(200, chat("The", {"The": -0.1, "A": -3.0}))])).affirm([[VIEW]], "Is it?")


@pytest.mark.parametrize("logprobs", [None, {}, {"content": None}, {"content": []}, {"content": ["yes"]}, "yes"])
def test_a_server_without_logprobs_is_a_clear_error(serve: Serve, logprobs: Any) -> None:
    reply = chat("yes")
    reply["choices"][0]["logprobs"] = logprobs
    with pytest.raises(JudgeError, match=r"gives no logprobs.*rerank\.affirm_weight = 0"):
        serve(Script([(200, reply)])).affirm([[VIEW]], "Is it?")


@pytest.mark.parametrize("value", [math.nan, "a", None, True, 3.0, math.inf])
def test_numbers_that_are_no_log_probabilities_are_refused(serve: Serve, value: Any) -> None:
    with pytest.raises(JudgeError, match="log-probability"):
        serve(Script([(200, chat("yes", {"yes": value, "no": -1.0}))])).affirm([[VIEW]], "Is it?")
    replies = [(200, chat("x", prompt_logprobs=rows)) for rows in (scored(), scored((5, value, "a")))]
    with pytest.raises(JudgeError, match="log-probability"):
        serve(Script(replies)).score_answers([[VIEW]], "What?", ["a"])


def test_minus_infinity_is_a_finite_floor(serve: Serve) -> None:
    margin = serve(Script([(200, chat("yes", {"yes": -0.5, "no": -math.inf}))])).affirm([[VIEW]], "Is it?")
    np.testing.assert_allclose(margin, [9999.5])


def test_answers_are_scored_by_the_prompts_tokens_where_the_server_does(serve: Serve) -> None:
    question = scored((5, -7.0, "What"), (6, -8.0, "?"))
    tails = {
        "": [],
        "red": scored((10, -1.0, " red"))[1:],
        "red coat": scored((10, -1.0, " red"), (11, -2.5, " coat"))[1:],
    }

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        given = body["messages"][1]["content"] if len(body["messages"]) > 1 else ""
        return chat("x", prompt_logprobs=[*question, *tails[given]])

    script = Script([(200, answer)])
    scores = serve(script).score_answers([[VIEW], [VIEW]], "What?", ["red", "red coat"])
    np.testing.assert_allclose(scores, [[-1.0, -3.5]] * 2)
    asked = [body for body in script.bodies if len(body["messages"]) > 1]
    assert len(script.bodies) == 5
    assert all(body["continue_final_message"] and not body["add_generation_prompt"] for body in asked)


def test_a_template_that_closes_the_answer_is_noticed(serve: Serve) -> None:
    def answer(body: dict[str, Any]) -> dict[str, Any]:
        tail = scored((10, -1.0, "red"), (3, -9.0, "<end>"))[1:] if len(body["messages"]) > 1 else []
        return chat("x", prompt_logprobs=[*scored((5, -7.0, "What?")), *tail])

    with pytest.raises(JudgeError, match="continue_final_message"):
        serve(Script([(200, answer)])).score_answers([[VIEW]], "What?", ["red"])


@pytest.mark.parametrize("refuses", [True, False])
def test_without_scored_text_first_tokens_are_weighed_and_that_is_said_once(
    serve: Serve, refuses: bool, caplog: pytest.LogCaptureFixture
) -> None:
    tops = {" red": -1.0, "Red": -2.0, "r": -0.9, "bl": -3.0, "none": -4.0}
    first = chat("red", tops)
    replies = [(400, {"error": "unknown field"}), (200, first)] if refuses else [(200, first)]
    judge = serve(Script(replies))
    answers = ["red, walking", "blue, walking", "green, walking"]
    scores = judge.score_answers([[VIEW]], "What?", answers)
    floor = min(-4.0, math.log(1 - sum(math.exp(log_p) for log_p in tops.values())))
    np.testing.assert_allclose(scores, [[np.logaddexp(-1.0, -2.0), -3.0, floor]])
    np.testing.assert_allclose(judge.score_answers_blind("What?", answers), scores[0])
    assert sum("only the first token" in record.message for record in caplog.records) == 1


def test_exact_scores_can_be_demanded(serve: Serve) -> None:
    with pytest.raises(JudgeError, match="prompt_logprobs"):
        serve(Script([(200, chat("red", {"red": -1.0}))]), scoring="text").score_answers([[VIEW]], "What?", ["red"])


def test_a_server_that_scored_text_once_must_go_on(serve: Serve) -> None:
    replies = [(200, chat("x", prompt_logprobs=scored((5, -1.0, "a")))), (200, chat("red", {"red": -1.0}))]
    with pytest.raises(JudgeError, match="prompt_logprobs"):
        serve(Script(replies)).score_answers([[VIEW]], "What?", ["red"])


def test_what_changes_answers_changes_the_judges_name() -> None:
    options = {"base_url": "http://127.0.0.1:8000/v1", "model": "org/m"}
    judges = [build_endpoint(**options), build_endpoint(**options), build_endpoint(**options, max_pixels=9999)]
    names = [judge.judge_id for judge in judges]
    assert names[0] == names[1] != names[2]
    assert names[0].startswith("org/m@endpoint-")
    for judge in judges:
        judge.close()


def test_candidates_without_images_and_empty_answers_are_refused(serve: Serve) -> None:
    judge = serve(Script([(200, chat())]))
    with pytest.raises(JudgeError, match="at least one crop"):
        judge.affirm([[]], "Is it?")
    with pytest.raises(JudgeError, match="no token"):
        judge.score_answers([[VIEW]], "What?", [" "])


def test_a_server_is_asked_to_describe_each_candidate_in_a_question_of_its_own(serve: Serve) -> None:
    def reply(body: dict[str, Any]) -> bytes:
        is_asked = body["messages"][0]["content"][-1]["text"] == DESCRIBE_PROMPT
        return json.dumps(chat("A man\x1b[2J falls\nover." if is_asked else "falling")).encode()

    script = Script([(200, reply)])
    settings = RerankSettings(reading="generate", affirm_weight=0.0, focus=False, description_weight=1.0)
    adjudicator = Adjudicator(serve(script), LEXICON, settings, encoder=ColorEncoder())
    result = adjudicator.adjudicate(query_of("a man falling"), [candidate_of(0, 1), candidate_of(1, 2)])
    texts = [body["messages"][0]["content"][-1]["text"] for body in script.bodies]
    assert (len(texts), texts.count(DESCRIBE_PROMPT), result.num_calls) == (4, 2, 4)
    assert [item.verdict.description for item in result.ranked if item.verdict] == ["A man [2J falls over."] * 2
