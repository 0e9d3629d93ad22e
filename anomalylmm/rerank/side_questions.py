"""Questions apart from those on a query's words: the filter, asked before them, and the description, asked after them.

Both follow SSDC (arXiv 2604.23282): its Detective is a binary filter before the costlier questions, and its Writer
describes what is left, by which it is ranked again.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from anomalylmm.protocols import TextEncoder
from anomalylmm.records import Query
from anomalylmm.rerank.asking import Asker
from anomalylmm.rerank.evidence import Evidence, Look, Questions
from anomalylmm.rerank.prompts import DESCRIBE_PROMPT, AnswerLayout, read_reason, write_filter_prompt

NO_ANSWERS = AnswerLayout(answers=(), groups=(), words=())
DESCRIPTION = Questions(  # the same for all queries, so what is remembered of it serves them all
    slots=(),
    layout=NO_ANSWERS,
    cloze_prompt=DESCRIBE_PROMPT,
    affirm_prompt="",
    likelihood=False,
    generate=True,
    affirm=False,
)


def build_filter_questions(query: Query) -> Questions:
    """Builds the one yes-or-no question of the filter, which is on the behaviors alone."""
    return Questions(
        slots=(),
        layout=NO_ANSWERS,
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


def ask_descriptions(asker: Asker, looks: Mapping[int, Look]) -> dict[int, str]:
    """Has the judge describe candidates, by their positions, from one look each.

    A candidate about which the judge failed or wrote no word, or which the budget does not cover, is missing.
    """
    keys = {position: asker.build_look(look.views) for position, look in looks.items()}
    found = asker.ask([[look] for look in keys.values()])
    read = {position: read_reason(found[look.key].answer) for position, look in keys.items() if look.key in found}
    return {position: text for position, text in read.items() if text}


def compare_descriptions(encoder: TextEncoder, text: str, descriptions: Mapping[int, str]) -> dict[int, float]:
    """Compares descriptions with a query's text: the cosines of their vectors, by the descriptions' positions."""
    if not descriptions:
        return {}
    vectors = np.asarray(encoder.encode_texts([text, *descriptions.values()]), dtype=np.float64)
    return dict(zip(descriptions, (vectors[1:] @ vectors[0]).tolist(), strict=True))
