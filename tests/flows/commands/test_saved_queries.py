"""The ``queries`` commands."""

import json
import tomllib
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.settings.model import load_settings
from flows.sweep.query_file import read_saved
from storage.disk.layout import StoreLayout
from storage.hits.writer import HitStore
from tests.fakes import ColorJudge, FakeComposition

RUNNER = CliRunner()
FILE = """
[[query]]
name = "fall"
text = "a man in a navy coat falls down"

[[query]]
name = "juggle"
text = "a man juggles"
enabled = false
masks = [{word = "juggles", kind = "action", means = "juggling", contrasts = ["walking"]}]

[[query]]
name = "odd"
text = "a suspicious person"
"""


class MaskingJudge(ColorJudge):
    """Masks the word man, and counts how often it is asked to."""

    asked: ClassVar[list[str]] = []

    def complete(self, views: Any, prompt: str) -> list[str]:
        self.asked.append(prompt)
        return ['[{"word": "man", "kind": "person"}]']


@pytest.fixture(autouse=True)
def _stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    def compose(profile: str | None, settings: Path | None) -> FakeComposition:
        composition = FakeComposition(load_settings(profile, settings))
        composition.__dict__["judge"] = MaskingJudge()
        return composition

    MaskingJudge.asked.clear()
    monkeypatch.setattr("flows.commands.saved_queries.compose", compose)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "queries.toml"
    path.write_text(FILE)
    return path


def show(*arguments: str) -> str:
    result = RUNNER.invoke(app, ["queries", "show", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_show_prints_text_version_masks_and_who_chose_them(file: Path) -> None:
    shown = show("--queries", str(file))
    by_lexicon, by_user, without = shown.split("\n\n")[:3]
    version = read_saved(file, FakeComposition(load_settings()).lexicon)[0].query.version
    assert by_lexicon.startswith(
        f"fall  version {version}, masks by lexicon\n  text   a man in a navy coat falls down\n"
    )
    assert "'navy' (color) asks for blue" in by_lexicon
    assert "against" in by_lexicon
    assert "walking" in by_lexicon
    assert by_user.startswith("juggle  version")
    assert "masks by user, not enabled" in by_user
    assert "no action or color word" in without
    assert not MaskingJudge.asked


def test_printed_masks_can_be_copied_into_the_file_without_a_change(file: Path) -> None:
    printed = [line.strip() for line in show("--queries", str(file)).splitlines() if line.startswith("  masks = ")]
    rows = tomllib.loads(FILE)["query"]
    for row in rows:
        row.pop("masks", None)
    text = "".join(
        f"[[query]]\nname = {json.dumps(row['name'])}\ntext = {json.dumps(row['text'])}\n{masks}\n"
        for row, masks in zip(rows, printed, strict=True)
    )
    lexicon = FakeComposition(load_settings()).lexicon
    before = [item.query.version for item in read_saved(file, lexicon)]
    file.write_text(text)
    after = read_saved(file, lexicon)
    assert [item.query.version for item in after] == before
    assert {item.made_by for item in after} == {"user"}


def test_show_prints_chosen_queries_as_json_and_accepts_the_file_before_its_name(file: Path) -> None:
    result = RUNNER.invoke(app, ["queries", "--queries", str(file), "show", "juggle", "--json"])
    found = json.loads(result.stdout)
    assert [(row["name"], row["made_by"]) for row in found] == [("juggle", "user")]
    assert found[0]["masks"][0]["span"] == "juggles"
    assert found[0]["masks"][0]["contrasts"] == ["walking"]


def test_an_unknown_name_is_answered_with_the_known_ones(file: Path) -> None:
    result = RUNNER.invoke(app, ["queries", "show", "jump", "--queries", str(file)])
    assert result.exit_code != 0
    assert "fall, juggle, odd" in str(result.exception)


def test_queries_without_show_lists_all(file: Path) -> None:
    result = RUNNER.invoke(app, ["queries", "--queries", str(file), "--json"])
    assert [row["name"] for row in json.loads(result.stdout)] == ["fall", "juggle", "odd"]


def test_the_judge_is_asked_for_masks_once_and_the_store_keeps_them(file: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('[rerank]\nmasking = "judge"\n')
    store = tmp_path / "store"
    arguments = ["--queries", str(file), "--settings", str(settings), "--store", str(store)]
    with HitStore(StoreLayout(store)):
        pass
    first = show(*arguments)
    assert "masks by judge\n" in first
    assert "cloze  a [MASK] in a navy coat falls down" in first
    assert "juggle  version" in first
    assert "masks by user" in first
    assert "'man' is not in the query" in first  # of the third one, which the lexicon masks then
    assert len(MaskingJudge.asked) == 2  # the user's masks need no judge
    assert show(*arguments) == first
    assert len(MaskingJudge.asked) == 2
