"""``evaluate clips``: the labels a user writes, the report, and what goes wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from anomalylmm.errors import AnomalyLMMError, ArchiveError, ConfigurationError
from anomalylmm.measure.clip_scores import ClipEvent
from anomalylmm.query.lexicon import Lexicon
from flows.cli import app
from flows.evaluate.clips.evaluating import ClipRequest, evaluate_clips
from flows.evaluate.clips.labels import read_labels
from tests.fakes import compose, write_video

RUNNER = CliRunner()
LEXICON = Lexicon.load()


def write_labels(folder: Path, text: str, *files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "labels.csv").write_text(text)
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(b"")
    return folder


def test_labels_are_read_in_the_words_of_the_lexicon_and_pictures_are_skipped(tmp_path: Path) -> None:
    text = (
        "file,kind,behaviors,start_seconds,stop_seconds,remark\n"
        'videos/a.mp4,video,fell;other,1.5,4,"he falls, then"\n'
        "videos/a.mp4,video,lying,4,,\n"
        "images/a.jpg,image,lying,,,\n"
        "videos/b.mp4,video,yodeling,,,\n"
        "videos/c.mp4,video,,,,\n"
    )
    labels = read_labels(write_labels(tmp_path, text, "videos/a.mp4", "videos/b.mp4", "videos/c.mp4"), LEXICON)
    assert labels.files == ("videos/a.mp4", "videos/b.mp4", "videos/c.mp4")
    assert labels.events == (
        ClipEvent(file="videos/a.mp4", behavior="falling", start_seconds=1.5, stop_seconds=4.0),
        ClipEvent(file="videos/a.mp4", behavior="lying", start_seconds=4.0),
    )
    assert labels.unknown == ("yodeling",)


def test_only_chooses_by_pattern_or_part(tmp_path: Path) -> None:
    text = "\ufefffile,behaviors,part\na.mp4,falling,test\nb.mp4,falling,learn\nx/c.mp4,falling,learn\n"
    folder = write_labels(tmp_path, text, "a.mp4", "b.mp4", "x/c.mp4")
    assert read_labels(folder, LEXICON, only=["learn"]).files == ("b.mp4", "x/c.mp4")
    assert read_labels(folder, LEXICON, only=["x/*", "test"]).files == ("a.mp4", "x/c.mp4")
    with pytest.raises(ConfigurationError, match=r"none of the 3 rows.*'night'.*--only"):
        read_labels(folder, LEXICON, only=["night"])


@pytest.mark.parametrize(
    ("text", "kind", "named"),
    [
        ("path,what\na.mp4,falling\n", ConfigurationError, "no column file and no column behaviors.*'path, what'"),
        ("file,behaviors\n", ConfigurationError, "names no video"),
        ("file,behaviors\nb.mp4,falling\n", ArchiveError, "line 2: there is no file.*b.mp4"),
        ("file,behaviors\n../a.mp4,falling\n", ConfigurationError, "line 2.*inside the folder"),
        ("file,behaviors\na.mp4,yodeling\n", ConfigurationError, "knows no behavior.*'yodeling'.*it knows.*falling"),
        ("file,behaviors,start_seconds\na.mp4,falling,soon\n", ConfigurationError, "line 2: start_seconds is 'soon'"),
        ("file,behaviors,start_seconds,stop_seconds\na.mp4,lying,4,2\n", ConfigurationError, "line 2: stop_seconds 2"),
        ("file,kind,behaviors\na.txt,video,lying\n", ConfigurationError, "a.txt' has no suffix of a video"),
    ],
)
def test_wrong_labels_are_one_message_with_the_line(
    tmp_path: Path, text: str, kind: type[AnomalyLMMError], named: str
) -> None:
    with pytest.raises(kind, match=named):
        read_labels(write_labels(tmp_path, text, "a.mp4", "a.txt"), LEXICON)


def test_missing_folder_and_missing_labels_say_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="not a folder"):
        read_labels(tmp_path / "none", LEXICON)
    with pytest.raises(ConfigurationError, match=r"labels.csv does not exist.*columns file and behaviors"):
        read_labels(tmp_path, LEXICON)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_video(folder / "red.mp4", [("red", 0, 5)])
    write_video(folder / "green.mp4", [("green", 0, 5)])
    write_video(folder / "empty.mp4", [], seconds=3.0)
    write_video(folder / "unlabeled.mp4", [("red", 0, 5)], seconds=5.5)
    rows = "red.mp4,walking,0,5\ngreen.mp4,sitting,,\nempty.mp4,running,,\n"
    (folder / "labels.csv").write_text(f"file,behaviors,start_seconds,stop_seconds\n{rows}")
    (folder / "queries.toml").write_text(
        '[[query]]\nname = "red"\ntext = "a person in a red coat walking"\nfloor = -10\naccept = 0.1\n'
        '[[query]]\nname = "run"\ntext = "a person in a red coat running"\nfloor = 9\n'
    )
    return folder


def run_clips(clips: Path, out: Path, **more: Any) -> dict[str, Any]:
    request = ClipRequest(folder=clips, out=out, queries=clips / "queries.toml", **more)
    return evaluate_clips(compose(), request).document


def test_clips_are_indexed_swept_and_scored(clips: Path, tmp_path: Path) -> None:
    document = run_clips(clips, tmp_path / "out")
    hits = {(item["file"], item["query"]): item["verdict"] for item in document["hits"]}
    assert hits[("red.mp4", "red")] == "right"
    assert hits.get(("green.mp4", "red"), "false") == "false"
    assert "unlabeled.mp4" not in {file for file, _ in hits}
    assert [(event["behavior"], event["found"]) for event in document["events"]] == [
        ("walking", True),
        ("running", False),
    ]
    assert document["clips_without_person"] == ["empty.mp4"]
    assert any("no enabled query asks for it: sitting" in text for text in document["warnings"])
    assert json.loads((tmp_path / "out/clips.json").read_text())["figures"] == document["figures"]
    assert "running in empty" in (tmp_path / "out/clips.md").read_text()
    assert (tmp_path / "out/clips_hits.jpg").read_bytes()[:2] == b"\xff\xd8"


def test_a_store_that_is_named_is_kept_and_a_second_run_gives_the_same_figures(clips: Path, tmp_path: Path) -> None:
    first = run_clips(clips, tmp_path / "out", store=tmp_path / "store", only=("red*",))
    second = run_clips(clips, tmp_path / "out", store=tmp_path / "store", only=("red*",))
    assert (tmp_path / "store/hits/hits.duckdb").exists()
    assert first["figures"] == second["figures"]
    assert first["figures"]["footage_seconds"] == pytest.approx(6.0, abs=0.3)


def test_clips_of_which_none_can_be_read_are_an_error(tmp_path: Path) -> None:
    folder = write_labels(tmp_path / "clips", "file,behaviors\na.mp4,falling\n")
    (folder / "a.mp4").write_text("no video")
    with pytest.raises(ArchiveError, match=r"no clip could be read; a.mp4"):
        evaluate_clips(compose(), ClipRequest(folder=folder, out=tmp_path / "out"))


def test_retention_does_not_hide_old_clips(clips: Path, tmp_path: Path) -> None:
    composition = compose(retention={"days": 1e-6})
    request = ClipRequest(folder=clips, out=tmp_path, queries=clips / "queries.toml", only=("red.mp4",))
    assert evaluate_clips(composition, request).document["figures"]["footage_seconds"] > 5


def test_the_command_prints_a_table_or_json(clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.commands.evaluate.compose", lambda profile, settings: compose())
    arguments = ["evaluate", "clips", str(clips), "--out", str(tmp_path), "--queries", str(clips / "queries.toml")]
    plain = RUNNER.invoke(app, [*arguments, "--quiet"])
    assert plain.exit_code == 0, plain.output
    assert "events found: 1 of 2" in plain.stdout
    assert "missed: running in empty.mp4" in plain.stdout
    document = json.loads(RUNNER.invoke(app, [*arguments, "--quiet", "--json"]).stdout)
    assert document["figures"]["events"] == 2


def test_a_benchmark_may_be_named_with_and_without_its_own_command() -> None:
    for arguments in (["rendered"], ["benchmark", "rendered"]):
        result = RUNNER.invoke(app, ["evaluate", *arguments, "--root", "nowhere", "--quiet"])
        assert isinstance(result.exception, ArchiveError)
