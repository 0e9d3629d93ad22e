"""Escapes text from files, models and people so that it can't control the terminal."""

import re
import unicodedata

_ALLOWED = "\n\t"
_CONTROL = frozenset(("Cc", "Cs", "Zl", "Zp"))  # control characters, lone surrogates, line separators
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")  # change the direction of the text that follows


def visible(text: str) -> str:
    r"""Escapes control characters (``\x1b``) and bytes of a file name that are not UTF-8 (``\xff``).

    Marks that some scripts need, such as joiners and right-to-left marks, are kept.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_write, text))


def one_line(text: str) -> str:
    """Escapes a text, including line breaks, so that a name can't look like a separate message."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def _write(character: str) -> str:
    if character in _ALLOWED:
        return character
    if "\udc80" <= character <= "\udcff":  # how Python represents a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    if unicodedata.category(character) in _CONTROL or _DIRECTION.match(character):
        return character.encode("unicode_escape", "backslashreplace").decode()
    return character
