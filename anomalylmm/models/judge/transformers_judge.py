"""A judge from transformers: any model of images and text to text, asked for likelihoods and short answers."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from anomalylmm.errors import JudgeError
from anomalylmm.models.hub.chat import Chat, Inputs, group_alike, join
from anomalylmm.models.hub.devices import choose_device, choose_dtype
from anomalylmm.models.hub.image_budget import limit_pixels
from anomalylmm.models.hub.loading import load_model, load_processor
from anomalylmm.models.judge.likelihood import AnswerScorer
from anomalylmm.models.judge.naming import name_judge
from anomalylmm.models.judge.relevance import JudgeMapper
from anomalylmm.models.weights import ResolvedWeights
from anomalylmm.protocols import MomentWay, Views
from anomalylmm.records import Clip
from anomalylmm.rerank.prompts import GRAY, write_affirm_prompt


class TransformersJudge:
    """Implements ``Judge`` with one model in this process."""

    chat_class: ClassVar[type[Chat]] = Chat

    def __init__(
        self,
        weights: ResolvedWeights,
        *,
        device: str,
        batch_size: int,
        max_views: int,
        max_new_tokens: int,
        max_pixels: int | None,
        dtype: str = "auto",
    ) -> None:
        """Loads the model.

        Args:
            weights: Folder of a model that ``AutoModelForImageTextToText`` knows.
            device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:<number>"``.
            batch_size: Candidates asked about together.
            max_views: Images of one candidate it is shown; more are left out.
            max_new_tokens: Longest answer written.
            max_pixels: Most pixels of one image that the model is given, and so its image tokens; None leaves it to
                the model's processor.
            dtype: ``"auto"`` or a type's name; half precision weights run as float32 on a CPU.

        Raises:
            WeightsError: The folder is damaged, holds no such model, or its processor has no chat template.
            ConfigurationError: The device or type is not to be had, or the pixels can't be limited.
        """
        from transformers import AutoModelForImageTextToText

        self.judge_id = name_judge(weights, max_pixels=max_pixels, max_new_tokens=max_new_tokens)
        self.max_views = max_views
        self.batch_size, self.max_new_tokens = batch_size, max_new_tokens
        self._device = choose_device(device)
        self._dtype = choose_dtype(dtype, self._device)
        processor = load_processor(weights)
        limit_pixels(processor, max_pixels)
        self._chat = self.chat_class(processor, self._device, self._dtype)
        several: MomentWay = "pictures" if max_views > 1 else "single"
        self.moment_way: MomentWay = "video" if self._chat.takes_video else several
        self._model = load_model(AutoModelForImageTextToText, weights, self._device, self._dtype)
        self._scorer = AnswerScorer(self._model, max_rows=4 * batch_size)
        self.num_tokens = 0  # read and written since it was loaded, each question's once

    def complete(self, views: Sequence[Views], prompt: str) -> list[str]:
        """Writes a short answer to the prompt for each of N candidates.

        Raises:
            JudgeError: A candidate has no image, or memory does not suffice.
        """
        answers = [""] * len(views)
        for indices, inputs in self._iter_batches(views, prompt):
            texts = self._guard(lambda inputs=inputs: self._generate(inputs))  # type: ignore[misc]  # mypy can't infer a lambda with a default
            for index, text in zip(indices, texts, strict=True):
                answers[index] = text
        return answers

    def score_answers(self, views: Sequence[Views], prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        """Log p(answer | images, prompt), teacher-forced, natural log, end token not counted; shape (N, A).

        Raises:
            JudgeError: A candidate has no image, an answer no token, or memory does not suffice.
        """
        scores = np.zeros((len(views), len(answers)), np.float64)
        tokens = [self._chat.sure_answer_ids(prompt, answer, self.judge_id) for answer in answers]
        for indices, inputs in self._iter_batches(views, prompt):
            rows = self._guard(lambda inputs=inputs: self._scorer.score(inputs, tokens))  # type: ignore[misc]  # mypy can't infer a lambda with a default
            scores[indices] = rows
            self.num_tokens += len(indices) * sum(map(len, tokens))
        return scores

    def score_answers_blind(self, prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        """Log p(answer | prompt) with one mid-gray image; shape (A,).

        Raises:
            JudgeError: An answer has no token, or memory does not suffice.
        """
        return self.score_answers([[GRAY]], prompt, answers)[0]

    def affirm(self, views: Sequence[Views], prompt: str) -> NDArray[np.float64]:
        """Best logit of a yes minus best logit of a no at the first answer position; shape (N,).

        Raises:
            JudgeError: A candidate has no image, the model can't say yes or no in one token, or memory does not
                suffice.
        """
        yes, no = self._yes_no_ids(prompt)
        margins = np.zeros(len(views), np.float64)
        for indices, inputs in self._iter_batches(views, prompt):
            logits = self._guard(lambda inputs=inputs: self._scorer.first_logits(inputs))  # type: ignore[misc]  # mypy can't infer a lambda with a default
            margins[indices] = (logits[:, yes].amax(1) - logits[:, no].amax(1)).double().cpu().numpy()
        return margins

    def build_mapper(self) -> JudgeMapper:
        """Builds what shows where in a picture this judge sees what it says yes to."""
        return JudgeMapper(self._model, self._chat, self._yes_no_ids, self._write_map_prompt)

    def _write_map_prompt(self, text: str) -> str:
        return write_affirm_prompt(text)

    def _yes_no_ids(self, prompt: str) -> tuple[list[int], list[int]]:
        """Tokens that begin a yes and a no."""
        return self._chat.yes_no_ids(prompt, self.judge_id)

    def _iter_batches(self, views: Sequence[Views], prompt: str) -> list[tuple[list[int], Inputs]]:
        """Indices and joined inputs of candidates that can be asked together."""
        if not all(len(candidate) for candidate in views):
            raise JudgeError("a candidate without images can't be judged; give at least one crop of each")
        inputs = [self._chat.inputs_of(self._limit(candidate), prompt) for candidate in views]
        self.num_tokens += sum(item["input_ids"].numel() for item in inputs)
        groups = group_alike(inputs, self.batch_size)
        return [(indices, join([inputs[index] for index in indices])) for indices in groups]

    def _limit(self, views: Views) -> Views:
        """Leaves out pictures beyond those it may be shown; a video may have any number."""
        if not isinstance(views, Clip):
            return list(views)[: self.max_views]
        return views if self._chat.takes_video else Clip(views[: self.max_views], views.pts_seconds[: self.max_views])

    @torch.inference_mode()
    def _generate(self, inputs: Inputs) -> list[str]:
        end = self._chat.tokenizer.pad_token_id
        output = self._model.generate(
            **inputs,
            max_new_tokens=self.max_new_tokens,
            do_sample=False,
            num_beams=1,
            temperature=None,
            top_p=None,
            top_k=None,
            pad_token_id=end if end is not None else self._chat.tokenizer.eos_token_id,
        )
        written = output[:, inputs["input_ids"].shape[1] :]
        self.num_tokens += written.numel()
        return [self._chat.decode(row) for row in written]

    def _guard(self, work: Callable[[], Any]) -> Any:
        """Does the work."""
        try:
            return work()
        except torch.OutOfMemoryError as error:
            raise JudgeError(
                f"{self.judge_id} has not enough memory on {self._device} for {self.batch_size} candidates at once; "
                "lower the judge's batch_size or max_views"
            ) from error
