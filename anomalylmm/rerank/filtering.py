"""Asks first whether a picture shows anything of a query's kind; who surely does not is asked nothing else.

As the Detective of SSDC (arXiv 2604.23282), a binary filter before the costlier questions.
"""

from collections.abc import Mapping, Sequence

from anomalylmm.records import Query
from anomalylmm.rerank.asking import Asker
from anomalylmm.rerank.evidence import Evidence, Look, Questions
from anomalylmm.rerank.prompts import AnswerLayout, write_filter_prompt


def build_filter_questions(query: Query) -> Questions:
    """Builds the one yes-or-no question of the filter, which is on the behaviors alone."""
    return Questions(
        slots=(),
        layout=AnswerLayout(answers=(), groups=(), words=()),
        cloze_prompt="",
        affirm_prompt=write_filter_prompt(query.text, query.cloze.slots),
        likelihood=False,
        generate=False,
        affirm=True,
    )


def ask_filter(asker: Asker, looks_of: Mapping[int, Sequence[Look]]) -> dict[int, list[Evidence]]:
    """Asks the filter's question about the looks of candidates, by their positions.

    A candidate about which the judge failed, or which the budget does not cover, is missing: it is not filtered.
    """
    own = {
        position: [asker.build_look(look.views, look.moment) for look in looks] for position, looks in looks_of.items()
    }
    found = asker.ask(list(own.values()))
    heard = {position: [found.get(look.key) for look in looks] for position, looks in own.items()}
    return {
        position: [evidence for evidence in answers if evidence]
        for position, answers in heard.items()
        if answers and all(evidence and not evidence.error for evidence in answers)
    }
