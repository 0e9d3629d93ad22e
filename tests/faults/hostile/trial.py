"""One hostile input: how it is tried, what counts as let through, and how output is read; knows no input."""

import re
import time
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest import mock

from markdown_it import MarkdownIt
from typer.testing import CliRunner

from anomalylmm.errors import AnomalyLMMError
from flows.cli import app
from flows.settings.model import load_settings
from tests.fakes import FakeComposition
from tests.faults.ledger import Ledger

MAX_SECONDS = 300.0  # an input that takes longer hangs; generous, since machines may be busy
_BARE_ADDRESS = re.compile(r"(?:https?|ftp|file)://|www\.|\w@\w")
MARKER = "PWNED"  # what payloads try to make
TAGS = frozenset(
    "html head meta title style body h1 h2 p ul li b span section div article img table tr th td footer".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where inputs are tried."""

    scratch: Path
    outside: Path  # a folder that nothing may read into an answer, or write to
    store: Path  # of a small archive, indexed and swept by stand-ins
    archive: Path


@dataclass(slots=True, kw_only=True)
class Bench:
    """Tries inputs and counts what came of them."""

    ground: Ground
    ledger: Ledger = field(default_factory=Ledger)

    def attempt(self, kind: str, name: str, do: Callable[[], str | None], *, refused: bool = False) -> None:
        """Tries one input.

        Args:
            kind: The row that it belongs to.
            name: What it is.
            do: Tries it and says what was let through; an error of the project's own is a refusal.
            refused: Whether it must be refused.
        """
        began, before = time.monotonic(), _list_files(self.ground.outside)
        try:
            problems = [do() or ("it was not refused" if refused else "")]
        except AnomalyLMMError as error:
            text = str(error).replace("\r", " ")
            problems = [find_steering(text, allow=True) if text.strip() else "an error without a message"]
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            problems = [f"a traceback: {type(error).__name__}: {str(error)[:200]}"]
        if time.monotonic() - began > MAX_SECONDS:
            problems.append(f"it took {time.monotonic() - began:.0f} s")
        if _list_files(self.ground.outside) != before:
            problems.append("something outside was written")
        if any((place / MARKER).exists() for place in (self.ground.scratch, self.ground.outside, Path.cwd())):
            problems.append("a payload was executed")
        self.ledger.count(kind, *(f"{name}: {problem}" for problem in problems if problem))


def run_command(arguments: list[str], compose: Callable[..., Any] | None = None) -> tuple[int, str, str]:
    """Runs a command with stand-in models; gives exit code, output, and what of it must not be there.

    Errors of the project's own are printed by the program's ``main``; here they are the exit code.
    """

    def stand_ins(profile: str | None, settings: Path | None) -> FakeComposition:
        return FakeComposition(load_settings(profile, settings, {}))

    modules = ("checks", "index_and_sweep", "search", "saved_queries")
    patches = [mock.patch(f"flows.commands.{module}.compose", compose or stand_ins) for module in modules]
    for patch in patches:
        patch.start()
    try:
        result = CliRunner().invoke(app, arguments)
    finally:
        for patch in patches:
            patch.stop()
    problem = find_steering(result.output)
    if result.exception and not isinstance(result.exception, SystemExit | AnomalyLMMError):
        problem = f"a traceback: {type(result.exception).__name__}: {result.exception}"
    code = getattr(result.exception, "exit_code", result.exit_code)
    return int(code), result.output, problem


def find_steering(text: str, *, allow: bool = False) -> str:
    """Says which character of an output would steer a terminal.

    Args:
        text: The output.
        allow: Whether control characters are let pass, because the printer writes them out.
    """
    for character in "" if allow else text:
        if character not in "\n\t" and unicodedata.category(character) in {"Cc", "Cs"}:
            return f"the terminal gets {character!r} raw"
        if "\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069":
            return f"the terminal gets {character!r} raw, which turns the text"
    return ""


def find_markup(page: str) -> str:
    """Says what of an HTML page is none of the template's own."""
    reader = _TagReader()
    reader.feed(page)
    reader.close()
    return next(iter(reader.problems), "")


def find_live_markdown(markdown: str) -> str:
    """Says what of Markdown is HTML, a link, or a picture from elsewhere."""
    if found := _BARE_ADDRESS.search(markdown):
        return f"a bare address in Markdown, which becomes a link: {found.group()!r}"
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    for token in _iter_tokens(parser.parse(markdown)):
        if token.type.startswith("html"):
            return f"HTML in Markdown: {token.content[:80]!r}"
        if token.type == "link_open":
            return f"a link in Markdown: {token.attrs}"
        if token.type == "image" and not str(token.attrs.get("src", "")).startswith("data:image/jpeg"):
            return f"a picture from elsewhere in Markdown: {token.attrs}"
    return ""


def _iter_tokens(tokens: Iterable[Any]) -> Iterable[Any]:
    for token in tokens:
        yield token
        yield from _iter_tokens(token.children or ())


class _TagReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.problems.append(f"a tag <{tag}> in the page")
        for name, value in attrs:
            text = (value or "").strip().lower()
            is_place = name in {"src", "href", "action", "srcset", "poster", "background"}
            if name.startswith("on") or (is_place and ("script:" in text or "//" in text[:12])):
                self.problems.append(f"an attribute {name}={text[:60]!r} in the page")

    def handle_comment(self, data: str) -> None:
        self.problems.append(f"a comment in the page: {data[:60]!r}")


def _list_files(folder: Path) -> list[tuple[str, int, int]]:
    entries = [(path, path.lstat()) for path in sorted(folder.rglob("*"))]
    return [(str(path), entry.st_size, entry.st_mtime_ns) for path, entry in entries]
