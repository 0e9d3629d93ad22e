"""What is written to the terminal or to what stands in for it: text is escaped, and nobody need be reading."""

import html
import io
import os
import re
import sys
import unicodedata
from typing import TextIO

from rich.console import Console

_ALLOWED = "\n\t"
_CONTROL = frozenset(("Cc", "Cs", "Zl", "Zp"))  # control characters, lone surrogates, line separators
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~:@$^=])")
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")  # change the direction of the text that follows


class MessageConsole(Console):
    """Standard error. If its reader has gone, the work goes on without messages."""

    def __init__(self) -> None:
        """Writes messages of any length in one line if there is no terminal to fold them for."""
        super().__init__(stderr=True, soft_wrap=not sys.stderr.isatty())

    def on_broken_pipe(self) -> None:
        """Stops writing; the method that this replaces would end the process."""
        self.quiet = True


def prepare_streams() -> None:
    """Makes sure that output exists, and that characters which it has no code for are escaped.

    A closed stream is replaced, because the next file opened would get its number and everything printed.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
    sys.stdout = _prepare(sys.stdout)
    sys.stderr = _prepare(sys.stderr)


def _prepare(stream: TextIO | None) -> TextIO:
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - lives as long as the process
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


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


def escape(text: str) -> str:
    """Escapes a text for Markdown and HTML, including bare URLs; line breaks become spaces."""
    return html.escape(_MARKDOWN.sub(r"\\\1", visible(" ".join(text.split()))))


def _write(character: str) -> str:
    if character in _ALLOWED:
        return character
    if "\udc80" <= character <= "\udcff":  # how Python represents a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    if unicodedata.category(character) in _CONTROL or _DIRECTION.match(character):
        return character.encode("unicode_escape", "backslashreplace").decode()
    return character
