"""The judge's answers on disk, so that variants share them and an interrupted evaluation asks nothing twice."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from anomalylmm.errors import StoreError

_TABLE = (
    "create table if not exists costed_answers "
    "(key text primary key, payload text not null, seconds real not null, tokens real not null)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What questions cost the judge."""

    seconds: float = 0.0
    tokens: float = 0.0  # read and written

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(seconds=self.seconds + other.seconds, tokens=self.tokens + other.tokens)


class AnswerCache:
    """A judgement cache in one SQLite file; each answer is durable once it is put, with what it cost."""

    def __init__(self, path: Path, take_spent: Callable[[], Spent] = Spent) -> None:
        self.path = path
        self._take_spent = take_spent  # what the judge took since the last time
        self._spent = Spent()
        with self._guarded():
            self._connection = sqlite3.connect(path)
            self._connection.execute(_TABLE)

    def __enter__(self) -> Self:
        """Gives itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the file."""
        self._connection.close()

    def take_spent(self) -> Spent:
        """Gives what the answers cost that were found or put since the last time, whenever they were asked for."""
        spent, self._spent = self._spent + self._take_spent(), Spent()
        return spent

    def get_many(self, keys: Sequence[str]) -> dict[str, dict[str, object]]:
        """Finds the answers of those keys that are known."""
        select = "select payload, seconds, tokens from costed_answers where key = ?"
        with self._guarded():
            rows = [(key, self._connection.execute(select, (key,)).fetchone()) for key in keys]
        found = [(key, row) for key, row in rows if row]
        for _, (_, seconds, tokens) in found:
            self._spent += Spent(seconds=seconds, tokens=tokens)
        return {key: json.loads(payload) for key, (payload, _, _) in found}

    def put_many(self, rows: Mapping[str, Mapping[str, object]]) -> None:
        """Keeps answers."""
        spent = self._take_spent()
        self._spent += spent
        share = (spent.seconds / len(rows), spent.tokens / len(rows)) if rows else ()
        values = [(key, json.dumps(dict(row)), *share) for key, row in rows.items()]
        with self._guarded(), self._connection:
            self._connection.executemany("insert or replace into costed_answers values (?, ?, ?, ?)", values)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} can't be used: {error}; remove the file and run again") from error
