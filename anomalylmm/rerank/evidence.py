"""Questions to a judge and its answers, as records and as rows of the cache; asks nothing itself."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import JudgeError
from anomalylmm.records import Clip, Image, Slot
from anomalylmm.rerank.prompts import NOT_A_NUMBER, AnswerLayout, check_scores

MAX_KEPT_CHARACTERS = 2000  # of a written answer
MIN_LOG = -1e4  # stands for log 0, which JSON has not


class JudgementCache(Protocol):
    """Remembers the judge's answers between sweeps."""

    def get_many(self, keys: Sequence[str]) -> Mapping[str, Mapping[str, object]]:
        """Returns the rows of those keys that are known."""
        ...

    def put_many(self, rows: Mapping[str, Mapping[str, object]]) -> None:
        """Keeps rows of plain JSON values."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What is asked about each look of one query."""

    slots: tuple[Slot, ...]
    layout: AnswerLayout
    cloze_prompt: str
    affirm_prompt: str
    likelihood: bool
    generate: bool
    affirm: bool
    facets: tuple[Slot, ...] = ()  # slots asked about by a yes-or-no question each
    absent: tuple[Slot, ...] = ()  # what must not be seen, asked about by a yes-or-no question each
    facet_prompts: tuple[str, ...] = ()  # one per facet, then one per absent slot

    @property
    def num_calls(self) -> int:
        """Questions per look."""
        return self.likelihood + self.generate + self.affirm + len(self.facet_prompts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The views of a candidate that are shown in one question, and the key of all that is asked about them."""

    key: str
    views: tuple[Image, ...] = field(repr=False)
    moment: int = 0  # looks of the same moment show the same views, as they are or mirrored


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the judge said about one look; ``error`` if nothing of it can be used."""

    log_scores: tuple[float, ...] = ()
    answer: str = ""
    affirm_logit: float = 0.0
    facet_logits: tuple[float, ...] = ()  # one per facet, then one per absent slot
    seconds: float = 0.0
    error: str = ""
    cached: bool = False
    num_looks: int = 1  # that were averaged


def join_moments(heard: Sequence[tuple[Look, Evidence]]) -> list[Evidence]:
    """Averages the evidence of looks of the same moment; unusable evidence stays as it is."""
    joined = [evidence for _, evidence in heard if evidence.error]
    usable = [(look.moment, evidence) for look, evidence in heard if not evidence.error]
    moments = dict.fromkeys(moment for moment, _ in usable)
    return joined + [average([evidence for own, evidence in usable if own == moment]) for moment in moments]


def average(heard: Sequence[Evidence]) -> Evidence:
    """Averages logarithms and logits (the geometric mean of likelihoods); the written answer is the first one's."""
    if len(heard) == 1:
        return heard[0]
    scores, facets = (
        np.mean([getattr(item, name) for item in heard], axis=0) for name in ("log_scores", "facet_logits")
    )
    return replace(
        heard[0],
        log_scores=tuple(scores.tolist()),
        affirm_logit=float(np.mean([item.affirm_logit for item in heard])),
        facet_logits=tuple(facets.tolist()),
        seconds=sum(item.seconds for item in heard),
        cached=all(item.cached for item in heard),
        num_looks=sum(item.num_looks for item in heard),
    )


def digest_image(image: Image) -> str:
    """Names a picture by its content."""
    digest = hashlib.sha256(str(image.shape).encode())
    digest.update(np.ascontiguousarray(image).reshape(-1).data)
    return digest.hexdigest()


def digest_views(views: Sequence[Image]) -> list[str]:
    """Names views by their content, and those of a moment by their steps of time, too."""
    digests = [digest_image(view) for view in views]
    if isinstance(views, Clip):
        digests += [f"{time - views.pts_seconds[0]:.2f}" for time in views.pts_seconds]
    return digests


def require_shape(numbers: NDArray[np.float64], shape: tuple[int, ...]) -> None:
    """Checks that the judge gave as many numbers as were asked for.

    Raises:
        JudgeError: It gave others.
    """
    problem = check_scores(numbers, shape)
    if problem and problem != NOT_A_NUMBER:  # one NaN spoils its candidate, not the others of the batch
        raise JudgeError(f"the judge {problem}")


def build_evidence(
    log_scores: NDArray[np.float64] | Sequence[float] = (),
    *,
    answer: str = "",
    affirm_logit: float = 0.0,
    facet_logits: Sequence[float] = (),
    seconds: float = 0.0,
) -> Evidence:
    """Builds evidence from a judge's raw numbers: infinite ones are limited, and one NaN makes it unusable."""
    scores, facets = (np.asarray(numbers, dtype=np.float64) for numbers in (log_scores, facet_logits))
    if np.isnan(scores).any() or np.isnan(affirm_logit) or np.isnan(facets).any():
        return Evidence(error="the judge gave NaN or infinite values", seconds=seconds)
    return Evidence(
        log_scores=_limit(scores),
        answer=answer[: MAX_KEPT_CHARACTERS + 1],
        affirm_logit=_limit(np.array([affirm_logit]))[0],
        facet_logits=_limit(facets),
        seconds=seconds,
    )


def write_row(evidence: Evidence) -> dict[str, object]:
    """Writes evidence as plain JSON values."""
    return {
        "log_scores": list(evidence.log_scores),
        "answer": evidence.answer,
        "affirm_logit": evidence.affirm_logit,
        "facet_logits": list(evidence.facet_logits),
        "seconds": evidence.seconds,
    }


def read_row(row: Mapping[str, object]) -> Evidence | None:
    """Reads a cached row; one that is damaged counts as unknown."""
    scores, facets = _read_numbers(row.get("log_scores")), _read_numbers(row.get("facet_logits", ()))
    answer, logit, seconds = (row.get(key) for key in ("answer", "affirm_logit", "seconds"))
    if scores is None or facets is None or not isinstance(answer, str):
        return None
    if not isinstance(logit, int | float) or not isinstance(seconds, int | float):
        return None
    evidence = Evidence(log_scores=scores, answer=answer, affirm_logit=float(logit), facet_logits=facets)
    return replace(evidence, seconds=float(seconds), cached=True)


def _limit(numbers: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(np.clip(numbers, MIN_LOG, -MIN_LOG).tolist())


def _read_numbers(values: object) -> tuple[float, ...] | None:
    if not isinstance(values, list | tuple) or not all(isinstance(value, int | float) for value in values):
        return None
    return tuple(map(float, values))
