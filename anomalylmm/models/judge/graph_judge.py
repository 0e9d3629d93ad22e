"""A small judge run by the graphs next to its weights, without torch: pictures are read once for all questions."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import JudgeError
from anomalylmm.models.hub.plain_processor import PlainProcessor
from anomalylmm.models.hub.words import ChatWords
from anomalylmm.models.judge.answer_tree import AnswerTree
from anomalylmm.models.judge.graph_model import GraphModel, Head
from anomalylmm.models.judge.naming import name_judge
from anomalylmm.models.weights import ResolvedWeights
from anomalylmm.protocols import MomentWay, Views
from anomalylmm.records import Floats
from anomalylmm.rerank.prompts import GRAY


class GraphJudge:
    """Implements ``Judge``, as ``TransformersJudge`` with the same weights.

    A question is read behind its pictures. What the model made of these is kept, so another question about the same
    pictures costs only its own words.
    """

    def __init__(self, weights: ResolvedWeights, *, batch_size: int, max_views: int, max_new_tokens: int) -> None:
        """Loads the model from a folder with graphs and weights; the options are those of ``TransformersJudge``.

        Raises:
            WeightsError: A file is missing or damaged, or a graph was written for other weights.
        """
        self.judge_id = name_judge(weights, max_pixels=None, max_new_tokens=max_new_tokens)
        self.moment_way: MomentWay = "single"
        self.max_views, self.batch_size, self.max_new_tokens = max_views, batch_size, max_new_tokens
        self._processor = PlainProcessor(weights.path)
        self._chat, self._model = ChatWords(self._processor), GraphModel(weights, batch_size=batch_size)
        self.num_tokens = 0  # read and written since it was loaded, each question's once

    def complete(self, views: Sequence[Views], prompt: str) -> list[str]:
        """Writes a short answer to the prompt for each of N candidates.

        Raises:
            JudgeError: A candidate has no image.
        """
        answers = [""] * len(views)
        for indices, states, question in self._iter_batches(views, prompt):
            for index, tokens in zip(indices, self._model.write(states, question, self.max_new_tokens), strict=True):
                answers[index] = self._processor.tokenizer.decode(tokens)
                self.num_tokens += len(tokens)
        return answers

    def score_answers(self, views: Sequence[Views], prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        """Log p(answer | images, prompt), teacher-forced, natural log, end token not counted; shape (N, A).

        Raises:
            JudgeError: A candidate has no image, or an answer no token.
        """
        scores = np.zeros((len(views), len(answers)), np.float64)
        tokens = [self._chat.sure_answer_ids(prompt, answer, self.judge_id) for answer in answers]
        for indices, states, question in self._iter_batches(views, prompt):
            tree = AnswerTree.of(question, tokens)
            scores[indices] = tree.sum_logs(self._model.read(states, tree))
            self.num_tokens += len(indices) * sum(map(len, tokens))
        return scores

    def score_answers_blind(self, prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        """Log p(answer | prompt) with one mid-gray image; shape (A,).

        Raises:
            JudgeError: An answer has no token.
        """
        return self.score_answers([[GRAY]], prompt, answers)[0]

    def affirm(self, views: Sequence[Views], prompt: str) -> NDArray[np.float64]:
        """Best logit of a yes minus best logit of a no at the first answer position; shape (N,).

        Raises:
            JudgeError: A candidate has no image, or the model can't say yes or no in one token.
        """
        yes, no = self._chat.yes_no_ids(prompt, self.judge_id)
        margins = np.zeros(len(views), np.float64)
        for indices, states, question in self._iter_batches(views, prompt):
            logs = self._model.read(states, AnswerTree.of(question, []))[:, 0].astype(np.float64)
            margins[indices] = logs[:, yes].max(axis=1) - logs[:, no].max(axis=1)
        return margins

    def forget_pictures(self) -> None:
        """Forgets what was made of pictures, as if none had been seen."""
        self._model.forget()

    def _iter_batches(self, views: Sequence[Views], prompt: str) -> Iterator[tuple[list[int], Floats, list[int]]]:
        """Indices of candidates with equally many pictures, what was made of these, and the question behind them."""
        groups: dict[int, list[int]] = defaultdict(list)
        for index, candidate in enumerate(views):
            groups[min(len(candidate), self.max_views)].append(index)
        if 0 in groups:
            raise JudgeError("a candidate without images can't be judged; give at least one crop of each")
        for count, members in groups.items():
            head, question = self._split(count, prompt)
            for start in range(0, len(members), self.batch_size):
                indices = members[start : start + self.batch_size]
                states = self._model.look([list(views[index])[:count] for index in indices], head)
                self.num_tokens += len(indices) * (states.shape[3] + len(question))
                yield indices, states, question

    def _split(self, num_images: int, prompt: str) -> tuple[Head, list[int]]:
        """Tokens of a question up to its last picture, and those behind it."""
        text = self._chat.prompt_text(num_images, prompt)
        tokens = self._processor.tokenizer(text, add_special_tokens=not self._chat.is_begun(text))["input_ids"]
        places = [place for place, token in enumerate(tokens) if token == self._model.image_token]
        if len(places) != num_images or places[-1] + 1 == len(tokens):
            raise JudgeError(f"{self.judge_id} has no place for {num_images} pictures before {prompt[:100]!r}")
        return tuple(tokens[: places[-1] + 1]), tokens[places[-1] + 1 :]
