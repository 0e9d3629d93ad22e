"""Escaping of text for the terminal."""

import json

import pytest

from flows.commands.common import print_json, print_records, print_table, say
from flows.runs.terminal import one_line, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("gate 1", "gate 1"),
        ("\x1b[2Jred\x07", "\\x1b[2Jred\\x07"),
        ("c1 \x9b31m", "c1 \\x9b31m"),
        ("byte \udcff", "byte \\xff"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("سترة \u200f حمراء", "سترة \u200f حمراء"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_name_cannot_look_like_a_separate_message() -> None:
    assert one_line("a\nerror: b\tc") == "a\\nerror: b\\tc"


def test_all_ways_of_printing_escape_text(capfd: pytest.CaptureFixture[str]) -> None:
    say("\x1b[2J \udcff")
    print_table(["\x1b[1m"], [["\x1b[2J"]], title="\x1b[3m")
    print_json({"a": "\x1b[2J\x9b\udcff\u202e"})
    assert not {"\x1b", "\x9b", "\udcff", "\u202e"} & set(capfd.readouterr().out)


def test_nan_and_infinity_become_strings_in_json(capfd: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [float("nan"), float("inf"), 1.5, None, True], ("x", 1): b"abc"})
    assert json.loads(capfd.readouterr().out) == {"a": ["nan", "inf", 1.5, None, True], "('x', 1)": "<3 bytes>"}


WIDE = (["id", "note"], [["r1", "x" * 90], ["r2", "two\nlines \x1b[2J"]])


def test_records_too_wide_for_the_terminal_are_listed_by_column(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _show_80_columns(monkeypatch)
    print_records(*WIDE)
    assert capsys.readouterr().out.splitlines() == [
        *("-- 1 of 2", "id    r1", "note  " + "x" * 90),
        *("-- 2 of 2", "id    r2", "note  two\\nlines \\x1b[2J"),
    ]


@pytest.mark.parametrize(("columns", "rows"), [(["id", "score"], [["r1", 0.5]]), (["c" * 90], [])])
def test_records_that_fit_and_no_records_are_a_table(
    columns: list[str],
    rows: list[list[object]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _show_80_columns(monkeypatch)
    print_records(columns, rows)
    assert "┏" in capsys.readouterr().out


def test_records_go_into_a_file_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_records(*WIDE)
    piped = capsys.readouterr().out
    print_table(*WIDE)
    assert piped == capsys.readouterr().out
    assert "\x1b" not in piped


def _show_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes standard output a terminal of 80 columns."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
