"""Escaping of text in Markdown."""

import pytest

from flows.runs.terminal import escape


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a man's <b>", "a man&#x27;s &lt;b&gt;"),
        ("[x](javascript:1)", "\\[x\\]\\(javascript\\:1\\)"),
        ("see https://evil.example", "see https\\://evil\\.example"),
        ("a\n# b", "a \\# b"),
        ("\x1b[2J \udcff", "\\\\x1b\\[2J \\\\xff"),
    ],
)
def test_text_is_escaped_in_markdown(text: str, written: str) -> None:
    assert escape(text) == written
