"""The filter: one yes-or-no question on the behaviors, after which who surely does not show them is asked nothing."""

from dataclasses import replace

from anomalylmm.rerank.prompts import write_filter_prompt
from anomalylmm.rerank.score import RerankSettings
from anomalylmm.rerank.stages import Adjudication, Adjudicator
from tests.anomalylmm.scripted import LEXICON, DictCache, ScriptedJudge, candidate_of, query_of

FILTER = RerankSettings(affirm_weight=0.0, focus=False, filter=0.2, posture_weight=0.0)
QUERY = query_of("a man falling")


class FilteringJudge(ScriptedJudge):
    """Counts the clozes it is asked."""

    num_clozes = 0

    def score_answers(self, views, prompt, answers):
        self.num_clozes += len(views)
        return super().score_answers(views, prompt, answers)


def run(judge: ScriptedJudge, settings: RerankSettings = FILTER, **options) -> Adjudication:
    candidates = [candidate_of(0, 1), candidate_of(1, 2), candidate_of(2, 3)]
    return Adjudicator(judge, LEXICON, settings).adjudicate(QUERY, candidates, **options)


def build(**more) -> FilteringJudge:
    return FilteringJudge({1: ("falling", -3.0), 2: ("falling", 2.0), 3: ("falling", 3.0)}, **more)


def test_who_surely_shows_nothing_of_the_kind_is_asked_nothing_else() -> None:
    judge = build()
    result = run(judge)
    verdicts = {ranked.candidate.tracklet_id: ranked.verdict for ranked in result.ranked}
    assert judge.num_clozes == 2
    assert result.num_calls == 1 + 3 + 2  # the prior, the filter, the clozes
    assert verdicts["t0"] is not None
    assert not verdicts["t0"].accepted
    assert verdicts["t0"].reason.startswith("filtered: the judge sees nothing of the kind (0.05)")
    assert [verdict.accepted for name, verdict in verdicts.items() if verdict and name != "t0"] == [True, True]
    assert result.unjudged == ()


def test_one_look_that_passes_is_enough() -> None:
    judge = build()
    candidate = candidate_of(0, 1, 2)
    result = Adjudicator(judge, LEXICON, FILTER).adjudicate(QUERY, [candidate])
    assert judge.num_clozes == 2
    assert result.ranked[0].verdict is not None
    assert result.ranked[0].verdict.accepted


def test_without_a_filter_all_are_asked() -> None:
    judge = build()
    assert run(judge, replace(FILTER, filter=0.0)).num_calls == 1 + 3
    assert judge.num_clozes == 3


def test_answers_are_remembered_and_count_against_the_budget() -> None:
    cache = DictCache()
    assert run(build(), cache=cache).num_calls == 6
    again = run(build(), cache=cache)
    assert (again.num_calls, again.num_cached) == (0, 6)
    assert len(run(build(), budget_calls=4).unjudged) == 2  # three for the filter, one for the prior


def test_a_candidate_on_which_the_filter_fails_is_not_left_out() -> None:
    judge = build(fails=lambda number: number == 1)
    reasons = [ranked.verdict.reason for ranked in run(judge).ranked if ranked.verdict]
    assert not any(reason.startswith("filtered") for reason in reasons)
    assert any("not judged" in reason for reason in reasons)


def test_the_question_is_on_the_behaviors_or_else_on_the_sentence() -> None:
    both = query_of("a man in red falling or lying on the ground")
    assert write_filter_prompt(both.text, both.cloze.slots) == (
        "Does this picture show a person who is falling or lying? Answer yes or no."
    )
    plain = query_of("a man in red")
    assert (
        write_filter_prompt(plain.text, plain.cloze.slots) == "Does this picture show: a man in red? Answer yes or no."
    )
