"""What is written to the terminal, or to what stands in for it."""

import io
import json
import os
import sys

import pytest

from flows.commands.common import print_json, print_records, print_table, say
from flows.runs.progress import TerminalProgress
from flows.runs.terminal import one_line, prepare_streams, visible


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


@pytest.mark.parametrize("rows", [[["r1", 0.5]], []])
def test_records_that_fit_are_a_table(
    rows: list[list[object]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _show_80_columns(monkeypatch)
    print_records(["id", "score"], rows)
    assert "┏" in capsys.readouterr().out


def test_no_records_of_many_columns_give_the_names_of_the_columns(capsys: pytest.CaptureFixture[str]) -> None:
    print_records(["a" * 90, "b" * 90], [], title="hits")
    assert capsys.readouterr().out.splitlines() == ["hits", f"no rows; columns: {'a' * 90}, {'b' * 90}"]


def test_records_too_wide_for_a_file_keep_each_value_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_records(["id", "note"], [["r1", "x" * 300]])
    assert "note  " + "x" * 300 in capsys.readouterr().out.splitlines()


def test_quiet_work_shows_its_warnings_and_no_bars(capsys: pytest.CaptureFixture[str]) -> None:
    with TerminalProgress(quiet=True) as progress:
        progress.start("index MB", 1)
        progress.warn("gate: " + "x" * 200)
    assert capsys.readouterr().err == f"warning: gate: {'x' * 200}\n"


def test_work_goes_on_when_nobody_reads_its_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", _Unread())
    with TerminalProgress() as progress:
        progress.warn("first")
        progress.warn("second")
    say("third", err=True)


def test_results_end_with_an_error_when_nobody_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", _Unread())
    with pytest.raises(BrokenPipeError):
        print_table(["a"], [["b"]])


def test_characters_that_the_output_has_no_code_for_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="latin-1"))
    prepare_streams()
    say("é漢")
    print_json({"é": "漢"})
    sys.stdout.flush()
    said, *document = written.getvalue().splitlines(keepends=True)
    assert said == b"\xe9\\u6f22\n"
    assert json.loads(b"".join(document)) == {"é": "漢"}


def test_a_closed_output_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    prepare_streams()
    say("nobody sees this")
    assert os.fstat(1)


class _Unread(io.StringIO):
    """A pipe whose reader has gone."""

    def write(self, _text: str, /) -> int:
        raise BrokenPipeError


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
