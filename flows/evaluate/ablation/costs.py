"""What a variant costs on its own: answers and patch maps shared with other variants count at their first cost.

The judge's answers are stored on disk, so an interrupted evaluation asks nothing twice.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import StoreError
from anomalylmm.protocols import Judge, PatchTextMapper, Views
from anomalylmm.records import Floats, Image

_TABLE = (
    "create table if not exists costed_answers "
    "(key text primary key, payload text not null, seconds real not null, tokens real not null)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """The judge's time and tokens for some questions."""

    seconds: float = 0.0
    tokens: float = 0.0  # read and written

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(seconds=self.seconds + other.seconds, tokens=self.tokens + other.tokens)


class AnswerCache:
    """A judgement cache in one SQLite file; each answer is written at once, with its cost."""

    def __init__(self, path: Path, take_spent: Callable[[], Spent] = Spent) -> None:
        self.path = path
        self._take_spent = take_spent  # the judge's cost since the last call
        self._spent = Spent()
        with self._guarded():
            self._connection = sqlite3.connect(path)
            self._connection.execute(_TABLE)

    def __enter__(self) -> Self:
        """Returns the cache."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the file."""
        self._connection.close()

    def take_spent(self) -> Spent:
        """Returns the cost of the answers found or stored since the last call, even if they come from another run."""
        spent, self._spent = self._spent + self._take_spent(), Spent()
        return spent

    def get_many(self, keys: Sequence[str]) -> dict[str, dict[str, object]]:
        """Finds the stored answers among those keys."""
        select = "select payload, seconds, tokens from costed_answers where key = ?"
        found = {}
        with self._guarded():
            for key in keys:
                if row := self._connection.execute(select, (key,)).fetchone():
                    found[key] = json.loads(row[0])
                    self._spent += Spent(seconds=row[1], tokens=row[2])
        return found

    def put_many(self, rows: Mapping[str, Mapping[str, object]]) -> None:
        """Stores answers; each gets the same share of their cost."""
        spent = self._take_spent()
        self._spent += spent
        number = max(1, len(rows))
        values = [
            (key, json.dumps(dict(row)), spent.seconds / number, spent.tokens / number) for key, row in rows.items()
        ]
        with self._guarded(), self._connection:
            self._connection.executemany("insert or replace into costed_answers values (?, ?, ?, ?)", values)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} can't be used: {error}; remove the file and run again") from error


class TimedJudge:
    """A judge with a stopwatch."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._seconds, self._tokens_before = 0.0, 0
        self.counts_tokens = hasattr(judge, "num_tokens")
        self.judge_id, self.max_views = judge.judge_id, judge.max_views
        self.moment_way = judge.moment_way

    def take_spent(self) -> Spent:
        """Returns the cost since the last call; tokens are 0 if the judge does not count them."""
        tokens = int(getattr(self._judge, "num_tokens", 0))
        spent = Spent(seconds=self._seconds, tokens=tokens - self._tokens_before)
        self._seconds, self._tokens_before = 0.0, tokens
        return spent

    def complete(self, views: Sequence[Views], prompt: str) -> list[str]:
        """Writes a short answer to the prompt for each of N candidates."""
        return self._timed(lambda: self._judge.complete(views, prompt))

    def score_answers(self, views: Sequence[Views], prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        """Log p(answer | images, prompt); shape (N, A)."""
        return self._timed(lambda: self._judge.score_answers(views, prompt, answers))

    def score_answers_blind(self, prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        """Log p(answer | prompt) without a picture; shape (A,)."""
        return self._timed(lambda: self._judge.score_answers_blind(prompt, answers))

    def affirm(self, views: Sequence[Views], prompt: str) -> NDArray[np.float64]:
        """Yes logit minus no logit; shape (N,)."""
        return self._timed(lambda: self._judge.affirm(views, prompt))

    def _timed(self, ask: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        try:
            return ask()
        finally:
            self._seconds += time.perf_counter() - began


class OneQueryMapper:
    """Keeps the patch maps of one query's pictures, which several variants need; pictures are compared by identity."""

    def __init__(self, mapper: PatchTextMapper) -> None:
        self._mapper = mapper
        self._known: dict[tuple[int, str], tuple[Floats, float]] = {}
        self._seconds = 0.0

    def forget(self) -> None:
        """Drops the maps of the previous query."""
        self._known.clear()

    def take_seconds(self) -> float:
        """Returns the computing time of the maps requested since the last call, including the maps kept from before."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    def patch_maps(self, images: Sequence[Image], text: str) -> Floats:
        """Returns the maps of N images; shape (N, rows, columns)."""
        missing = [image for image in images if (id(image), text) not in self._known]
        if missing:
            began = time.perf_counter()
            maps = self._mapper.patch_maps(missing, text)
            each = (time.perf_counter() - began) / len(missing)
            self._known |= {(id(image), text): (found, each) for image, found in zip(missing, maps, strict=True)}
        found = [self._known[id(image), text] for image in images]
        self._seconds += sum(seconds for _, seconds in found)
        return np.stack([values for values, _ in found])
