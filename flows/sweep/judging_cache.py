"""The judgement cache of the hits database, as the method's core wants it; and one that forgets, for searches."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from storage.hits.writer import HitStore


class StoredCache:
    """Keeps answers in the working database, at once, with the shards whose pictures are asked about."""

    def __init__(self, hits: HitStore, shard_ids: Iterable[str] = ()) -> None:
        self._hits, self._shard_ids = hits, tuple(shard_ids)

    def get_many(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Finds the answers of those keys that are known."""
        found = self._hits.cached_judgements(list(keys))
        return {key: json.loads(payload) for key, payload in found.items()}

    def put_many(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        """Remembers answers."""
        payloads = {key: json.dumps(dict(payload)) for key, payload in entries.items()}
        self._hits.cache_judgements(payloads, self._shard_ids)
