"""Knowledge-aware re-ranking: the score, the confidence and the reason of a verdict; knows no judge."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import ConfigurationError
from anomalylmm.records import UNKNOWN, Candidate, MomentCut, SlotKind, SlotVerdict

Reading = Literal["generate", "likelihood", "both"]
Fusion = Literal["mean", "product"]
MaskingWay = Literal["lexicon", "judge"]
MomentJoin = Literal["best", "mean", "order"]
Item = TypeVar("Item")
RANK_DECAY = 0.5  # the paper's
_LEAST = 1e-4  # probabilities below do not differ


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankSettings:
    """How candidates are judged and re-ordered.

    Fusion "mean", the paper's: ``S = a * mean(p_s) + b * affirm + c * 0.5 ** rank`` with the slots' weighted mean.
    Fusion "product": ``S = a * sum(w_s * log p_s) + b * log affirm + c * z``, the evidence of slots, sentence and
    coarse search multiplied as that of experts who are sure of different things (Hinton 2002); the slots' weights have
    mean 1.
    """

    top_n: int = 0  # candidates judged; 0: as many as the query says
    fusion: Fusion = "product"
    match_weight: float = 0.3  # a
    affirm_weight: float = 0.2  # b; 0 does not ask for the whole sentence
    rank_weight: float = 0.05  # c of the mean
    coarse_weight: float = 1.0  # c of the product
    posture_weight: float = 0.85  # of the joints compared with the judge, in slots that joints can answer; 0: none
    reading: Reading = "likelihood"
    saliency: bool = True  # weigh slots by what the picture decides; off: all the same
    focus: bool = True  # show the peak of the patch map as one more view
    mirror: bool = False  # show each view mirrored too and average what is said, but not of a query on left or right
    max_images: int = 4  # different moments of a candidate that the judge sees
    batch_size: int = 16  # questions put to the judge at once
    masking: MaskingWay = "lexicon"  # who names the words to mask if the user has not
    negation: bool = False  # ask about each thing that must not be seen, too; else the judge does not hear of it
    negation_kinds: Sequence[SlotKind] = get_args(SlotKind)  # that the judge can see; others are left out
    filter: float = 0.0  # least likelihood of a yes to the behaviors alone to be asked anything else; 0: not asked
    facets: bool = False  # one yes-or-no question per behavior, in addition to that on the whole sentence
    pairwise: bool = False  # compare close neighbors two by two (see ``pairs.py``)
    pair_window: float = 0.5  # of S, within which neighbors are close
    pair_margin: float = 0.5  # logits by which a pair must be won, on the mean of both orders
    pair_top: int = 10  # first places in which pairs are compared
    gate: bool = False  # judge only candidates that could be first (see ``gate.py``)
    gate_margin: float = 1.0  # z-scores below the best, within which a candidate could be first
    same_cosine: float = 0.0  # of best crops, from which candidates share one judgement; 0: never
    description_weight: float = 0.0  # in S, of how like the query the judge describes a candidate; 0: not asked
    explain: bool = False  # ask the judge for a reason, for accepted candidates only
    moment_frames: int = 0  # frames of the archive around the best time that the judge sees; 0: it sees stored crops
    moment_seconds: float = 2.0  # length of the moment
    moment_cut: MomentCut = "follow"  # whether its frames show one place, or follow the person
    moment_join: MomentJoin = "best"  # how readings of single frames become one, for judges of one picture
    budget_calls: int = 0  # questions put to the judge for one query at most; 0: no limit

    def __post_init__(self) -> None:
        """Checks the weights and margins."""
        weights = (self.match_weight, self.affirm_weight, self.rank_weight, self.coarse_weight, self.description_weight)
        if min(weights) < 0 or self.match_weight + self.affirm_weight <= 0:
            raise ConfigurationError(f"re-ranking weights {weights} must not be negative, nor match and affirm both 0")
        if not 0 <= self.posture_weight <= 1:
            raise ConfigurationError(f"posture_weight is {self.posture_weight}, but must be in [0, 1]")
        if self.top_n < 0 or min(self.max_images, self.batch_size) < 1:
            raise ConfigurationError("top_n must not be negative, max_images and batch_size must be positive")
        self._check_stages()

    def _check_stages(self) -> None:
        """Checks what decides the stages that can be switched on."""
        margins = (self.pair_window, self.pair_margin, self.gate_margin)
        if not all(margin >= 0 for margin in margins):
            raise ConfigurationError(f"pair_window, pair_margin and gate_margin {margins} must not be negative")
        if self.moment_frames < 0 or not self.moment_seconds > 0:
            raise ConfigurationError("moment_frames must not be negative, and moment_seconds must be positive")
        for name in ("same_cosine", "filter"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise ConfigurationError(f"{name} is {value}, but must be in [0, 1]; 0 switches it off")
        if self.budget_calls < 0 or self.pair_top < 2:
            raise ConfigurationError("budget_calls must not be negative, and pair_top must be at least 2")
        if self.facets and self.affirm_weight == 0:
            raise ConfigurationError("facets are part of the yes-or-no term; give affirm_weight more than 0")


DEFAULT = RerankSettings()
# S(n) = 0.95 S_match(n) + 0.075 * 0.5 ** pos(n), N = 3: the paper's parameters (arXiv 2509.04376). The second
# overtakes the first where its match is better by more than 0.0375 / 0.95 = 0.0395.
PAPER = RerankSettings(
    top_n=3,
    fusion="mean",
    match_weight=0.95,
    affirm_weight=0.0,
    rank_weight=0.075,
    reading="generate",
    saliency=False,
    focus=False,
    max_images=1,
    posture_weight=0.0,
)
PRESETS: Mapping[str, RerankSettings] = {"default": DEFAULT, "paper": PAPER}


def score(match: float | None, affirm: float | None, rank: int, settings: RerankSettings) -> float:
    """Computes S of a candidate of 0-based coarse rank by the mean.

    Where one of match and affirm is missing (no slots, or the sentence was not asked), the other takes its weight.
    """
    weights = (settings.match_weight, settings.affirm_weight)
    known = [(weight, value) for weight, value in zip(weights, (match, affirm), strict=True) if value is not None]
    weight_known = sum(weight for weight, _ in known)
    agreement = sum(weight * value for weight, value in known) / weight_known * sum(weights) if weight_known else 0.0
    return agreement + rank_prior(rank, settings)


def product_score(
    matches: Sequence[float], weights: Sequence[float], affirm: float | None, z_score: float, settings: RerankSettings
) -> float:
    """Computes S of a candidate by the product.

    Args:
        matches: Probability of each slot's word, S of them.
        weights: Weight of each slot, summing to 1.
        affirm: Probability of yes to the sentence; None if it was not asked.
        z_score: The coarse search's, in standard deviations of the gallery's background.
        settings: a, b and c.
    """
    logs = [weight * math.log(max(match, _LEAST)) for match, weight in zip(matches, weights, strict=True)]
    sentence = settings.affirm_weight + (0.0 if logs else settings.match_weight)  # it takes the slots' weight too
    own = sentence * math.log(max(affirm, _LEAST)) if affirm is not None else 0.0
    return settings.match_weight * len(logs) * sum(logs) + own + settings.coarse_weight * _finite(z_score)


def join_experts(match: float, posture: float, weight: float) -> float:
    """Joins what the judge and the joints say of one word, as experts of one product do; 0..1.

    Log-odds are averaged with ``weight`` on the joints, so that neither can outvote the other's certainty by a mean.
    """
    judged, seen = (math.log(max(value, _LEAST) / max(1 - value, _LEAST)) for value in (match, posture))
    return 1 / (1 + math.exp(-((1 - weight) * judged + weight * seen)))


def coarse_term(candidate: Candidate, settings: RerankSettings) -> float:
    """Computes the part of S that comes from the coarse search."""
    if settings.fusion == "product":
        return settings.coarse_weight * _finite(candidate.z_score)
    return rank_prior(candidate.rank, settings)


def _finite(z_score: float) -> float:
    return z_score if math.isfinite(z_score) else 0.0


def rank_prior(rank: int, settings: RerankSettings) -> float:
    """Computes the part of the mean that comes from the 0-based coarse rank."""
    return settings.rank_weight * RANK_DECAY**rank


def agreement_logit(score_: float, candidate: Candidate, settings: RerankSettings) -> float:
    """Recovers from S how well match and affirm agree without the coarse search, as a logit."""
    own = score_ - coarse_term(candidate, settings)
    if settings.fusion == "product":
        return own
    agreement = own / (settings.match_weight + settings.affirm_weight)
    limited = min(max(agreement, _LEAST), 1 - _LEAST)
    return math.log(limited / (1 - limited))


def order_scored(scores: Sequence[float | None]) -> list[int]:
    """Lists the positions that have a score, best first; equal scores keep their order."""
    known = [(-value, position) for position, value in enumerate(scores) if value is not None]
    return [position for _, position in sorted(known)]


def put_in_places(items: Sequence[Item], order: Sequence[int]) -> tuple[Item, ...]:
    """Puts the items at the positions of ``order`` into these same places in that order; the others stay."""
    result = list(items)
    for place, position in zip(sorted(order), order, strict=True):
        result[place] = items[position]
    return tuple(result)


def confidence(
    slots: Sequence[SlotVerdict], weights: Sequence[float], affirm: float | None, settings: RerankSettings
) -> float:
    """Combines the evidence into 0..1 so that a wrong behavior alone rejects, and so does what must not be seen.

    ``min(least such match, prod(match_s ** w_s) * affirm ** w_affirm)`` with exponents summing to 1: slots share
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
    decisive = [slot.match for slot in slots if slot.kind == "action" or (slot.absent and slot.answer != UNKNOWN)]
    return min([*decisive, math.exp(sum(logs)), 1.0])


def write_reason(slots: Sequence[SlotVerdict], affirm: float | None, problems: Sequence[str] = ()) -> str:
    """Writes one sentence from facts: "saw falling (0.83) and blue (red: 0.05); asked for falling, red; ..."."""
    parts = []
    if slots:
        seen = [f"{slot.answer} ({_of_asked(slot)}{slot.probability:.2f})" for slot in slots if slot.answer != UNKNOWN]
        unseen = [slot.word for slot in slots if slot.answer == UNKNOWN]
        parts += [f"saw {' and '.join(seen)}"] if seen else []
        parts += [f"could not tell about {', '.join(unseen)}"] if unseen else []
        joints = [f"{slot.word} {slot.posture:.2f}" for slot in slots if slot.posture is not None]
        parts += [f"joints: {', '.join(joints)}"] if joints else []
        parts.append(f"asked for {', '.join(slot.word for slot in slots)}")
    else:
        parts.append("the query has no masked words, so only the whole sentence was asked")
    if affirm is not None:
        parts.append(f"sentence as a whole {affirm:.2f}")
    parts += [f"problem: {problem}" for problem in dict.fromkeys(problems)]
    return "; ".join(parts)


def _of_asked(slot: SlotVerdict) -> str:
    """Names whose probability it is where something else than the word asked for was seen."""
    return "" if slot.answer == slot.word else f"{slot.word}: "


def sigmoid(logit: float) -> float:
    """The probability of a logit, of any size."""
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distributions of rows of logits (N, W)."""
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), dtype=np.float64)
