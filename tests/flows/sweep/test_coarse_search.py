"""What the coarse search tells the judging of its candidates."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from anomalylmm.rerank.gate import find_leaders
from flows.sweep.coarse_search import build_hints


def test_people_in_one_posture_do_not_count_as_the_same_picture() -> None:
    """A stored vector ends with the posture, whose numbers would make any two people who stand alike."""
    looks, posture = np.eye(3, dtype=np.float32), np.full(4, 0.9, np.float32)
    best: dict[str, Any] = {name: SimpleNamespace(vector=np.r_[looks[row], posture]) for row, name in enumerate("ab")}
    best["again"] = best["a"]
    hints = build_hints(looks[:1], best)
    assert [hint.view_cosines for hint in hints.values()] == [(1.0,), (0.0,), (1.0,)]
    assert find_leaders([hint.vector for hint in hints.values()], 0.98) == [0, 1, 0]
