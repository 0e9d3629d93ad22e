"""Several answers to one question, laid out so that a model reads the question once and shared beginnings once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalylmm.records import Floats

HIDDEN = np.float32(-1e30)  # added to the attention between tokens that must not see each other


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerTree:
    """The tokens that are read: the question's, then each beginning of an answer once."""

    tokens: tuple[int, ...]  # T
    depths: NDArray[np.int64]  # (T,), position of each token behind what was read before
    sees: NDArray[np.bool_]  # (T, T), whether a token sees another one
    asked: NDArray[np.int64]  # (K,), tokens whose successors are asked for: the question's last, then the beginnings
    steps: tuple[tuple[tuple[int, int], ...], ...]  # of each answer: numbers in ``asked``, and the token that follows

    @classmethod
    def of(cls, question: Sequence[int], answers: Sequence[Sequence[int]]) -> "AnswerTree":
        """Lays out answers of at least one token behind a question of at least one."""
        tokens, depths = list(question), list(range(len(question)))
        above = [list(range(number + 1)) for number in range(len(question))]  # what each token sees, itself included
        place_of: dict[tuple[int, ...], int] = {(): len(question) - 1}
        for answer in answers:
            for end in range(1, len(answer)):
                beginning = tuple(answer[:end])
                if beginning in place_of:
                    continue
                place_of[beginning] = len(tokens)
                above.append([*above[place_of[beginning[:-1]]], len(tokens)])
                tokens.append(beginning[-1])
                depths.append(len(question) + end - 1)
        sees = np.zeros((len(tokens), len(tokens)), bool)
        for number, seen in enumerate(above):
            sees[number, seen] = True
        rank = {beginning: number for number, beginning in enumerate(place_of)}
        steps = [tuple((rank[tuple(answer[:end])], token) for end, token in enumerate(answer)) for answer in answers]
        asked = np.array(list(place_of.values()), np.int64)
        return cls(tokens=tuple(tokens), depths=np.array(depths), sees=sees, asked=asked, steps=tuple(steps))

    def mask(self, before: int) -> Floats:
        """What is added to the attention of the tokens over B tokens read before and over each other; (T, B + T)."""
        own = np.where(self.sees, np.float32(0), HIDDEN)
        return np.concatenate([np.zeros((len(own), before), np.float32), own], axis=1)

    def sum_logs(self, logs: Floats) -> NDArray[np.float64]:
        """Log p of the answers (N, A) from those of the successors of the asked tokens (N, K, V)."""
        columns = [sum(logs[:, place, token].astype(np.float64) for place, token in steps) for steps in self.steps]
        return np.stack(columns, axis=1) if columns else np.zeros((len(logs), 0))
