"""A judge from a yes/no cross-encoder (Qwen3-VL-Reranker kind): one margin a picture and sentence, no other words."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import JudgeError
from anomalylmm.models.hub.chat import Chat
from anomalylmm.models.hub.words import Part
from anomalylmm.models.judge.transformers_judge import TransformersJudge
from anomalylmm.protocols import Views
from anomalylmm.query.masking import BLANK
from anomalylmm.records import UNKNOWN
from anomalylmm.rerank.prompts import AFFIRM_PROMPT, CLOZE_PROMPT, FACET_PROMPT

# The format the models were trained on: github.com/QwenLM/Qwen3-VL-Embedding, its re-ranker's instruction template.
SYSTEM = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".'
)
INSTRUCTION = "Given a search query, retrieve relevant candidates that answer the query."


class PairChat(Chat):
    """Puts a sentence as query and the views as document into the re-ranker's template."""

    def _messages(self, shown: Sequence[Part], prompt: str) -> list[dict[str, Any]]:
        content = [
            {"type": "text", "text": f"<Instruct>: {INSTRUCTION}"},
            {"type": "text", "text": "<Query>:"},
            {"type": "text", "text": prompt},
            {"type": "text", "text": "\n<Document>:"},
            *shown,
        ]
        return [
            {"role": "system", "content": [{"type": "text", "text": SYSTEM}]},
            {"role": "user", "content": content},
        ]


class RerankerJudge(TransformersJudge):
    """Implements ``Judge`` with a model that says of a sentence and pictures how well they fit, and nothing else.

    A cloze is read by filling it: the likelihood of an answer is the probability of a yes to the sentence with the
    answer's words in its blanks, ``log sigmoid(logit_yes - logit_no)``. These are not probabilities of exclusive
    answers, but the core only compares answers to one question, and behaviors that all fit badly still differ by
    their margins.
    """

    chat_class: ClassVar[type[Chat]] = PairChat

    def complete(self, views: Sequence[Views], prompt: str) -> list[str]:
        """Answers UNKNOWN for each blank: a re-ranker writes nothing (use the likelihood reading)."""
        return [", ".join([UNKNOWN] * max(1, prompt.count(BLANK)))] * len(views)

    def score_answers(self, views: Sequence[Views], prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        """Log probability of a yes to the cloze filled with each answer; shape (N, A).

        An answer that ends early is filled up with the words of the longest one: those asked for.

        Raises:
            JudgeError: A candidate has no image, or memory does not suffice.
        """
        whole = max(answers, key=lambda answer: answer.count(","), default="")
        columns = [-np.logaddexp(0, -self.affirm(views, fill(prompt, answer, whole))) for answer in answers]
        return np.stack(columns, axis=1) if columns else np.zeros((len(views), 0))

    def affirm(self, views: Sequence[Views], prompt: str) -> NDArray[np.float64]:
        """Logit of yes minus logit of no at the last position, the sentence of the prompt as query; shape (N,).

        Raises:
            JudgeError: A candidate has no image, the model has no tokens for yes and no, or memory does not suffice.
        """
        return super().affirm(views, unwrap(prompt, AFFIRM_PROMPT, FACET_PROMPT))

    def _write_map_prompt(self, text: str) -> str:
        return text

    def _yes_no_ids(self, prompt: str) -> tuple[list[int], list[int]]:  # noqa: ARG002 - the same for all prompts
        """The two tokens the model was trained to choose from."""
        vocabulary = self._chat.tokenizer.get_vocab()
        if "yes" not in vocabulary or "no" not in vocabulary:
            raise JudgeError(
                f"{self.judge_id} has no tokens for yes and no; choose a re-ranker that answers with yes or no"
            )
        return [vocabulary["yes"]], [vocabulary["no"]]


def unwrap(prompt: str, *templates: str) -> str:
    """Takes the sentence out of a production prompt; a prompt of another wording is the sentence itself."""
    for template in templates:
        head, _, rest = template.partition("{")
        tail = rest.partition("}")[2]
        if prompt.startswith(head) and prompt.endswith(tail) and len(prompt) > len(head) + len(tail):
            return prompt[len(head) : len(prompt) - len(tail)]
    return prompt


def fill(prompt: str, answer: str, whole: str = "") -> str:
    """Puts the words of an answer into the blanks of a cloze, in order; if their number differs, behind the sentence.

    Blanks that the answer does not reach take the words of ``whole``.
    """
    sentence = unwrap(prompt, CLOZE_PROMPT)
    words = [word.strip() for word in answer.split(",")]
    words += [word.strip() for word in whole.split(",")][len(words) :]
    if sentence.count(BLANK) != len(words):
        return f"{sentence} {answer}"
    for word in words:
        sentence = sentence.replace(BLANK, word, 1)
    return sentence
