"""The saved queries' file."""

from pathlib import Path
from typing import Any

import pytest

from anomalylmm.errors import ConfigurationError, QueryError
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.query.masking import parse_masks
from flows.sweep.query_file import QueryRow, build_query, default_query_file, read_queries, read_saved

ROW = '[[query]]\nname = "a"\ntext = "a man in a red coat falls"\n'


def read(tmp_path: Path, text: str) -> list[object]:
    file = tmp_path / "queries.toml"
    file.write_text(text, encoding="utf-8")
    return list(read_queries(file, Lexicon.load()))


def test_the_shipped_queries_all_have_an_action_to_mask() -> None:
    queries = read_queries(default_query_file(), Lexicon.load())
    assert len(queries) >= 12
    assert all(any(slot.kind == "action" for slot in query.cloze.slots) for query in queries)
    assert len({query.version for query in queries}) == len(queries)


def test_a_changed_text_is_a_new_version_and_a_changed_comment_is_not() -> None:
    lexicon = Lexicon.load()
    assert read_queries(default_query_file(), lexicon) == read_queries(default_query_file(), lexicon)


def test_version_follows_the_text(tmp_path: Path) -> None:
    first = read(tmp_path, '[[query]]\nname = "a"\ntext = "a person falling"\n')
    second = read(tmp_path, '# new\n[[query]]\nname = "a"\ntext = "a person falling"\n')
    third = read(tmp_path, '[[query]]\nname = "a"\ntext = "a person lying"\n')
    versions = [rows[0].version for rows in (first, second, third)]
    assert versions[0] == versions[1] != versions[2]


def test_a_changed_name_or_threshold_is_the_same_version(tmp_path: Path) -> None:
    first = read(tmp_path, '[[query]]\nname = "a"\ntext = "a person falling"\n')
    second = read(tmp_path, '[[query]]\nname = "b"\ntext = "a person falling"\naccept = 0.9\nfloor = 1\ntop_n = 7\n')
    assert first[0].version == second[0].version
    assert first[0].criteria != second[0].criteria


def test_two_queries_that_ask_the_same_are_refused(tmp_path: Path) -> None:
    rows = "".join(f'[[query]]\nname = "{name}"\ntext = "a person falling"\n' for name in "ab")
    with pytest.raises(QueryError, match=r"a and b ask the same .*keep one"):
        read(tmp_path, rows)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "query"),
        ("[[query]\n", "line 1"),
        ('[[query]]\nname = "a"\n', "text"),
        ('[[query]]\nname = "a b"\ntext = "x"\n', "line 1"),
        ('[[query]]\nname = "a"\ntext = "???"\n', "line 1"),
        ('[[query]]\nname = "a"\ntext = "x"\nflor = 3\n', "flor"),
        ('[[query]]\nname = "a"\ntext = "x"\n\n[[query]]\nname = "b"\ntext = "y"\ntop_n = 0\n', "line 5"),
        ('[[query]]\nname = "a"\ntext = "x"\n[[query]]\nname = "a"\ntext = "y"\n', "more than once"),
        ('[[query]]\nname = "a"\ntext = "x"\ndaily = ["25:00", "06:00"]\n', "daily"),
        (ROW + 'masks = [{word = "runs", kind = "action"}]\n', "line 1, .*'runs' is not in the query"),
        (ROW + 'masks = [{word = "falls", kind = "verb"}]\n', r"masks\.0\.kind.*'action'"),
        (ROW + 'masks = [{word = "falls"}]\n', r"masks\.0\.kind"),
        (ROW + 'masks = ["falls"]\n', r"masks\.0"),
        (ROW + 'masks = [{word = "falls", kind = "action", color = "red"}]\n', r"masks\.0\.color"),
        (ROW + 'masks = [{word = "falls", kind = "action", contrasts = ["a, b"]}]\n', r"masks\.0\.contrasts"),
        (ROW + 'masks = [{word = "falls", kind = "action"}, {word = "coat falls", kind = "garment"}]\n', "overlap"),
    ],
)
def test_an_error_in_a_file_is_reported_with_its_place(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises((ConfigurationError, QueryError), match=named):
        read(tmp_path, text)


def saved(tmp_path: Path, more: str, way: Any = None) -> Any:
    file = tmp_path / "queries.toml"
    file.write_text(ROW + more, encoding="utf-8")
    return read_saved(file, Lexicon.load(), way)[0]


def test_masks_from_the_user_are_used(tmp_path: Path) -> None:
    mine = saved(tmp_path, 'masks = [{word = "coat", kind = "garment"}, {word = "falls", kind = "action"}]\n')
    assert (mine.made_by, mine.query.cloze.masked) == ("user", "a man in a red [MASK] [MASK]")
    none = saved(tmp_path, "masks = []\n")
    assert (none.made_by, none.query.cloze.slots) == ("user", ())


def test_masks_equal_to_those_of_the_lexicon_keep_the_version(tmp_path: Path) -> None:
    by_lexicon = saved(tmp_path, "")
    same = saved(tmp_path, 'masks = [{word = "red", kind = "color"}, {word = "falls", kind = "action"}]\n')
    other = saved(tmp_path, 'masks = [{word = "falls", kind = "action"}]\n')
    assert by_lexicon.made_by == "lexicon"
    assert by_lexicon.query == same.query
    assert by_lexicon.query.version != other.query.version


def test_the_judge_masks_only_queries_without_masks(tmp_path: Path) -> None:
    def way(text: str) -> object:
        return parse_masks('[{"word": "man", "kind": "person"}]', text, Lexicon.load())

    assert saved(tmp_path, "", way).query.cloze.masked == "a [MASK] in a red coat falls"
    assert saved(tmp_path, 'masks = [{word = "red", kind = "color"}]\n', way).made_by == "user"


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ("start = 0001-01-01T00:00:00+23:00\n", "years 1 to 9999"),
        ("start = 99999999999\n", "start"),
        ('daily = ["22:00+05:00", "06:00"]\n', "leave out the offset"),
        ("floor = nan\n", "floor"),
        ("top_n = " + "9" * 5000 + "\n", "not valid TOML"),
        ("x = " + "[" * 50_000, "nested too deeply"),
    ],
)
def test_malicious_values_are_refused(tmp_path: Path, more: str, named: str) -> None:
    with pytest.raises((ConfigurationError, QueryError), match=named):
        read(tmp_path, ROW + more)


def test_the_file_is_read_once_and_line_numbers_are_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    monkeypatch.setattr(
        "flows.sweep.query_file.read_own_file", lambda path, kind: reads.append(path) or path.read_bytes()
    )
    rows = "".join(f'[[query]]\nname = "q{number}"\ntext = "person {number}"\n\n' for number in range(300))
    assert len(read(tmp_path, rows)) == 300
    assert len(reads) == 1


def test_a_camera_name_that_is_not_utf8_is_written_as_in_the_index() -> None:
    row = QueryRow(name="a", text="a person", cameras=("gate \udcff",))
    assert build_query(row, Lexicon.load()).cameras == ("gate \\xff",)
