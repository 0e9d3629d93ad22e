"""The questions put to the judge, and the strict reading of what it writes; knows no model.

The pocket judge was trained on these wordings: a changed character is another question.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from anomalylmm.records import UNKNOWN, Cloze, Slot, SlotKind
from anomalylmm.rerank.order import Orders, Phases

CLOZE_PROMPT = "Fill each blank with one word, or UNKNOWN.\n{masked}"
AFFIRM_PROMPT = "Does this picture show: {text}? Answer yes or no."
FACET_PROMPT = "Does this picture show {facet}? Answer yes or no."
FACETS: Mapping[SlotKind, str] = {
    "action": "a person who is {word}",
    "color": "a person in {word}",
    "garment": "a person wearing {word}",
    "object": "a person with {word}",
    "person": "a {word}",
    "place": "a place such as {word}",
}
YES_WORDS = ("yes", "Yes", "YES")
NO_WORDS = ("no", "No", "NO")
GRAY = np.full((224, 224, 3), 128, np.uint8)  # the picture shown with a question that is not about a picture
PAIR_PROMPT = "Here are two pictures. Which one shows: {text}? Answer first or second."
PAIR_ANSWERS = ("first", "second")
DESCRIBE_PROMPT = "What does the person shown here look like and do? Answer in one sentence."
REASON_PROMPT = "What in this picture shows: {text}? Answer in one short sentence."
MASKING_PROMPT = (
    'Which words of this sentence say what a person does (kind "action"), and which are colors (kind "color")? '
    'Copy them from the sentence and answer with JSON only: [{{"word": "...", "kind": "action"}}].\n{text}'
)
NOT_A_NUMBER = "gave NaN or infinite values"
MAX_REASON_CHARACTERS = 240
MAX_ANSWER_CHARACTERS = 2000
MAX_WORD_CHARACTERS = 30
MAX_WORD_TOKENS = 3
_SEPARATOR = re.compile(r"[,;\n]")
_LEADING = re.compile(r"^\s*(?:[-*\u2022]|\(?\d{1,2}[.):]|\[MASK\]\s*[:=]?)\s*")
_WORD = re.compile(r"[a-z]+(?:[ '-][a-z]+)*")


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """The words of a judge's answer, one per slot, and what was wrong with it."""

    words: tuple[str, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerLayout:
    """The answers by which a cloze's slots are compared, and where each slot's words stand among them.

    One slot is varied at a time; those before it hold the words asked for, and the answer ends with it, so that all
    answers share one beginning and a judge reads them in one pass. ``groups[s]`` lists positions in ``answers``, that
    of the word asked for first; ``words[s]`` the words they put into the slot.
    """

    answers: tuple[str, ...]
    groups: tuple[tuple[int, ...], ...]
    words: tuple[tuple[str, ...], ...]
    phases: Mapping[int, Phases] = field(default_factory=dict)  # of slots whose order is read, by slot


def write_cloze_prompt(cloze: Cloze) -> str:
    """Writes the question with blanks."""
    return CLOZE_PROMPT.format(masked=_one_line(cloze.masked))


def write_affirm_prompt(text: str) -> str:
    """Writes the yes-or-no question on the whole sentence."""
    return AFFIRM_PROMPT.format(text=_asked(text))


def write_facet_prompt(slot: Slot) -> str:
    """Writes the yes-or-no question on one slot alone."""
    return FACET_PROMPT.format(facet=FACETS[slot.kind].format(word=_one_line(slot.word)))


def write_filter_prompt(text: str, slots: Sequence[Slot]) -> str:
    """Writes the yes-or-no question whether any behavior of a query is there; without one it is on the sentence."""
    words = list(dict.fromkeys(_one_line(slot.word) for slot in slots if slot.kind == "action"))
    if not words:
        return write_affirm_prompt(text)
    return FACET_PROMPT.format(facet=FACETS["action"].format(word=" or ".join(words)))


def write_pair_prompt(text: str) -> str:
    """Writes the question which of two pictures shows the sentence; its answers are ``PAIR_ANSWERS``."""
    return PAIR_PROMPT.format(text=_asked(text))


def write_reason_prompt(text: str) -> str:
    """Writes the question about what in a picture shows the sentence."""
    return REASON_PROMPT.format(text=_asked(text))


def write_masking_prompt(text: str) -> str:
    """Writes the question which words of a sentence are to be masked."""
    return MASKING_PROMPT.format(text=_one_line(text))


def read_reason(answer: str) -> str:
    """Reads a written reason as one line of at most 240 printable characters; empty if there is no word."""
    line = _one_line("".join(character if character.isprintable() else " " for character in answer[:2000]))
    if not any(character.isalpha() for character in line):
        return ""
    return line if len(line) <= MAX_REASON_CHARACTERS else line[: MAX_REASON_CHARACTERS - 1] + "\u2026"


def join_words(words: Sequence[str]) -> str:
    """Writes the answer that holds these words, in slot order."""
    return ", ".join(words)


def layout_answers(cloze: Cloze, orders: Orders = MappingProxyType({})) -> AnswerLayout:
    """Lays out the answers for the likelihood reading; a slot without contrasts is compared with UNKNOWN.

    For slots whose order is read, answers with what comes before and after are added.
    """
    asked = [slot.word for slot in cloze.slots]
    answers: list[str] = []
    groups, words = [], []
    for index, slot in enumerate(cloze.slots):
        others = tuple(word for word in slot.contrasts if word != slot.word) or (UNKNOWN,)
        start = len(answers)
        answers += [join_words([*asked[:index], word]) for word in (slot.word, *others)]
        groups.append(tuple(range(start, len(answers))))
        words.append((slot.word, *others))
    phases = {}
    for index, order in orders.items():
        known = dict(zip(words[index], groups[index], strict=True))
        for word in (*order.before, *order.after):
            if word not in known:
                known[word] = len(answers)
                answers.append(join_words([*asked[:index], word]))
        phases[index] = Phases(group=tuple(known.values()), words=tuple(known), order=order)
    return AnswerLayout(answers=tuple(answers), groups=tuple(groups), words=tuple(words), phases=phases)


def parse_cloze(answer: str, num_slots: int) -> ParsedAnswer:
    """Reads the words of an answer strictly; no answer raises an error.

    Whatever is not a plain word becomes UNKNOWN, and the problem is noted. Missing words are UNKNOWN, and further ones
    are ignored.
    """
    problems: list[str] = []
    if len(answer) > MAX_ANSWER_CHARACTERS:
        problems.append(f"answer of {len(answer)} characters cut")
        answer = answer[:MAX_ANSWER_CHARACTERS]
    parts = [part for part in _SEPARATOR.split(answer.strip().strip("[](){}")) if part.strip()]
    words = [_read_word(part, problems) for part in parts[:num_slots]]
    if len(parts) < num_slots:
        problems.append(f"{len(parts)} of {num_slots} blanks answered")
    if len(parts) > num_slots:
        problems.append(f"{len(parts)} words for {num_slots} blanks")
    return ParsedAnswer(words=(*words, *[UNKNOWN] * (num_slots - len(words))), problems=tuple(problems))


def check_scores(scores: np.ndarray, shape: tuple[int, ...]) -> str:
    """Says what is wrong with a judge's numbers; empty if they have the promised shape and none is NaN."""
    try:
        numbers = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError):  # rows of several lengths, or texts
        return f"gave no table of numbers, but {shape} were asked for"
    if numbers.shape != shape:
        return f"gave numbers of shape {numbers.shape}, but {shape} were asked for"
    return NOT_A_NUMBER if np.isnan(numbers).any() else ""


def _read_word(part: str, problems: list[str]) -> str:
    word = _LEADING.sub("", part).strip(" \t\r\"'`.!?*_[]").casefold()
    if word == UNKNOWN.casefold():
        return UNKNOWN
    if len(word) > MAX_WORD_CHARACTERS or len(word.split()) > MAX_WORD_TOKENS or not _WORD.fullmatch(word):
        problems.append(f"no plain word: {part.strip()[:MAX_WORD_CHARACTERS]!r}")
        return UNKNOWN
    return word


def _asked(text: str) -> str:
    return _one_line(text).rstrip(" .!?")


def _one_line(text: str) -> str:
    return " ".join(text.split())
