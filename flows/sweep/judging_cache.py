"""The judgement cache in the hits database, with the interface that the method expects."""

import json
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any

from storage.hits.writer import HitStore


class StoredCache:
    """Stores answers immediately in the working database, with the shards that the pictures come from."""

    def __init__(self, hits: HitStore, shard_ids: Iterable[str] = (), lock: "Lock | None" = None) -> None:
        self._hits, self._shard_ids, self._lock = hits, tuple(shard_ids), lock or Lock()

    def get_many(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Returns the stored answers; unknown keys are left out."""
        with self._lock:
            found = self._hits.cached_judgements(list(keys))
        return {key: json.loads(payload) for key, payload in found.items()}

    def put_many(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        """Stores answers."""
        payloads = {key: json.dumps(dict(payload)) for key, payload in entries.items()}
        with self._lock:
            self._hits.cache_judgements(payloads, self._shard_ids)
