"""Asks a server that may be slow, fail or never answer: time limits, new tries, and errors in plain words."""

import errno
import re
import threading
import time
from collections.abc import Callable
from typing import TypeVar

STALL_SECONDS = 60.0  # in which a server must answer, or send a piece of a file
PAUSES_SECONDS = (1.0, 5.0)  # before the second and the third try
MAX_FAILURES = 5  # in a row, after which a server is left alone for a while
REST_SECONDS = 300.0
_SECRETS = re.compile(r"(?<=//)[^/@\s]+@|(?<=[?&])[^=&\s]*(?:sig|token|key|credential)[^=&\s]*=[^&\s]+", re.IGNORECASE)
_NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError", "UnauthorizedSSOTokenError")
_LASTING = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError, NotImplementedError)
Result = TypeVar("Result")


class Server:
    """A server that is asked again if it fails, and left alone for some minutes after several failures in a row."""

    def __init__(self) -> None:
        self._failures, self._rests_until = 0, 0.0

    def ask(self, work: Callable[[], Result], stall_seconds: float | None = None) -> Result:
        """Does work that needs the server.

        Raises:
            OSError: It failed at every try, or the answer is that a file is missing or access is denied.
        """
        if time.monotonic() < self._rests_until:
            raise OSError(errno.EHOSTDOWN, f"the server failed {self._failures} times in a row and is left alone now")
        for pause in (*PAUSES_SECONDS, None):
            try:
                result = within(STALL_SECONDS if stall_seconds is None else stall_seconds, work)
            except Exception as error:  # the errors of fsspec's libraries have no base in common
                lasting = _explain_lasting(error)
                if lasting is not None:
                    raise lasting from error
                if pause is None:
                    self._note_failure()
                    raise OSError(
                        errno.EIO, f"the server failed at every try, the last time with: {say(error)}"
                    ) from error
                time.sleep(pause)
            else:
                self._failures = 0
                return result
        raise AssertionError("the last pause is None")

    def _note_failure(self) -> None:
        self._failures += 1
        if self._failures >= MAX_FAILURES:
            self._rests_until = time.monotonic() + REST_SECONDS


def within(seconds: float, work: Callable[[], Result]) -> Result:
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
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no answer for {seconds:.0f} s")
    return results[0]


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
