"""Remembers what a judge made of pictures, up to a number of bytes."""

import random
import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from anomalylmm.records import Floats

Key = TypeVar("Key", bound=Hashable)


class PictureMemory:
    """Arrays by key; where one more does not fit, some are forgotten at random.

    A sweep goes through the same pictures once for each query. If they are a few more than fit, forgetting the oldest
    would forget each just before it is wanted again.
    """

    def __init__(self, max_bytes: int) -> None:
        """Begins empty."""
        self._max_bytes, self._bytes = max_bytes, 0
        self._kept: dict[Hashable, Floats] = {}
        self._keys: list[Hashable] = []
        self._random = random.Random(0)  # noqa: S311 - nothing secret
        self._turn = threading.Lock()

    def recall(self, keys: Sequence[Key], make: Callable[[list[Key]], Iterable[Floats]]) -> list[Floats]:
        """Gives the array of each key; those that are not kept are made together, each once, and kept."""
        found = {key: self._kept[key] for key in dict.fromkeys(keys) if key in self._kept}
        missing = [key for key in dict.fromkeys(keys) if key not in found]
        if missing:
            found |= {key: made.copy() for key, made in zip(missing, make(missing), strict=True)}
            for key in missing:
                self._keep(key, found[key])
        return [found[key] for key in keys]

    def forget(self) -> None:
        """Forgets everything."""
        with self._turn:
            self._kept, self._keys, self._bytes = {}, [], 0

    def _keep(self, key: Hashable, value: Floats) -> None:
        with self._turn:
            if key in self._kept or value.nbytes > self._max_bytes:
                return
            while self._bytes + value.nbytes > self._max_bytes:
                self._forget_one()
            self._kept[key] = value
            self._keys.append(key)
            self._bytes += value.nbytes

    def _forget_one(self) -> None:
        place = self._random.randrange(len(self._keys))
        self._keys[place], self._keys[-1] = self._keys[-1], self._keys[place]
        self._bytes -= self._kept.pop(self._keys.pop()).nbytes
