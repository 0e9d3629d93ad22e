"""The judgement cache in the hits database, with the interface that the method expects."""

import json
import time
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any, Self

from storage.hits.writer import HitStore

SAVE_SECONDS = 5.0  # answers that a crash may lose: to commit takes as long as the pocket judge does for one picture


class StoredCache:
    """Stores answers in the working database, with the shards that the pictures come from.

    Stores them immediately, or, as a context, those of some seconds together and the last ones at its end.
    """

    def __init__(
        self, hits: HitStore, shard_ids: Iterable[str] = (), lock: "Lock | None" = None, wait_seconds: float = 0.0
    ) -> None:
        """Remembers where to store.

        Args:
            hits: The database.
            shard_ids: Of the pictures that are asked about.
            lock: Of the database, where several threads use it.
            wait_seconds: For which answers may wait to be stored together; only in a context.
        """
        self._hits, self._shard_ids, self._lock = hits, tuple(shard_ids), lock or Lock()
        self._waiting: dict[str, str] = {}
        self._wait_seconds, self._saved = wait_seconds, time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.save()

    def get_many(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Returns the stored answers; unknown keys are left out."""
        wanted = list(keys)
        with self._lock:
            found = self._hits.cached_judgements([key for key in wanted if key not in self._waiting])
        found |= {key: self._waiting[key] for key in wanted if key in self._waiting}
        return {key: json.loads(payload) for key, payload in found.items()}

    def put_many(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        """Stores answers, or lets them wait."""
        self._waiting |= {key: json.dumps(dict(payload)) for key, payload in entries.items()}
        if time.monotonic() - self._saved >= self._wait_seconds:
            self.save()

    def save(self) -> None:
        """Stores the answers that wait."""
        if self._waiting:
            with self._lock:
                self._hits.cache_judgements(self._waiting, self._shard_ids)
        self._waiting, self._saved = {}, time.monotonic()
