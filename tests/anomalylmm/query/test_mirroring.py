"""Views shown mirrored too: what is said of both is averaged, moment by moment."""

from dataclasses import replace

import numpy as np
import pytest

from anomalylmm.rerank.evidence import Evidence, Look, join_moments
from anomalylmm.rerank.looks import names_a_side
from anomalylmm.rerank.score import DEFAULT, PAPER, RerankSettings
from anomalylmm.rerank.stages import Adjudicator
from tests.anomalylmm.scripted import LEXICON, ScriptedJudge, candidate_of, query_of

FALL_IN_RED = "a man in a red jacket falls down"
PLAIN = RerankSettings(affirm_weight=0.0, focus=False)
MIRRORED = replace(PLAIN, mirror=True)
TURNED = 90  # what the scripted judge reads of a mirrored picture


def adjudicate(judge, settings, text=FALL_IN_RED, numbers=(1,)):
    return Adjudicator(judge, LEXICON, settings).adjudicate(query_of(text), [candidate_of(0, *numbers)])


def fall_match(result) -> float:
    return next(slot.match for slot in result.ranked[0].verdict.slots if slot.kind == "action")


def test_what_is_said_of_both_is_averaged():
    script = {1: ("red, falling", 2.0), TURNED: ("red, walking", -2.0)}
    plain, mirrored = (adjudicate(ScriptedJudge(script), settings) for settings in (PLAIN, MIRRORED))
    assert fall_match(plain) > fall_match(mirrored)
    assert mirrored.num_calls == plain.num_calls + 1
    assert mirrored.ranked[0].verdict.num_calls == 2


def test_a_moment_that_shows_the_behavior_is_still_enough():
    script = {1: ("red, walking", 0.0), 2: ("red, falling", 0.0), TURNED: ("red, falling", 0.0)}
    assert fall_match(adjudicate(ScriptedJudge(script), MIRRORED, numbers=(1, 2))) > 0.5


def test_a_query_on_left_or_right_is_not_mirrored():
    judge = ScriptedJudge({1: ("red, falling", 0.0)})
    adjudicate(judge, MIRRORED, "a man in a red jacket falls to the left")
    assert judge.seen == [1]
    assert [names_a_side(text) for text in ("on the Right", "brightly lit", "the left-hand man")] == [True, False, True]


def test_a_mirrored_picture_that_fails_leaves_the_other():
    def fails(number: int) -> bool:
        return number == TURNED

    judge = ScriptedJudge({1: ("red, falling", 2.0)}, fails=fails)
    verdict = adjudicate(judge, MIRRORED).ranked[0].verdict
    assert verdict.num_calls == 1
    assert "no answer about 90" in verdict.reason


def test_logarithms_are_averaged_and_what_was_written_is_the_firsts():
    first = Evidence(
        log_scores=(0.0, -2.0), answer="red", affirm_logit=1.0, facet_logits=(3.0,), seconds=1.0, cached=True
    )
    second = Evidence(log_scores=(-4.0, -6.0), answer="blue", affirm_logit=-2.0, facet_logits=(1.0,), seconds=2.0)
    looks = [Look(key="a", views=(), moment=0), Look(key="b", views=(), moment=0)]
    (joined,) = join_moments(list(zip(looks, [first, second], strict=True)))
    np.testing.assert_allclose(joined.log_scores, (-2.0, -4.0))
    assert (joined.answer, joined.affirm_logit, joined.facet_logits) == ("red", -0.5, (2.0,))
    assert (joined.seconds, joined.cached, joined.num_looks) == (3.0, False, 2)


def test_moments_stay_apart_and_errors_alone():
    looks = [Look(key=str(number), views=(), moment=number) for number in range(3)]
    heard = [Evidence(answer="a"), Evidence(error="gone"), Evidence(answer="b")]
    joined = join_moments(list(zip(looks, heard, strict=True)))
    assert sorted(item.answer or item.error for item in joined) == ["a", "b", "gone"]


@pytest.mark.parametrize("preset", [PAPER, DEFAULT])
def test_presets_do_not_mirror(preset):
    assert not preset.mirror
