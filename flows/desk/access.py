"""Who may use the review desk: the password's hash, sessions in memory, and a limit on wrong passwords."""

import base64
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anomalylmm.errors import ConfigurationError

COST, BLOCK_SIZE, PARALLELISM = 2**15, 8, 1  # of scrypt: about 0.1 s and 32 MiB for a guess
MAX_MEMORY_BYTES = 64 << 20
MIN_PASSWORD_CHARACTERS, MAX_PASSWORD_CHARACTERS = 10, 1024
SESSION_SECONDS = 12 * 3600.0  # without a request
MAX_SESSIONS = 1000
MAX_FAILURES, FAILURE_SECONDS = 5, 60.0  # wrong passwords from one address within so many seconds
MAX_ADDRESSES = 10_000
_hashing = threading.Lock()  # one guess at a time, so that a flood of guesses takes no memory


@dataclass(slots=True, kw_only=True)
class Session:
    """One browser that may use the desk."""

    who: str
    csrf: str
    used: float  # monotonic seconds
    decisions: list[Any] = field(default_factory=list)  # what it may undo, newest last


def hash_password(password: str) -> str:
    """Hashes a password for a file: ``scrypt$COST$BLOCK$PARALLELISM$SALT$HASH``.

    Raises:
        ConfigurationError: It is too short or too long.
    """
    if not MIN_PASSWORD_CHARACTERS <= len(password) <= MAX_PASSWORD_CHARACTERS:
        raise ConfigurationError(
            f"the password has {len(password)} characters; use {MIN_PASSWORD_CHARACTERS} to {MAX_PASSWORD_CHARACTERS}"
        )
    salt = secrets.token_bytes(16)
    hashed = _scrypt(password, salt, COST, BLOCK_SIZE, PARALLELISM)
    parts = (base64.b64encode(value).decode() for value in (salt, hashed))
    return "$".join(("scrypt", str(COST), str(BLOCK_SIZE), str(PARALLELISM), *parts))


def check_password(password: str, hashed: str) -> bool:
    """Whether a password fits a hash.

    Raises:
        ConfigurationError: The hash is not one of ``hash_password``.
    """
    cost, block, parallelism, salt, wanted = _parse(hashed)
    if len(password) > MAX_PASSWORD_CHARACTERS:
        return False
    with _hashing:
        return hmac.compare_digest(_scrypt(password, salt, cost, block, parallelism), wanted)


def read_hash(path: Path) -> str:
    """Reads the hash from a password file.

    Raises:
        ConfigurationError: The file can't be read, or holds no hash.
    """
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the password file {path} can't be read ({error}); make it: anomalylmm review --set-password {path}"
        ) from error
    _parse(text)
    return text


def write_hash(path: Path, hashed: str) -> None:
    """Writes a hash to a file that only its owner can read.

    Raises:
        ConfigurationError: It can't be written.
    """
    try:
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(f"{hashed}\n", encoding="ascii")
    except OSError as error:
        raise ConfigurationError(f"{path} can't be written: {error}; name another file") from error


def _parse(hashed: str) -> tuple[int, int, int, bytes, bytes]:
    try:
        kind, cost, block, parallelism, salt, wanted = hashed.split("$")
        numbers = int(cost), int(block), int(parallelism)
        if kind != "scrypt" or not (2 <= numbers[0] <= COST and 1 <= numbers[1] <= 8 and 1 <= numbers[2] <= 4):
            raise ValueError(kind)
        return *numbers, base64.b64decode(salt, validate=True), base64.b64decode(wanted, validate=True)
    except ValueError as error:
        raise ConfigurationError(
            "the password's hash is malformed; make it: anomalylmm review --set-password FILE"
        ) from error


def _scrypt(password: str, salt: bytes, cost: int, block: int, parallelism: int) -> bytes:
    content = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(content, salt=salt, n=cost, r=block, p=parallelism, maxmem=MAX_MEMORY_BYTES, dklen=32)


class Sessions:
    """The sessions of one desk, kept in memory: a restart ends them all. Only digests of their keys are kept."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._open: dict[str, Session] = {}

    def begin(self, who: str) -> tuple[str, Session]:
        """Opens a session under a new random key; returns both."""
        key = secrets.token_urlsafe(32)
        session = Session(who=who, csrf=secrets.token_urlsafe(32), used=self._clock())
        with self._lock:
            self._drop_old()
            self._open[_digest(key)] = session
        return key, session

    def find(self, key: str) -> Session | None:
        """The session of a key; None if there is none, or it was not used for too long."""
        with self._lock:
            session, now = self._open.get(_digest(key)), self._clock()
            if session is None or now - session.used > SESSION_SECONDS:
                return None
            session.used = now
            return session

    def end(self, key: str) -> None:
        """Closes a session."""
        with self._lock:
            self._open.pop(_digest(key), None)

    def _drop_old(self) -> None:
        now = self._clock()
        kept = [(key, item) for key, item in self._open.items() if now - item.used <= SESSION_SECONDS]
        kept.sort(key=lambda pair: pair[1].used)
        self._open = dict(kept[-MAX_SESSIONS + 1 :])


class LoginLimit:
    """Counts wrong passwords by address."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._failures: dict[str, list[float]] = {}

    def wait_seconds(self, address: str) -> float:
        """How long an address must wait before the next try; 0 if it may try now."""
        with self._lock:
            recent = self._recent(address)
            return FAILURE_SECONDS - (self._clock() - recent[0]) if len(recent) >= MAX_FAILURES else 0.0

    def note_failure(self, address: str) -> None:
        """Notes a wrong password."""
        with self._lock:
            if len(self._failures) >= MAX_ADDRESSES:
                self._failures.pop(next(iter(self._failures)))
            self._failures[address] = [*self._recent(address), self._clock()]

    def _recent(self, address: str) -> list[float]:
        since = self._clock() - FAILURE_SECONDS
        return [moment for moment in self._failures.get(address, []) if moment > since]


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
