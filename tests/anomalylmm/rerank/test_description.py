"""The judge's own description: asked once for all queries, compared with the query, and shown with the verdict."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from anomalylmm.errors import ConfigurationError
from anomalylmm.records import Clip, Floats
from anomalylmm.rerank.prompts import DESCRIBE_PROMPT, MAX_REASON_CHARACTERS
from anomalylmm.rerank.score import RerankSettings
from anomalylmm.rerank.stages import Adjudication, Adjudicator
from tests.anomalylmm.scripted import LEXICON, DictCache, ScriptedJudge, candidate_of, paint, query_of

SETTINGS = RerankSettings(affirm_weight=0.0, focus=False, posture_weight=0.0, coarse_weight=0.0, description_weight=2.0)
FALL = query_of("a man falling")
SAME = {1: ("falling", 0.0), 2: ("falling", 0.0), 3: ("falling", 0.0)}  # nothing but descriptions tells them apart


class Words:
    """Encodes a text by which of a few words it has; the rows have unit length."""

    model_id, dimension = "words", 3

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        rows = [[1.0, "falling" in text, "dog" in text] for text in texts]
        return np.array([np.array(row) / np.linalg.norm(row) for row in rows], np.float32)

    def unknown_words(self, text: str) -> tuple[str, ...]:
        return ()

    def cut_off(self, text: str) -> str:
        return ""


class Describer(ScriptedJudge):
    """Describes each picture number as it is told to."""

    def __init__(self, told: dict[int, str], **more) -> None:
        super().__init__(SAME, **more)
        self.told = told
        self.asked: list[int] = []

    def complete(self, views, prompt):
        assert prompt == DESCRIBE_PROMPT
        numbers = [int(images[0][0, 0, 0]) for images in views]
        self._entries(views)
        self.asked += numbers
        return [self.told[number] for number in numbers]


def run(judge: ScriptedJudge, settings: RerankSettings = SETTINGS, query=FALL, **options) -> Adjudication:
    candidates = [candidate_of(0, 1), candidate_of(1, 2), candidate_of(2, 3)]
    return Adjudicator(judge, LEXICON, settings, encoder=Words()).adjudicate(query, candidates, **options)


def names(result: Adjudication) -> list[str]:
    return [ranked.candidate.tracklet_id for ranked in result.ranked]


def verdicts(result: Adjudication):
    return {ranked.candidate.tracklet_id: ranked.verdict for ranked in result.ranked}


TOLD = {1: "A man walks a dog.", 2: "A man stands.", 3: "A man is falling."}


def test_who_is_described_like_the_query_goes_up_and_nobody_is_accepted_by_it() -> None:
    result, plain = run(Describer(TOLD)), run(Describer(TOLD), replace(SETTINGS, description_weight=0.0))
    assert names(plain) == ["t0", "t1", "t2"]
    assert names(result) == ["t2", "t1", "t0"]
    fall = verdicts(result)["t2"]
    assert fall.description == "A man is falling."
    assert "its description and the query have a cosine of 1.00" in fall.reason
    cosines = [0.5, 1 / np.sqrt(2), 1.0]
    assert fall.score - verdicts(plain)["t2"].score == pytest.approx(2.0 * (1.0 - np.mean(cosines)))
    assert [verdicts(result)[name].confidence for name in "t0 t1 t2".split()] == [
        verdicts(plain)[name].confidence for name in "t0 t1 t2".split()
    ]


def test_it_is_asked_once_for_all_queries_and_counts_as_a_question() -> None:
    judge, cache = Describer(TOLD), DictCache()
    first = run(judge, cache=cache)
    assert (first.num_calls, sorted(judge.asked)) == (1 + 3 + 3, [1, 2, 3])
    other = run(judge, query=query_of("a dog walking"), cache=cache)
    assert (other.num_calls, other.num_cached) == (1 + 3, 3)
    assert sorted(judge.asked) == [1, 2, 3]
    assert names(other)[0] == "t0"


def test_who_has_no_description_is_neither_raised_nor_lowered() -> None:
    silent = run(Describer({**TOLD, 2: "?!"}))
    plain = run(Describer(TOLD), replace(SETTINGS, description_weight=0.0))
    assert names(silent) == ["t2", "t1", "t0"]
    assert replace(verdicts(silent)["t1"], seconds=0.0) == replace(verdicts(plain)["t1"], seconds=0.0)


def test_what_the_judge_writes_is_one_bounded_line() -> None:
    told = {**TOLD, 3: "A man\nis\x1b[31m falling <b>" + "x" * 5000}
    description = verdicts(run(Describer(told)))["t2"].description
    assert description.startswith("A man is [31m falling <b>xxx")
    assert len(description) == MAX_REASON_CHARACTERS
    assert description.isprintable()


def test_the_budget_covers_descriptions_last() -> None:
    judge = Describer(TOLD)
    result = run(judge, budget_calls=1 + 3 + 1)
    assert result.unjudged == ()
    assert judge.asked == [1]


def test_a_moment_is_described_by_its_middle_frame_if_the_judge_takes_one_picture() -> None:
    judge = Describer(TOLD)
    moment = Clip([paint(1), paint(2), paint(3)], (1.0, 2.0, 3.0))
    candidates = [replace(candidate_of(0, 3), moment=moment)]
    result = Adjudicator(judge, LEXICON, SETTINGS, encoder=Words()).adjudicate(FALL, candidates)
    assert judge.asked == [2]
    assert verdicts(result)["t0"].description == "A man stands."


def test_several_pictures_of_a_moment_are_described_together() -> None:
    judge = Describer(TOLD, max_views=3, moment_way="pictures")
    candidates = [replace(candidate_of(0, 3), moment=Clip([paint(1), paint(2)], (1.0, 2.0)))]
    result = Adjudicator(judge, LEXICON, SETTINGS, encoder=Words()).adjudicate(FALL, candidates)
    assert judge.asked == [1]  # the first picture names the look
    assert result.num_calls == 1 + 1 + 1


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="must not be negative"):
        RerankSettings(description_weight=-0.1)
