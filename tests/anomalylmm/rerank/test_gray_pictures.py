"""Candidates of infrared cameras, whose pictures show no color."""

from dataclasses import replace

import numpy as np
import pytest

from anomalylmm.footage.crops import has_color
from anomalylmm.records import UNKNOWN, Candidate, Verdict
from anomalylmm.rerank.score import DEFAULT
from anomalylmm.rerank.stages import Adjudicator
from tests.anomalylmm.scripted import LEXICON, ScriptedJudge, candidate_of, query_of


def to_gray(candidate: Candidate) -> Candidate:
    """Takes the colors out of a candidate's pictures."""
    images = tuple(np.repeat(image[..., :1], 3, axis=2) for image in candidate.images)
    return replace(candidate, images=images)


def judge_gray(text: str, words: str, affirm: float) -> Verdict:
    """Judges one gray picture of which the judge says these words."""
    judge = ScriptedJudge({1: (words, affirm)})
    found = Adjudicator(judge, LEXICON, DEFAULT).adjudicate(query_of(text), [to_gray(candidate_of(0, 1))])
    verdict = found.ranked[0].verdict
    assert verdict is not None
    return verdict


@pytest.mark.parametrize("color", ["red", "blue"])
def test_the_color_of_a_gray_picture_neither_accepts_nor_rejects(color: str) -> None:
    fell = judge_gray("a man in a red jacket falls down", f"{color}, falling", -3.0)
    assert fell.accepted
    assert fell.slots[0].answer == UNKNOWN
    assert "no color" in fell.reason
    assert not judge_gray("a man in a red jacket falls down", f"{color}, walking", 3.0).accepted


def test_a_query_for_a_color_alone_is_unsure_of_a_gray_picture() -> None:
    verdict = judge_gray("a person in a red jacket", "red", 3.0)
    assert verdict.confidence == 0.5
    assert not verdict.accepted
    assert "no color" in verdict.reason


def test_a_query_without_colors_is_judged_as_ever() -> None:
    assert "no color" not in judge_gray("a man falls down", "falling", 3.0).reason


@pytest.mark.parametrize(("tint", "noise"), [((0, 0, 0), 0), ((12, 0, 9), 0), ((0, 0, 0), 12)])
def test_a_tint_and_the_noise_of_a_sensor_are_no_colors(tint: tuple[int, int, int], noise: float) -> None:
    random = np.random.default_rng(0)
    gray = random.integers(40, 200, (12, 8, 1)).repeat(16, axis=0).repeat(16, axis=1).repeat(3, axis=2)
    image = np.clip(gray + np.array(tint) + random.normal(0, noise, gray.shape), 0, 255).astype(np.uint8)
    assert not has_color(image)
    image[60:120, 40:90] = (120, 40, 40)
    assert has_color(image)
