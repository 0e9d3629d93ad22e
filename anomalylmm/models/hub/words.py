"""Prompts and answers as the tokens a model was trained on; knows no model and no tensor library."""

from collections.abc import Sequence
from typing import Any

from anomalylmm.errors import JudgeError
from anomalylmm.rerank.prompts import NO_WORDS, YES_WORDS

PROBE_ANSWER = "yes"
MAX_ANSWERS = 1024  # whose tokens are kept
Part = dict[str, str]  # of a message: text, or the place of a picture or video
THOUGHT, END_OF_THOUGHT = "<think>", "\n</think>\n\n"  # an empty thought, as Qwen's own templates write it


class ChatWords:
    """Writes a judge's prompts through its chat template, and finds the tokens of answers."""

    def __init__(self, processor: Any) -> None:
        """Takes a processor with a ``tokenizer`` and ``apply_chat_template``, as those of transformers."""
        self.tokenizer = processor.tokenizer
        self._processor = processor
        self._answers: dict[tuple[str, str], list[int]] = {}  # the same ones are asked for about each batch of pictures
        self._lead = self._find_lead()

    def prompt_text(self, num_images: int, prompt: str) -> str:
        """The question as text, up to where the answer begins; a thought that the template opens is closed, empty."""
        return self._render([{"type": "image"}] * num_images, prompt)

    def is_begun(self, text: str) -> bool:
        """Whether a prompt already begins with the token that the tokenizer would put before it."""
        begin = self.tokenizer.bos_token
        return bool(begin) and text.startswith(begin)

    def answer_ids(self, prompt: str, answer: str) -> list[int]:
        """Tokens of an answer as the continuation of a prompt, without an end token.

        A tokenizer may join the prompt's last letters with the answer's first; then the answer is tokenized alone.
        """
        key = prompt, answer
        if key not in self._answers:
            if len(self._answers) >= MAX_ANSWERS:
                self._answers.clear()
            self._answers[key] = self._read_answer(prompt, answer)
        return list(self._answers[key])

    def _read_answer(self, prompt: str, answer: str) -> list[int]:
        before = self.prompt_text(0, prompt)
        whole = self._ids(before + self._lead + answer)
        start = self._ids(before)
        if whole[: len(start)] == start and len(whole) > len(start):
            return whole[len(start) :]
        return self._ids(self._lead + answer)

    def first_ids(self, words: Sequence[str]) -> list[int]:
        """Token numbers of those words that are one token, with and without a space before them."""
        unknown = self.tokenizer.unk_token_id
        single = [ids[0] for word in words for ids in (self._ids(word), self._ids(" " + word)) if len(ids) == 1]
        return sorted({number for number in single if number != unknown})

    def yes_no_ids(self, prompt: str, judge_id: str) -> tuple[list[int], list[int]]:
        """Tokens that begin a yes and a no.

        Raises:
            JudgeError: They are the same, or unknown to the model.
        """
        yes = self.first_ids(YES_WORDS) or self.answer_ids(prompt, "yes")[:1]
        no = self.first_ids(NO_WORDS) or self.answer_ids(prompt, "no")[:1]
        if not yes or not no or set(yes) & set(no):
            raise JudgeError(f"{judge_id} has no tokens that tell yes from no; choose another judge")
        return yes, no

    def sure_answer_ids(self, prompt: str, answer: str, judge_id: str) -> list[int]:
        """Tokens of an answer, at least one.

        Raises:
            JudgeError: It has none.
        """
        tokens = self.answer_ids(prompt, answer)
        if not tokens:
            raise JudgeError(f"the answer {answer!r} has no token in the vocabulary of {judge_id}; give a word")
        return tokens

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _render(self, shown: Sequence[Part], prompt: str) -> str:
        messages = self._messages(shown, prompt)
        text: str = self._processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return text + END_OF_THOUGHT if text.rstrip().endswith(THOUGHT) else text

    def _messages(self, shown: Sequence[Part], prompt: str) -> list[dict[str, Any]]:
        return [{"role": "user", "content": [*shown, {"type": "text", "text": prompt}]}]

    def _find_lead(self) -> str:
        """White space that the template puts between its prompt for an answer and the answer."""
        question = self._messages([], "?")
        answer = {"role": "assistant", "content": [{"type": "text", "text": PROBE_ANSWER}]}
        before = self.prompt_text(0, "?")
        whole: str = self._processor.apply_chat_template([*question, answer], tokenize=False)
        if not whole.startswith(before):
            return ""
        lead = whole[len(before) :].partition(PROBE_ANSWER)[0]
        return lead if not lead.strip() else ""
