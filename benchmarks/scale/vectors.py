"""Vectors as a dual encoder gives them: clustered crops, and texts that lie apart from all pictures but near some.

Crops of one tracklet are near-duplicates, tracklets gather round kinds (behavior and colors), and all pictures share
one direction that no text has (the modality gap), so the best cosine of a text is far under 1.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from anomalylmm.records import Floats

NUM_KINDS = 2_000
LATENT = 48  # directions in which kinds differ
CROPS_PER_TRACKLET = 4
MAX_TEXTS = 1_000


@dataclass(frozen=True)
class World:
    """One encoder's space; the same seed and dimension give the same vectors."""

    dimension: int
    seed: int = 7

    def crops(self, number: int, stream: int) -> Floats:
        """Some crops, (N, D), unit length; each stream gives others."""
        rng = np.random.default_rng([self.seed, stream])
        tracklets = -(-number // CROPS_PER_TRACKLET)
        kinds = np.minimum(rng.zipf(1.2, tracklets) - 1, NUM_KINDS * 50) % NUM_KINDS
        latent = self._kinds[kinds] + 0.6 * rng.standard_normal((tracklets, LATENT), dtype=np.float32)
        latent = np.repeat(latent, CROPS_PER_TRACKLET, axis=0)[:number]
        latent += 0.25 * rng.standard_normal(latent.shape, dtype=np.float32)
        noise = self._noise[rng.integers(0, len(self._noise), number)]
        return _unit(self._gap[0] * 0.6 + latent @ self._directions * (0.5 / LATENT**0.5) + noise)

    def texts(self, number: int) -> Floats:
        """The first few queries, (Q, D), unit length; each is about one kind."""
        rng = np.random.default_rng([self.seed, 10**9])
        latent = self._kinds[rng.integers(0, NUM_KINDS, MAX_TEXTS)]
        latent = latent + 0.4 * rng.standard_normal(latent.shape, dtype=np.float32)
        noise = rng.standard_normal((MAX_TEXTS, self.dimension), dtype=np.float32) * (0.5 / self.dimension**0.5)
        return _unit(self._gap[1] * 0.7 + latent @ self._directions * (0.4 / LATENT**0.5) + noise)[:number]

    @cached_property
    def _noise(self) -> Floats:
        """What is drawn from, since drawing it anew for each of ten million crops would take longest of all."""
        drawn = np.random.default_rng([self.seed, 4]).standard_normal((1 << 15, self.dimension), dtype=np.float32)
        return drawn * np.float32(0.45 / self.dimension**0.5)

    @cached_property
    def _kinds(self) -> Floats:
        return np.random.default_rng([self.seed, 1]).standard_normal((NUM_KINDS, LATENT), dtype=np.float32)

    @cached_property
    def _directions(self) -> Floats:
        """Orthonormal rows, (``LATENT``, D)."""
        drawn = np.random.default_rng([self.seed, 2]).standard_normal((self.dimension, LATENT))
        return np.ascontiguousarray(np.linalg.qr(drawn)[0].T, dtype=np.float32)

    @cached_property
    def _gap(self) -> Floats:
        """What all pictures share, and what all texts share, (2, D)."""
        return _unit(np.random.default_rng([self.seed, 3]).standard_normal((2, self.dimension), dtype=np.float32))


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)
