"""Vectors in one byte a dimension, and how wrong scores made from them can be at most."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomalylmm.records import Floats

LEVELS = 255
MIN_STEP = 1e-12  # of a dimension in which all vectors are equal
ROUNDING = 2.0**-23  # twice what one operation in single precision can be wrong, relative

Codes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Says what the codes of each dimension stand for: ``low + step * code``."""

    low: Floats = field(repr=False)  # (D,)
    step: Floats = field(repr=False)  # (D,)

    @classmethod
    def between(cls, least: Floats, most: Floats) -> "Scale":
        """The scale that reaches from the least to the most value of each dimension, both (D,)."""
        return cls(low=least, step=np.maximum((most - least) / LEVELS, MIN_STEP).astype(np.float32))

    def encode(self, vectors: Floats) -> tuple[Codes, float]:
        """Codes of the vectors (N, D), and the largest distance of one from what its codes stand for.

        Vectors with numbers that are none get codes, too, but do not count: no score of theirs is among the best.
        """
        sound = np.where(is_finite(vectors)[:, None], vectors, self.low)
        codes = np.clip(np.rint((sound - self.low) / self.step), 0, LEVELS)
        wrong = sound.astype(np.float64) - (self.low.astype(np.float64) + codes * self.step.astype(np.float64))
        return codes.astype(np.uint8), float(np.sqrt((wrong**2).sum(axis=1).max(initial=0.0)))


def is_finite(vectors: Floats) -> NDArray[np.bool_]:
    """Which vectors (N, D) hold numbers only, (N,)."""
    return np.asarray(np.isfinite(vectors).all(axis=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What the queries become for a product with stored vectors: ``weights @ stored.T + offsets`` are the scores."""

    weights: Floats = field(repr=False)  # (Q, D)
    offsets: Floats = field(repr=False)  # (Q,)
    slacks: Floats = field(repr=False)  # (Q,), by how much a score can be wrong


def plain_form(queries: Floats, largest_norm: float = 1.0) -> Form:
    """The form for vectors stored as they are; the scores are wrong by rounding only."""
    norms = np.linalg.norm(queries, axis=1)
    slacks = norms * largest_norm * queries.shape[1] * ROUNDING
    return Form(weights=queries, offsets=np.zeros(len(queries), np.float32), slacks=slacks.astype(np.float32))


def coded_form(queries: Floats, scale: Scale, largest_error: float) -> Form:
    """The form for codes. |q·x - q·x̂| is at most |q| |x - x̂|; rounding adds to it."""
    exact = queries.astype(np.float64)
    sizes = np.abs(exact) @ (np.abs(scale.low) + LEVELS * scale.step.astype(np.float64))
    slacks = np.linalg.norm(exact, axis=1) * largest_error + sizes * queries.shape[1] * ROUNDING
    return Form(
        weights=(exact * scale.step).astype(np.float32),
        offsets=(exact @ scale.low).astype(np.float32),
        slacks=np.nextafter(slacks.astype(np.float32), np.float32(np.inf)),
    )
