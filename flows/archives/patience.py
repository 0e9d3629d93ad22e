"""How long one run goes on asking the servers of its archives: each is given up once, and the reason is kept."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anomalylmm.errors import ArchiveError
from flows.archives.asking import NoAnswerError, ServerFailedError
from storage.disk.addresses import is_address, to_address

MAX_FAILURES = 2  # videos in a row after which a server that answers with failures is given up


class Patience:
    """The servers that a run has given up. A server that does not answer is given up at once.

    A server that answers with a failure may only be unable to read one video, so it is asked for another one.
    """

    def __init__(self) -> None:
        self._failures: Counter[Path] = Counter()
        self._reasons: dict[Path, str] = {}

    @contextmanager
    def asking(self, path: Path) -> Iterator[None]:
        """Notes how a server or bucket fares in a block that asks for one video; a path of this machine is let be.

        Raises:
            ArchiveError: The run has given the server up.
        """
        if not is_address(path):
            yield
            return
        server = Path(*path.parts[:2])
        if server in self._reasons:
            raise ArchiveError(f"{to_address(server)} was given up in this run: {self._reasons[server]}")
        try:
            yield
        except (OSError, ArchiveError) as error:
            self._note(server, error if isinstance(error, ServerFailedError) else error.__cause__)
            raise
        self._failures[server] = 0

    def _note(self, server: Path, error: BaseException | None) -> None:
        if not isinstance(error, ServerFailedError):
            return
        self._failures[server] += 1
        if isinstance(error, NoAnswerError) or self._failures[server] >= MAX_FAILURES:
            self._reasons[server] = error.strerror or str(error)
