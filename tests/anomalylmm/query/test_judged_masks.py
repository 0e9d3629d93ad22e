import numpy as np
import pytest

from anomalylmm.errors import JudgeError, QueryError
from anomalylmm.query.judged_masks import JudgeMasker
from tests.anomalylmm.scripted import LEXICON, DictCache

TEXT = "a man juggles"


class Namer:
    judge_id, max_views, moment_way = "namer", 1, "single"

    def __init__(self, *answers):
        self.answers, self.prompts = list(answers), []

    def complete(self, views, prompt):
        assert np.asarray(views[0][0]).shape == (224, 224, 3)
        self.prompts.append(prompt)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_the_judge_is_asked_once_and_its_masks_are_used_for_ever_after():
    judge, cache = Namer(['[{"word": "juggles", "kind": "action"}]']), DictCache()
    first = JudgeMasker(judge, LEXICON, cache).mask(TEXT)
    assert (first.made_by, first.cloze.masked) == ("judge", "a man [MASK]")
    another = Namer()
    another.judge_id = "another"
    assert JudgeMasker(another, LEXICON, cache).mask(TEXT) == first
    assert judge.prompts[0].endswith(TEXT)


def test_a_judge_that_fails_is_asked_again_next_time():
    judge, cache = Namer(JudgeError("out of memory"), ['[{"word": "juggles", "kind": "action"}]']), DictCache()
    masker = JudgeMasker(judge, LEXICON, cache)
    failed = masker.mask(TEXT)
    assert (failed.made_by, failed.cloze.slots) == ("lexicon", ())
    assert "out of memory" in failed.problems[0]
    assert masker.mask(TEXT).made_by == "judge"


@pytest.mark.parametrize("answers", [[], ["one", "two"], [""], ["y" * 10_000_000]])
def test_a_judge_that_answers_nonsense_leaves_it_to_the_lexicon(answers):
    masking = JudgeMasker(Namer(answers), LEXICON, DictCache()).mask("a man falls")
    assert (masking.made_by, masking.cloze.masked) == ("lexicon", "a man [MASK]")
    assert masking.problems


def test_a_damaged_row_of_the_cache_is_asked_anew():
    cache = DictCache()
    JudgeMasker(Namer([""]), LEXICON, cache).mask(TEXT)
    cache.rows = {key: {"masks": 3} for key in cache.rows}
    assert JudgeMasker(Namer(['{"word": "juggles", "kind": "action"}']), LEXICON, cache).mask(TEXT).made_by == "judge"


def test_a_text_that_can_be_no_query_is_not_asked_about():
    with pytest.raises(QueryError):
        JudgeMasker(Namer(), LEXICON).mask("???")
