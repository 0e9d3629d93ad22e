"""The judge's answers on disk, so that variants share them and an interrupted evaluation asks nothing twice."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from anomalylmm.errors import StoreError

_TABLE = "create table if not exists answers (key text primary key, payload text not null, seconds real not null)"


class AnswerCache:
    """A judgement cache in one SQLite file; each answer is durable once it is put, with the seconds it took."""

    def __init__(self, path: Path, take_seconds: Callable[[], float] = lambda: 0.0) -> None:
        self.path = path
        self._take_seconds = take_seconds  # what the judge took since the last time
        self._spent = 0.0
        with self._guarded():
            self._connection = sqlite3.connect(path)
            self._connection.execute(_TABLE)

    def __enter__(self) -> Self:
        """Gives itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the file."""
        self._connection.close()

    def take_seconds(self) -> float:
        """Gives what the answers took that were found or put since the last time, whenever they were asked for."""
        seconds, self._spent = self._spent + self._take_seconds(), 0.0
        return seconds

    def get_many(self, keys: Sequence[str]) -> dict[str, dict[str, object]]:
        """Finds the answers of those keys that are known."""
        select = "select payload, seconds from answers where key = ?"
        with self._guarded():
            rows = [(key, self._connection.execute(select, (key,)).fetchone()) for key in keys]
        found = [(key, row) for key, row in rows if row]
        self._spent += sum(seconds for _, (_, seconds) in found)
        return {key: json.loads(payload) for key, (payload, _) in found}

    def put_many(self, rows: Mapping[str, Mapping[str, object]]) -> None:
        """Keeps answers."""
        seconds = self._take_seconds()
        self._spent += seconds
        values = [(key, json.dumps(dict(row)), seconds / len(rows)) for key, row in rows.items()]
        with self._guarded(), self._connection:
            self._connection.executemany("insert or replace into answers values (?, ?, ?)", values)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} can't be used: {error}; remove the file and run again") from error
