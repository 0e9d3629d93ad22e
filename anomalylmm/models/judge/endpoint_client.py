"""Sends requests to one OpenAI-compatible server: timeouts, bounded retries, no redirects; knows no question."""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx

from anomalylmm.errors import ConfigurationError, JudgeError

Payload = dict[str, Any]
MAX_BYTES = 64 << 20  # of one answer; log-probabilities of a long prompt are a few megabytes
MAX_QUOTED = 200  # characters of a server's words in a message
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 30.0
REFUSED = (400, 413, 415, 422)  # the server understood and will not do it


class EndpointClient:
    """Asks for chat completions; may be used by several threads."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        timeout_seconds: float,
        retries: int,
        connections: int,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Opens no connection yet. The key is sent as bearer token unless it is empty, and appears in no message.

        Raises:
            ConfigurationError: The address is not that of a server.
        """
        self.url = _checked(base_url) + "/chat/completions"
        self._key, self._timeout, self._retries, self._sleep = api_key, timeout_seconds, retries, sleep
        headers = {"Accept-Encoding": "identity", "Content-Type": "application/json"}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        self._http = httpx.Client(
            headers=headers,
            timeout=timeout_seconds,
            limits=httpx.Limits(max_connections=connections),
            follow_redirects=False,  # pictures of people go to the server that was named, and to no other
            trust_env=False,
        )

    def close(self) -> None:
        """Closes the connections; may be called twice."""
        self._http.close()

    def ask(self, body: Payload, *, may_refuse: bool = False) -> Payload | None:
        """Asks once, and again after a growing pause while the server is out of reach, busy or broken.

        If the server refuses the request as such, the result is None where it ``may_refuse``, or an error.

        Raises:
            JudgeError: There is no usable answer after the last try, or asking again would not help.
        """
        content = json.dumps(body).encode()
        for attempt in range(self._retries + 1):
            wait = min(FIRST_WAIT_SECONDS * 2**attempt, LONGEST_WAIT_SECONDS)
            try:
                response, answer = self._post(content)
            except httpx.RequestError as error:
                problem = f"{type(error).__name__}: {self._quote(str(error))}"
            else:
                if response.status_code != 429 and response.status_code < 500:
                    return self._read(response, answer, may_refuse)
                problem = f"HTTP {response.status_code}: {self._quote(answer)}"
                wait = _asked_wait(response, wait)
            if attempt < self._retries:
                self._sleep(wait)
        raise JudgeError(
            f"{self.url} gave no answer in {self._retries + 1} tries ({problem}); see that the server runs and is not "
            "overloaded, or raise the endpoint's timeout_seconds or retries"
        )

    def _post(self, content: bytes) -> tuple[httpx.Response, bytes]:
        """Posts and reads the answer as far as it may go on."""
        deadline = time.monotonic() + self._timeout
        answer = bytearray()
        with self._http.stream("POST", self.url, content=content) as response:
            for piece in response.iter_raw():
                answer += piece
                if len(answer) > MAX_BYTES:
                    raise JudgeError(f"{self.url} keeps sending its answer (over {MAX_BYTES >> 20} MB); see its logs")
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout(f"still answering after {self._timeout:g} s")
        return response, bytes(answer)

    def _read(self, response: httpx.Response, answer: bytes, may_refuse: bool) -> Payload | None:
        status = response.status_code
        if status in REFUSED and may_refuse:
            return None
        if status != 200:
            raise JudgeError(f"{self.url} answered HTTP {status}: {self._quote(answer)}; {_remedy(response)}")
        try:
            payload = json.loads(answer)
        except (ValueError, RecursionError) as error:
            raise JudgeError(
                f"{self.url} did not answer with JSON: {self._quote(answer)}; {_remedy(response)}"
            ) from error
        if not isinstance(payload, dict):
            raise JudgeError(
                f"{self.url} answered {self._quote(answer)}, which is not a chat completion; {_remedy(response)}"
            )
        return payload

    def _quote(self, words: bytes | str) -> str:
        """A server's words, short, in one line, without the key that it may repeat."""
        text = words if isinstance(words, str) else words[: 10 * MAX_QUOTED].decode(errors="replace")
        if self._key:
            text = text.replace(self._key, "***")
        text = " ".join(text.split())
        return "".join(letter for letter in text if letter.isprintable())[:MAX_QUOTED] or "nothing"


def _checked(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"the endpoint's base_url can't be read ({error}); see docs/operating.md") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigurationError(f"the endpoint's base_url is {base_url!r}; use one like http://127.0.0.1:8000/v1")
    if url.userinfo or url.query or url.fragment:
        raise ConfigurationError(
            "the endpoint's base_url contains a user, a query or a fragment; give only the address, and name the "
            "environment variable of a key with api_key_env"
        )
    return base_url.rstrip("/")


def _asked_wait(response: httpx.Response, otherwise: float) -> float:
    """Seconds that a busy server asks to wait, within reason."""
    asked = response.headers.get("Retry-After", "")
    return min(float(asked), LONGEST_WAIT_SECONDS) if asked.isascii() and asked.isdigit() else otherwise


def _remedy(response: httpx.Response) -> str:
    status = response.status_code
    if response.is_redirect:
        return "redirects are not followed; set base_url to where the server is"
    if status in {401, 403}:
        return "name the environment variable that holds the server's key with api_key_env"
    if status == 404:
        return "see that base_url ends with /v1 and that the server knows the model's name"
    return "see that base_url is that of an OpenAI-compatible server and the model takes images"
