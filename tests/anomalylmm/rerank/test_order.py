"""Behavior that has an order, read frame by frame."""

from dataclasses import replace

import numpy as np
import pytest

from anomalylmm.errors import ConfigurationError
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.query.masking import mask_query
from anomalylmm.records import Clip
from anomalylmm.rerank.looks import thin
from anomalylmm.rerank.order import Order, Phases, find_orders, score_order
from anomalylmm.rerank.prompts import layout_answers
from anomalylmm.rerank.score import RerankSettings
from anomalylmm.rerank.stages import Adjudicator
from tests.anomalylmm.scripted import LEXICON, ScriptedJudge, candidate_of, paint, query_of

FALL = "a person falling to the ground"
RISE = "a person gets up from the ground"
PHASES = Phases(
    group=(0, 1, 2), words=("falling", "standing", "lying"), order=Order(before=("standing",), after=("lying",))
)
SHOWN = {1: ("standing", 0.0), 2: ("falling", 0.0), 3: ("lying", 0.0), 4: ("walking", 0.0), 5: ("rising", 0.0)}
ORDER = RerankSettings(moment_frames=4, moment_join="order", affirm_weight=0.0, posture_weight=0.0, focus=False)


def judge_moment(text: str, numbers: list[int], settings: RerankSettings = ORDER, **judge: object):
    """Judges one candidate whose moment shows these pictures."""
    clip = Clip([paint(number) for number in numbers], range(len(numbers)))
    candidate = replace(candidate_of(0, numbers[0]), moment=clip, evidence="4 frames")
    judge = ScriptedJudge(SHOWN, **judge)
    return Adjudicator(judge, LEXICON, settings).adjudicate(query_of(text), [candidate]).ranked[0].verdict


def test_upright_before_and_lying_after_is_an_order() -> None:
    upright, lying = [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]
    assert score_order(np.array([upright, lying]), PHASES) == pytest.approx(0.8)
    assert score_order(np.array([lying, upright]), PHASES) == pytest.approx(0.1)
    assert score_order(np.array([lying]), PHASES) == 0.0


def test_falling_is_accepted_in_its_order_only() -> None:
    assert judge_moment(FALL, [1, 4, 3, 3]).accepted
    assert not judge_moment(FALL, [3, 3, 1, 4]).accepted
    assert not judge_moment(FALL, [3, 3, 3, 3]).accepted


def test_getting_up_is_falling_backward() -> None:
    assert judge_moment(RISE, [3, 3, 1, 4]).accepted
    assert not judge_moment(RISE, [1, 4, 3, 3]).accepted


def test_the_verdict_names_each_frame_in_order_and_what_was_shown() -> None:
    verdict = judge_moment(FALL, [1, 2, 3, 3])
    assert [frame.split()[0] for frame in verdict.slots[0].frames] == ["standing", "falling", "lying", "lying"]
    assert verdict.evidence == "4 frames"
    assert verdict.num_calls == 4


def test_a_slot_without_an_order_takes_the_frame_that_shows_it_best_or_the_mean() -> None:
    shown = [4, 4, 4, 1]
    best = judge_moment("a person standing", shown, replace(ORDER, moment_join="best")).slots[0]
    mean = judge_moment("a person standing", shown, replace(ORDER, moment_join="mean")).slots[0]
    assert best.match > 0.5 > mean.match
    assert len(best.frames) == len(mean.frames) == 4


def test_only_queries_with_an_order_want_moments_of_a_judge_that_reads_orders() -> None:
    adjudicator = Adjudicator(ScriptedJudge(SHOWN), LEXICON, ORDER)
    assert adjudicator.wants_moment(query_of(FALL))
    assert not adjudicator.wants_moment(query_of("a person standing"))
    assert not Adjudicator(ScriptedJudge(SHOWN), LEXICON, replace(ORDER, moment_frames=0)).wants_moment(query_of(FALL))
    several = ScriptedJudge(SHOWN, max_views=4, moment_way="pictures")
    assert Adjudicator(several, LEXICON, ORDER).wants_moment(query_of("a person standing"))


def test_a_judge_of_several_pictures_is_asked_once_with_those_it_takes() -> None:
    verdict = judge_moment(FALL, [2, 2, 2, 2], max_views=2, moment_way="pictures")
    assert verdict.num_calls == 1
    assert verdict.slots[0].frames == ()


def test_thinning_keeps_the_first_and_last_frame() -> None:
    clip = Clip([paint(number) for number in range(8)], range(8))
    assert thin(clip, 3).pts_seconds == (0, 4, 7)
    assert thin(clip, 8) is clip


def test_answers_of_the_order_come_behind_those_of_the_slots() -> None:
    cloze = mask_query("a man in a red jacket falling", LEXICON)
    plain, ordered = layout_answers(cloze), layout_answers(cloze, find_orders(cloze, LEXICON))
    assert ordered.answers[: len(plain.answers)] == plain.answers
    assert ordered.groups == plain.groups
    (phases,) = ordered.phases.values()
    assert [ordered.answers[place] for place in phases.group] == [f"red, {word}" for word in phases.words]


@pytest.mark.parametrize("row", ['before = ["lying"]', 'before = ["lying"]\nafter = ["flying"]'])
def test_an_order_is_checked(row: str) -> None:
    with pytest.raises(ConfigurationError, match="falling"):
        Lexicon.parse(f"[behavior.lying]\n[behavior.falling]\n{row}\n")
