"""Texts of files, models and people as a terminal may be shown them: what would steer it is written out."""

import re
import unicodedata

_LEGIBLE = "\n\t"
_STEERING = frozenset(("Cc", "Cs", "Zl", "Zp"))  # control characters, half pairs, separators of lines
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")  # embed or override the direction of what follows


def visible(text: str) -> str:
    r"""Writes out what would steer a terminal (``\x1b``), and bytes of a file name that are no UTF-8 (``\xff``).

    Marks that belong to scripts, as joiners and right-to-left marks do, stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_write, text))


def one_line(text: str) -> str:
    """Makes a text visible on one line, so that a name can't pass for a message of its own."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def _write(character: str) -> str:
    if character in _LEGIBLE:
        return character
    if "\udc80" <= character <= "\udcff":  # how Python holds a byte that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    if unicodedata.category(character) in _STEERING or _TURNING.match(character):
        return character.encode("unicode_escape", "backslashreplace").decode()
    return character
