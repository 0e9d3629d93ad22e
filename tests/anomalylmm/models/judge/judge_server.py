"""A small OpenAI-compatible server of one judge, for tests: chat completions with logprobs and prompt_logprobs."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import cv2
import numpy as np
import torch

from anomalylmm.models.judge.likelihood import lengthen
from anomalylmm.models.judge.transformers_judge import TransformersJudge
from anomalylmm.models.weights import resolve
from anomalylmm.records import Image
from tests.adapters import build_judge
from tests.anomalylmm.models.judge.serving import serve

Body = dict[str, Any]


class Answerer:
    """Answers the bodies of requests with one judge, one at a time."""

    def __init__(self, judge: TransformersJudge) -> None:
        self._judge = judge
        self._lock = threading.Lock()

    def answer(self, body: Body, *, scores_text: bool) -> Body:
        """Gives the chat completion."""
        views, prompt, given = read_messages(body)
        with self._lock, torch.inference_mode():
            text = "" if given or body["max_tokens"] == 1 else self._judge.complete([views], prompt)[0]
            choice: Body = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            if body.get("logprobs"):
                choice["logprobs"] = {"content": [self._first_token(views, prompt, body["top_logprobs"])]}
            reply: Body = {"object": "chat.completion", "model": body["model"], "choices": [choice]}
            if scores_text and body.get("prompt_logprobs") is not None:
                reply["prompt_logprobs"] = self._prompt_logprobs(views, prompt, given)
        return reply

    def _first_token(self, views: list[Image], prompt: str, count: int) -> Body:
        inputs = self._judge._chat.inputs_of(views, prompt)
        logs, ids = torch.log_softmax(self._judge._scorer.first_logits(inputs)[0], -1).topk(count)
        top = [
            {"token": self._token(number), "logprob": log_p}
            for number, log_p in zip(ids.tolist(), logs.tolist(), strict=True)
        ]
        return {**top[0], "top_logprobs": top}

    def _prompt_logprobs(self, views: list[Image], prompt: str, given: str) -> list[Body | None]:
        chat = self._judge._chat
        inputs = chat.inputs_of(views, prompt)
        if given:
            inputs = lengthen(inputs, torch.tensor([chat.answer_ids(prompt, given)]))
        ids = inputs["input_ids"][0]
        logs = torch.log_softmax(self._judge._model(**inputs, use_cache=False).logits[0].float(), -1)
        scored = logs[:-1].gather(1, ids[1:, None])[:, 0].tolist()
        return [
            None,
            *(
                {str(number): {"logprob": log_p, "rank": None, "decoded_token": self._token(number)}}
                for number, log_p in zip(ids[1:].tolist(), scored, strict=True)
            ),
        ]

    def _token(self, number: int) -> str:
        return self._judge._chat.tokenizer.decode([number])


def read_messages(body: Body) -> tuple[list[Image], str, str]:
    """Reads the pictures, the question and the given beginning of its answer."""
    user, *rest = body["messages"]
    parts = {kind: [part for part in user["content"] if part["type"] == kind] for kind in ("image_url", "text")}
    views = [read_data_url(part["image_url"]["url"]) for part in parts["image_url"]]
    given = rest[0]["content"] if rest and body.get("continue_final_message") else ""
    return views, parts["text"][0]["text"], given


def read_data_url(url: str) -> Image:
    """Decodes the picture of a JPEG data URL."""
    jpeg = base64.b64decode(url.removeprefix("data:image/jpeg;base64,"))
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


class Handler(BaseHTTPRequestHandler):
    """Answers POST /v1/chat/completions, and below /plain as a server that scores no text of a prompt."""

    protocol_version = "HTTP/1.1"
    answerer: Answerer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        scores_text, known = self.path == "/v1/chat/completions", self.path.endswith("/v1/chat/completions")
        reply = self.answerer.answer(body, scores_text=scores_text) if known else {"error": "not found"}
        content = json.dumps(reply).encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""


@contextmanager
def judge_server(weights: str) -> Iterator[str]:
    """Runs the server of a judge in a thread and gives its base URL."""
    Handler.answerer = Answerer(build_judge(resolve(weights, "judge"), device="cpu", max_views=16))
    with serve(Handler) as url:
        yield url
