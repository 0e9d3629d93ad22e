"""What must not be seen: asked about alone, and the opposite of the answer counts."""

from dataclasses import replace

import numpy as np
import pytest

from anomalylmm.posture.classes import CHANNELS
from anomalylmm.records import UNKNOWN, Candidate, Slot, Verdict
from anomalylmm.rerank.absence import read_absent
from anomalylmm.rerank.score import RerankSettings
from anomalylmm.rerank.stages import Adjudicator
from tests.anomalylmm.scripted import LEXICON, FacetJudge, candidate_of, query_of

ASKED = RerankSettings(affirm_weight=0.0, focus=False, negation=True)
BAG = "a person with bag"
RUN = "a person who is running"


def judge(text: str, yes: dict[str, float], candidate: Candidate, settings: RerankSettings = ASKED) -> Verdict:
    script = dict.fromkeys(range(1, 4), ("falling", 0.0))
    judged = Adjudicator(FacetJudge(script, yes), LEXICON, settings).adjudicate(query_of(text), [candidate])
    verdict = judged.ranked[0].verdict
    assert verdict is not None
    return verdict


@pytest.mark.parametrize(("logit", "accepted", "answer"), [(-3.0, True, "no bag"), (3.0, False, "bag")])
def test_a_bag_that_must_not_be_seen_decides(logit: float, accepted: bool, answer: str) -> None:
    verdict = judge("a man falling without a bag", {BAG: logit}, candidate_of(0, 1))
    slot = verdict.slots[-1]
    assert (verdict.accepted, slot.word, slot.answer, slot.absent) == (accepted, "no bag", answer, True)
    assert slot.match == pytest.approx(0.953 if accepted else 0.047, abs=1e-3)
    assert "asked for falling, no bag" in verdict.reason
    assert verdict.confidence <= slot.match


def test_what_is_negated_twice_is_asked_about_once() -> None:
    verdict = judge("a man falling, no bag, without a bag", {BAG: -3.0}, candidate_of(0, 1))
    assert [slot.word for slot in verdict.slots] == ["falling", "no bag"]


def test_without_negation_the_bag_is_not_asked_about() -> None:
    verdict = judge("a man falling without a bag", {BAG: 3.0}, candidate_of(0, 1), replace(ASKED, negation=False))
    assert verdict.accepted
    assert [slot.word for slot in verdict.slots] == ["falling"]


def test_it_is_asked_about_in_every_look_beside_the_facets() -> None:
    settings = replace(ASKED, affirm_weight=0.2, facets=True, max_images=2)
    yes = {BAG: -4.0, "falling": 5.0}
    verdict = judge("a man falling without a bag", yes, candidate_of(0, 1, 2), settings)
    assert verdict.accepted
    assert verdict.num_calls == 2 * 4  # cloze, sentence, facet and bag, of two looks
    assert verdict.affirm == pytest.approx(0.993, abs=1e-3)


def test_a_behavior_must_not_be_seen_in_the_moment_that_shows_what_is_asked_for() -> None:
    """Somebody who falls may have run before; colors count as the mean of all looks, things by one look."""
    run, red = Slot(start=0, stop=3, word="running", kind="action"), Slot(start=0, stop=3, word="red", kind="color")
    bag = replace(red, word="bag", kind="object")
    logits = [4.0, -4.0]
    assert read_absent(run, logits, 1, None, 0.0).match > 0.9
    assert read_absent(run, logits, 0, None, 0.0).match < 0.1
    assert read_absent(run, logits, None, None, 0.0).match < 0.1
    assert read_absent(red, logits, 1, None, 0.0).match == 0.5
    assert read_absent(bag, logits, 1, None, 0.0).match < 0.1


def test_the_joints_of_that_moment_count() -> None:
    ran = {"running": 0.9, "run": 0.9}
    moments = np.array([[ran.get(name, 0.0) for name in CHANNELS], [float(name == "fall") for name in CHANNELS]])
    runs = replace(candidate_of(0, 1), posture_scores=moments.astype(np.float32))
    assert judge("a man falling, not running", {RUN: -3.0}, runs).accepted
    assert not judge("a man in red, not running", {RUN: -3.0}, runs).accepted


def test_a_gray_picture_says_nothing_of_a_color_that_must_not_be_seen() -> None:
    gray = replace(candidate_of(0, 1), images=(np.full((24, 16, 3), 1, np.uint8),))
    verdict = judge("a man falling, not wearing red", {"a person in red": 5.0}, gray)
    assert verdict.accepted
    assert verdict.slots[-1].answer == UNKNOWN


def test_the_joints_say_whether_somebody_runs() -> None:
    shown = {"run": 0.99, "fall": 0.9}
    scores = np.array([[shown.get(channel, 0.0) for channel in CHANNELS]], np.float32)
    runs = replace(candidate_of(0, 1), posture_scores=scores)
    assert judge("a man falling, not running", {RUN: -3.0}, candidate_of(0, 1)).slots[-1].word == "not running"
    assert judge("a man falling, not running", {RUN: -3.0}, candidate_of(0, 1)).accepted
    assert not judge("a man falling, not running", {RUN: -3.0}, runs).accepted
