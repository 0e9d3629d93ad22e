"""Says which words of a query have no effect, and what to do about them; knows no model."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from anomalylmm.query.lexicon import Lexicon
from anomalylmm.query.negation import find_absent, find_negated
from anomalylmm.records import Query, Slot, SlotKind

MIN_LETTERS = 4  # shorter words are near too many others
MIN_LIKENESS = 0.86  # "jaket" and "jacket" have 0.91, "start" and "stair" 0.8
MIN_UNKNOWN = 2  # words, and at least half of those with a meaning, for a sentence that was not understood
MAX_NAMED = 8
LEFT_OUT = (
    "what must not be seen is left out of the search: {}; look at the hits for it yourself (a judge that can tell is "
    "asked about it if rerank.negation is on)"
)
NOBODY = "{} is read as people of whom it is not true; a search finds people, so it can't tell that nobody is there"
WEAKENED = "{} is not understood; the rest is searched for as if it were not there, so look at the hits for it yourself"
ONE_PERSON = (
    "{} is asked about the same person as the rest of the sentence, though it may be said of another; describe only "
    "the person to be found"
)
NOT_ASKED = "the judge is not asked about what must not be seen: {}; look at the hits for it yourself"
WEAKENING = frozenset("hardly barely scarcely rarely seldom almost nearly".split())
FUNCTION_WORDS = WEAKENING | frozenset(
    "a about after again against all along also although am an and another any anybody anyone anything are around as"
    " at away be because been before behind being below beside between both but by can could did do does down during"
    " each either else ever every everybody everyone few first for from further get gets got had has have having he"
    " her here hers him his how i if in inside into is it its just last left less like many may me meanwhile might"
    " more most much must my near next no nobody none nor not now of off on once one only onto or other others our out"
    " outside over own past please quickly quite right same several shall she should since slowly so some somebody"
    " someone something still such than that the their them then there these they this those though three through time"
    " to together too toward towards two under until up upon very was we were what when where which while who whom"
    " whose why will with within without would yet you your longer never instead except neither cannot minus".split()
)


def describe_wording(
    query: Query, unknown: Sequence[str], lexicon: Lexicon, asked_absent: Sequence[SlotKind] = ()
) -> tuple[str, ...]:
    """Lists what a user should know about the words of a query.

    Args:
        query: The query as it was written.
        unknown: Its words that the encoder does not know, in lower case.
        lexicon: Gives the words that are known all the same, and those to suggest.
        asked_absent: Kinds of things that the judge is asked about if they must not be seen.
    """
    found = lexicon.find_words(query.text)
    asked = find_absent(query, lexicon, asked_absent)
    spans = find_negated(query.text, lexicon)
    negated = [query.text[start:stop] for start, stop in spans if not any(start <= slot.start < stop for slot in asked)]
    messages = [(NOT_ASKED if asked_absent else LEFT_OUT).format(_quote(negated))] if negated else []
    phrases = [query.text[start:stop] for start, stop in spans]
    nobody = [phrase for phrase in phrases if phrase.casefold().startswith(("nobody", "no one", "none"))]
    messages += [NOBODY.format(_quote(nobody))] if nobody else []
    weakening = [word for word in re.findall(r"[a-z]+", query.text.casefold()) if word in WEAKENING]
    messages += [WEAKENED.format(_quote(weakening))] if weakening else []
    others = _list_others_colors(query, found)
    messages += [ONE_PERSON.format(_quote(others))] if others else []
    strange = [word for word in unknown if not _is_familiar(word, lexicon)]
    if not strange:
        return tuple(messages)
    if _is_not_understood(query.text, strange, found):
        messages.append(
            f"the sentence was not understood, the encoder does not know {_quote(strange, lexicon)}; write in English "
            'who to find and what they do, such as "a man in a red jacket falling"'
        )
    else:
        named = [f"{word}{_suggest(word, lexicon)}" for word in strange[:MAX_NAMED]]
        messages.append(f"the encoder does not know these words, so they have no effect: {', '.join(named)}")
    return tuple(messages)


def _list_others_colors(query: Query, found: Sequence[Slot]) -> list[str]:
    """Lists the colors asked for that stand behind a second person of the sentence."""
    persons = [slot.start for slot in found if slot.kind == "person"]
    second = min(persons[1:], default=len(query.text))
    return [slot.word for slot in query.cloze.slots if slot.kind == "color" and slot.start > second]


def _is_familiar(word: str, lexicon: Lexicon) -> bool:
    return word in FUNCTION_WORDS or "'" in word or bool(lexicon.find_words(word)) or word in lexicon.tokens


def _is_not_understood(text: str, strange: Sequence[str], found: Sequence[Slot]) -> bool:
    """Returns whether next to nothing of a sentence is known; one word in another script is enough."""
    if any(not word.isascii() and not _is_latin(word) for word in strange):
        return True
    if len(strange) < MIN_UNKNOWN or any(slot.kind in {"action", "person"} for slot in found):
        return False
    words = {word for word in text.casefold().split() if word.strip(".,;:!?") not in FUNCTION_WORDS}
    return 2 * len(strange) >= len(words)


def _is_latin(word: str) -> bool:
    return all(ord(letter) < 0x250 or 0x1E00 <= ord(letter) < 0x1F00 for letter in word)


def _suggest(word: str, lexicon: Lexicon) -> str:
    """Asks whether a word that is spelled alike was meant; empty if there is none."""
    if len(word) < MIN_LETTERS:
        return ""
    known = sorted(lexicon.tokens - FUNCTION_WORDS)
    swapped = [other for other in known if other[0] == word[0] and sorted(other) == sorted(word)]
    near = swapped or get_close_matches(word, known, 1, MIN_LIKENESS)
    return f' (did you mean "{near[0]}"?)' if near else ""


def _quote(words: Sequence[str], lexicon: Lexicon | None = None) -> str:
    """Lists words in quotation marks, with what was perhaps meant if there is a lexicon."""
    words = list(dict.fromkeys(words))
    more = f" and {len(words) - MAX_NAMED} more" if len(words) > MAX_NAMED else ""
    return ", ".join(f'"{word}"{_suggest(word, lexicon) if lexicon else ""}' for word in words[:MAX_NAMED]) + more
