"""Asks a server that may be slow, fail or never answer: time limits, new tries, and errors in plain words."""

import errno
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

STALL_SECONDS = 60.0  # in which a server must answer, or send a piece of a file
PAUSES_SECONDS = (1.0, 5.0)  # before the second and the third try
MAX_FAILURES = 5  # in a row, after which a server is left alone for a while
REST_SECONDS = 300.0
MAX_HURRIED_FAILURES = 2  # in a row where a person waits; a server that does not answer is left alone at once
HURRIED_REST_SECONDS = 30.0
_SECRETS = re.compile(r"(?<=//)[^/@\s]+@|(?<=[?&])[^=&\s]*(?:sig|token|key|credential)[^=&\s]*=[^&\s]+", re.IGNORECASE)
_NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError", "UnauthorizedSSOTokenError")
_LASTING = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError, NotImplementedError)
Result = TypeVar("Result")
_wait_seconds: ContextVar[float | None] = ContextVar("wait_seconds", default=None)


@contextmanager
def hurried(wait_seconds: float) -> Iterator[None]:
    """Lets a server have only some seconds for each answer in this block, because a person waits.

    It is asked once. If it does not answer, or fails twice, it is left alone for a moment, so that the next video does
    not wait as long.
    """
    token = _wait_seconds.set(wait_seconds)
    try:
        yield
    finally:
        _wait_seconds.reset(token)


class ServerFailedError(OSError):
    """A server failed at every try."""


class NoAnswerError(ServerFailedError):
    """A server did not answer in time at any try, or is left alone."""


class Server:
    """A server that is asked again if it fails, and left alone for some minutes after several failures in a row."""

    def __init__(self) -> None:
        self._failures, self._rests_until, self._reason = 0, 0.0, ""

    def ask(
        self, work: Callable[[], Result], max_seconds: float | None = None, pulse: Callable[[], object] | None = None
    ) -> Result:
        """Does work that needs the server.

        Args:
            work: What is asked.
            max_seconds: Time for one try; ``STALL_SECONDS`` if not given.
            pulse: A short question. Work that takes longer than ``STALL_SECONDS`` goes on while it is answered.

        Raises:
            ServerFailedError: It failed at every try, or is left alone.
            OSError: The answer is that a file is missing or access is denied.
        """
        rest_seconds = self._rests_until - time.monotonic()
        if rest_seconds > 0:
            raise NoAnswerError(
                errno.EHOSTDOWN,
                f"the server has failed ({self._reason}) and is left alone for {rest_seconds:.0f} s; try again then",
            )
        wait_seconds = _wait_seconds.get()
        limit = STALL_SECONDS if max_seconds is None else max_seconds
        for pause in (None,) if wait_seconds else (*PAUSES_SECONDS, None):
            try:
                return within(min(limit, wait_seconds or limit), work, pulse)
            except Exception as error:  # the errors of fsspec's libraries have no base in common
                lasting = _explain_lasting(error)
                if lasting is not None:
                    raise lasting from error
                if pause is None:
                    raise self._give_up(error, wait_seconds) from error
                time.sleep(pause)
        raise AssertionError("the last pause is None")

    def forgive(self) -> None:
        """Forgets the failures: content has come. A status proves little, as a server may know files it can't read."""
        self._failures = 0

    def _give_up(self, error: Exception, wait_seconds: float | None) -> ServerFailedError:
        self._failures, self._reason = self._failures + 1, say(error)
        is_silent = isinstance(error, TimeoutError)
        if wait_seconds and (is_silent or self._failures >= MAX_HURRIED_FAILURES):
            self._rests_until = time.monotonic() + HURRIED_REST_SECONDS
        elif self._failures >= MAX_FAILURES:
            self._rests_until = time.monotonic() + REST_SECONDS
        remedy = "see whether it runs and can be reached from here"
        if wait_seconds and is_silent:
            remedy += ", or give it more time (archive.wait_seconds)"
        tries = "the server failed" if wait_seconds else "the server failed at every try, the last time with"
        kind = NoAnswerError if is_silent else ServerFailedError
        return kind(errno.EIO, f"{tries}: {self._reason}; {remedy}")


def within(seconds: float, work: Callable[[], Result], pulse: Callable[[], object] | None = None) -> Result:
    """Waits for work that a dead server or network file system may keep for ever.

    Raises:
        TimeoutError: It did not end in time; its thread is left behind and does not keep the process.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised below, by who waits
            errors.append(error)

    thread = threading.Thread(target=run, name="archive", daemon=True)
    thread.start()
    deadline = time.monotonic() + seconds
    while thread.is_alive() and (left := deadline - time.monotonic()) > 0:
        thread.join(min(left, STALL_SECONDS) if pulse else left)
        if pulse and thread.is_alive() and time.monotonic() < deadline:
            _feel(pulse)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no answer for {seconds:g} s")
    return results[0]


def _feel(pulse: Callable[[], object]) -> None:
    """Asks a short question; any answer will do, an error too.

    Raises:
        TimeoutError: There is no answer.
    """
    try:
        within(STALL_SECONDS, pulse)
    except TimeoutError:
        raise
    except Exception:  # noqa: BLE001, S110 - a server that refuses the question has answered
        pass


def say(error: BaseException) -> str:
    """What an error says, without passwords and signatures that its address may contain."""
    text = str(getattr(error, "strerror", None) or error) or type(error).__name__
    return _SECRETS.sub("...", text)


def _explain_lasting(error: Exception) -> OSError | None:
    """The error that another try can't change; None if it may pass."""
    if type(error).__name__ in _NO_CREDENTIALS:
        text = f"no credentials were found ({say(error)}); set them in the environment, such as AWS_ACCESS_KEY_ID"
        return PermissionError(errno.EACCES, text)
    if isinstance(error, PermissionError):
        return PermissionError(errno.EACCES, f"access is denied ({say(error)}); check the credentials and their rights")
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(errno.ENOENT, "there is no such file, folder or bucket")
    return OSError(errno.EINVAL, say(error)) if isinstance(error, _LASTING) else None
