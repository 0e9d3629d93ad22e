"""Checks of the judge that need more than its section of the settings."""

import json
import os

from anomalylmm.errors import ConfigurationError
from anomalylmm.rerank.score import RerankSettings


def read_key(variable: str) -> str:
    """Reads an endpoint's key; empty if no variable is named.

    Raises:
        ConfigurationError: The variable is not set.
    """
    key = os.environ.get(variable, "").strip() if variable else ""
    if variable and not key:
        raise ConfigurationError(f"judge.endpoint.api_key_env names {variable}, which is not set; export it")
    return key


def check_yes_no_only(settings: RerankSettings) -> None:
    """Checks that the settings ask a re-ranker, which can only answer yes or no, for nothing else.

    Raises:
        ConfigurationError: They do; the message names the settings.
    """
    fitting = {
        "reading": "likelihood",
        "masking": "lexicon",
        "explain": False,
        "pairwise": False,
        "description_weight": 0.0,
    }
    wrong = [f"rerank.{name} = {json.dumps(fit)}" for name, fit in fitting.items() if getattr(settings, name) != fit]
    if wrong:
        raise ConfigurationError(
            f'a re-ranker can only answer yes or no; with judge.family = "reranker" set {", ".join(wrong)}'
        )


def check_describes(settings: RerankSettings, weights: str, *, is_shipped: bool) -> None:
    """Checks that no description is asked of the shipped judge, which writes single words only.

    Raises:
        ConfigurationError: One is; the message names the settings.
    """
    if settings.description_weight and is_shipped:
        raise ConfigurationError(
            f"rerank.description_weight is {settings.description_weight:g}, but the judge {weights!r} writes single "
            "words and can't describe a person; name another judge under [judge], or set rerank.description_weight = 0"
        )
