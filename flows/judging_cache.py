"""The judgement cache of the hits database, as the method's core wants it; and one that forgets, for searches."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from storage.hits import HitStore


class StoredCache:
    """Keeps answers in the working database, at once."""

    def __init__(self, hits: HitStore) -> None:
        self._hits = hits

    def get_many(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Finds the answers of those keys that are known."""
        found = self._hits.cached_judgements(list(keys))
        return {key: json.loads(payload) for key, payload in found.items()}

    def put_many(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        """Remembers answers."""
        self._hits.cache_judgements({key: json.dumps(dict(payload)) for key, payload in entries.items()})
