"""The words that an encoder knows."""

import re

from anomalylmm.models.weights import ResolvedWeights

MAX_TOKENS = 512  # of a text, if the tokenizer does not say
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")  # of any script


def read_vocabulary(weights: ResolvedWeights) -> frozenset[str] | None:
    """The words the model was trained on, where a file next to the weights lists them."""
    file = weights.path / "vocabulary.txt"
    if not file.is_file():
        return None
    return frozenset(file.read_text(encoding="utf-8").lower().split())
