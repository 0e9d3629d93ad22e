"""The saved queries' file."""

from pathlib import Path

import pytest

from anomalylmm.errors import ConfigurationError, QueryError
from anomalylmm.lexicon import Lexicon
from flows.query_file import default_query_file, read_queries


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
    versions = [rows[0].version for rows in (first, second, third)]  # type: ignore[attr-defined]
    assert versions[0] == versions[1] != versions[2]


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
        ('[[query]]\nname = "a"\ntext = "x"\n[[query]]\nname = "a"\ntext = "y"\n', "twice"),
        ('[[query]]\nname = "a"\ntext = "x"\ndaily = ["25:00", "06:00"]\n', "daily"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises((ConfigurationError, QueryError), match=named):
        read(tmp_path, text)
