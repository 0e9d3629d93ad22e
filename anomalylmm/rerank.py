"""Knowledge-aware re-ranking: the score, the confidence and the reason of a verdict; knows no judge."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from anomalylmm.errors import ConfigurationError, ShapeError
from anomalylmm.records import UNKNOWN, SlotVerdict

Reading = Literal["generate", "likelihood", "both"]
Item = TypeVar("Item")
_LEAST = 1e-4  # probabilities below do not differ


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankSettings:
    """How candidates are judged and re-ordered: ``S = a * S_match + b * affirm + c * decay ** rank``."""

    top_n: int = 0  # candidates judged; 0: as many as the query says
    match_weight: float = 0.7  # a
    affirm_weight: float = 0.3  # b; 0 does not ask for the whole sentence
    rank_weight: float = 0.05  # c
    rank_decay: float = 0.5
    reading: Reading = "likelihood"
    saliency: bool = True  # weigh slots by what the picture decides; off: all the same
    focus: bool = True  # show the peak of the patch map as one more view
    prior_discount: float = 0.0  # share of the blind log-likelihood taken off the likelihood reading
    max_images: int = 4  # different moments of a candidate that the judge sees
    batch_size: int = 16  # questions put to the judge at once

    def __post_init__(self) -> None:
        """Checks the weights."""
        weights = (self.match_weight, self.affirm_weight, self.rank_weight)
        if min(weights) < 0 or self.match_weight + self.affirm_weight <= 0:
            raise ConfigurationError(f"re-ranking weights {weights} must not be negative, nor a and b both 0")
        if not 0 < self.rank_decay <= 1 or not 0 <= self.prior_discount <= 1:
            raise ConfigurationError("rank_decay must be in (0, 1] and prior_discount in [0, 1]")
        if self.top_n < 0 or min(self.max_images, self.batch_size) < 1:
            raise ConfigurationError("top_n must not be negative, max_images and batch_size must be positive")


DEFAULT = RerankSettings()
# S(n) = 0.95 S_match(n) + 0.075 * 0.5 ** pos(n), N = 3: the paper's parameters (arXiv 2509.04376). The second
# overtakes the first where its match is better by more than 0.0375 / 0.95 = 0.0395.
PAPER = RerankSettings(
    top_n=3, match_weight=0.95, affirm_weight=0.0, rank_weight=0.075, reading="generate", saliency=False, focus=False,
    max_images=1,
)  # fmt: skip
PRESETS: Mapping[str, RerankSettings] = {"default": DEFAULT, "paper": PAPER}


def score(match: float | None, affirm: float | None, rank: int, settings: RerankSettings) -> float:
    """Computes S of a candidate of 0-based coarse rank.

    Where one of match and affirm is missing (no slots, or the sentence was not asked), the other bears its weight.
    """
    weights = (settings.match_weight, settings.affirm_weight)
    known = [(weight, value) for weight, value in zip(weights, (match, affirm), strict=True) if value is not None]
    weight_known = sum(weight for weight, _ in known)
    agreement = sum(weight * value for weight, value in known) / weight_known * sum(weights) if weight_known else 0.0
    return agreement + settings.rank_weight * settings.rank_decay**rank


def rerank(candidates: Sequence[Item], scores: Sequence[float | None], n: int) -> tuple[Item, ...]:
    """Orders the first ``n`` candidates by score downwards; the rest stay where they are.

    Equal scores keep the coarse order. A candidate without a score (the judge failed, or the budget ended) keeps its
    very place, since nothing was learned of it.

    Raises:
        ShapeError: There are fewer scores than candidates to order.
    """
    first = min(n, len(candidates))
    if len(scores) < first:
        raise ShapeError.of("scores", f"(at least {first},)", (len(scores),))
    places = [index for index in range(first) if scores[index] is not None]
    ordered = sorted(places, key=lambda index: (-(scores[index] or 0.0), index))
    result = list(candidates)
    for place, index in zip(places, ordered, strict=True):
        result[place] = candidates[index]
    return tuple(result)


def confidence(
    slots: Sequence[SlotVerdict], weights: Sequence[float], affirm: float | None, settings: RerankSettings
) -> float:
    """Combines the evidence into 0..1 such that a wrong behavior alone rejects.

    ``min(least action match, prod(match_s ** w_s) * affirm ** w_affirm)`` with exponents summing to 1: slots share
    ``a / (a + b)`` by their weights, the sentence has ``b / (a + b)``. The geometric mean lets one contradiction pull
    down what a mean would average away; the cap by the weakest behavior rejects the right person doing the wrong
    thing however well the clothes agree.
    """
    if not slots:
        return affirm or 0.0
    share = settings.match_weight / (settings.match_weight + settings.affirm_weight) if affirm is not None else 1.0
    logs = [share * weight * math.log(max(slot.match, _LEAST)) for slot, weight in zip(slots, weights, strict=True)]
    if affirm is not None:
        logs.append((1 - share) * math.log(max(affirm, _LEAST)))
    actions = [slot.match for slot in slots if slot.kind == "action"]
    return min([*actions, math.exp(sum(logs)), 1.0])


def write_reason(slots: Sequence[SlotVerdict], affirm: float | None, problems: Sequence[str] = ()) -> str:
    """Writes one sentence from facts: "saw falling (0.83) and red (0.95); asked for falling, red; ..."."""
    parts = []
    if slots:
        seen = [f"{slot.answer} ({slot.probability:.2f})" for slot in slots if slot.answer != UNKNOWN]
        unseen = [slot.word for slot in slots if slot.answer == UNKNOWN]
        parts += [f"saw {' and '.join(seen)}"] if seen else []
        parts += [f"could not tell about {', '.join(unseen)}"] if unseen else []
        parts.append(f"asked for {', '.join(slot.word for slot in slots)}")
    else:
        parts.append("the query has no slots, only the whole sentence was asked")
    if affirm is not None:
        parts.append(f"sentence as a whole {affirm:.2f}")
    parts += [f"trouble: {problem}" for problem in dict.fromkeys(problems)]
    return "; ".join(parts)
