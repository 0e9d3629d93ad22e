"""The words that an encoder knows."""

import re
from typing import Any

from anomalylmm.models.weights import ResolvedWeights

MAX_TOKENS = 512  # of a text, if the tokenizer does not say
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")  # of any script


def read_vocabulary(weights: ResolvedWeights) -> frozenset[str] | None:
    """The words the model was trained on, where a file next to the weights lists them."""
    file = weights.path / "vocabulary.txt"
    if not file.is_file():
        return None
    return frozenset(file.read_text(encoding="utf-8").lower().split())


def unknown_words(text: str, vocabulary: frozenset[str] | None, tokenizer: Any = None) -> tuple[str, ...]:
    """Words of a text that are not in the vocabulary or, without one, that the tokenizer does not know; each once."""
    words = dict.fromkeys(_WORD.findall(text.lower()))
    if vocabulary is not None:
        return tuple(word for word in words if word not in vocabulary)
    unknown = getattr(tokenizer, "unk_token_id", None)
    if unknown is None:
        return ()
    return tuple(word for word in words if unknown in tokenizer(word, add_special_tokens=False)["input_ids"])
