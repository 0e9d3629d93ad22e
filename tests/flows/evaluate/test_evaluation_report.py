"""What an evaluation leaves: report, plots, failure sheet, answers; the command and the flow's form."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from anomalylmm.errors import ArchiveError
from flows.cli import app
from flows.evaluate import running
from flows.evaluate.benchmark.files import read_benchmark
from flows.evaluate.benchmark.records import read_picture
from flows.evaluate.flow import evaluate, write_summary
from flows.evaluate.form import EvaluateForm
from flows.evaluate.report.failures import categorize
from flows.evaluate.report.markdown import code
from flows.evaluate.report.plots import draw_ablation, draw_cost
from flows.evaluate.running import evaluate_benchmark
from tests.flows.evaluate.benchmark_copies import PAINTED, TEXTS, rows_of, write_challenge, write_copy
from tests.flows.evaluate.evaluation_fakes import TWINS, compose, request, row_of


@pytest.fixture(autouse=True)
def _no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the plots, which are slow to draw; one test draws them."""
    for name in ("draw_ablation", "draw_cost"):
        monkeypatch.setattr(running, name, lambda figures, title: b"")


def test_the_report_says_split_settings_models_and_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "draw_ablation", draw_ablation)
    monkeypatch.setattr(running, "draw_cost", draw_cost)
    write_copy(tmp_path / "data", rows_of(**TWINS))
    composition = compose()
    report = evaluate_benchmark(
        composition, request(tmp_path, benchmark="rendered", settings_file="mine.toml", variants=("stages",))
    )
    document = json.loads((tmp_path / "out/report.json").read_text())
    assert document["words"] == ["rendered", "pocket"]
    assert document["best"] is None
    assert "nothing was tuned" in document["tuning"]
    assert document["profile"] == "pocket"
    assert document["models"] == {"dual_encoder": "color-encoder@1", "judge": "fall-judge@1"}
    text = (tmp_path / "out/report.md").read_text()
    expected = ["rendered and pocket figures", "split test", "mine\\.toml", "fall-judge@1", "ablation.png"]
    for said in (*expected, "number of frames can't be varied", "failures.jpg", document["settings_digest"]):
        assert said in text, said
    assert str(tmp_path) not in text + json.dumps(document)
    assert set(document["groups"]) == {"combination: as in training", "combination: held out"}
    for name in ("ablation.png", "cost.png", "failures.jpg"):
        drawn = cv2.imread(str(report.folder / name))
        assert drawn is not None
        assert drawn.std() > 1


def test_only_another_split_than_test_names_a_best_variant(tmp_path: Path) -> None:
    write_copy(tmp_path / "data", split="validation")
    report = evaluate_benchmark(compose(), request(tmp_path, split="validation", variants=("stages",)))
    measures = {row["name"]: row["measures"]["map"] for row in report.document["variants"]}
    assert measures[report.document["best"]] == max(measures.values())
    assert "not the test split" in report.document["tuning"]
    assert "Best on this split" in (report.folder / "report.md").read_text()


def test_texts_of_a_benchmark_are_escaped_in_the_report(tmp_path: Path) -> None:
    rows = rows_of()
    rows[3]["caption"] = "a <b>person</b> in a | red coat ![x](y) falling"
    write_copy(tmp_path / "data", rows)
    report = evaluate_benchmark(compose(), request(tmp_path, variants=("coarse",)))
    text = (report.folder / "report.md").read_text()
    assert "&lt;b&gt;" in text
    assert "<b>" not in text
    assert "![x]" not in text


def test_failures_are_told_apart(tmp_path: Path) -> None:
    rows = rows_of(**{**TWINS, "behavior": [None] * 5})
    for row in rows:
        del row["behavior"]
    rows[2]["caption"] = "a person in a red coat walking"
    write_copy(tmp_path / "data", rows)
    benchmark, lexicon = read_benchmark("pab", tmp_path / "data"), compose().lexicon
    fall, walk = benchmark.queries[3], benchmark.queries[0]
    assert categorize(benchmark, fall, 0, lexicon) == "wrong behavior"  # its twin
    assert categorize(benchmark, fall, 2, lexicon) == "wrong behavior"  # same looks
    assert categorize(benchmark, walk, 2, lexicon) == "unlabeled positive"
    assert categorize(benchmark, walk, 1, lexicon) == "wrong person"


def test_the_failure_sheet_counts_each_category(tmp_path: Path) -> None:
    write_copy(tmp_path / "data", rows_of(**TWINS))
    report = evaluate_benchmark(compose(), request(tmp_path, variants=("coarse",)))
    failures = report.document["failures"]
    assert failures["total"] == 2
    assert failures["by_category"] == {"wrong person": 0, "wrong behavior": 2, "unlabeled positive": 0, "not known": 0}
    assert {row["text"] for row in failures["worst"]} == {TEXTS[3], TEXTS[4]}
    assert all(row["where"].startswith("line ") for row in failures["worst"])


def test_the_challenge_gets_answers_instead_of_figures(tmp_path: Path) -> None:
    write_challenge(tmp_path / "data", json.dumps([TEXTS[1], TEXTS[2]]))
    report = evaluate_benchmark(compose(), request(tmp_path, benchmark="pab-2026", variants=("coarse",)))
    lines = [line.split() for line in (tmp_path / "out/answer.txt").read_text().splitlines()]
    assert [set(line) for line in lines] == [{"g0", "g1", "g2", "g3", "g4"}] * 2
    assert [line[0] for line in lines] == [f"g{PAINTED.index(color)}" for color in ("green", "blue")]
    assert row_of(report, "coarse")["measures"] is None
    assert "answers of this benchmark are not known" in (tmp_path / "out/report.md").read_text()
    (tmp_path / "data/ground_truth.txt").write_text("g4 g1\ng2\n")
    known = evaluate_benchmark(compose(), request(tmp_path, benchmark="pab-2026", variants=("coarse",)))
    assert row_of(known, "coarse")["measures"]["r1"] == 1.0


RUNNER = CliRunner()


def run_command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.setattr("flows.commands.evaluate.compose", lambda profile, settings: compose())
    return RUNNER.invoke(app, ["evaluate", *arguments, "--quiet"])


def test_the_command_prints_the_table_or_one_json_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_copy(tmp_path / "data", rows_of(**TWINS))
    common = ("rendered", "--root", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--variants", "stages")
    plain = run_command(monkeypatch, *common, "--limit", "4")
    assert plain.exit_code == 0, plain.output
    assert "these are rendered and pocket figures" in plain.stdout
    assert "+saliency" in plain.stdout
    assert "4 queries, 5 pictures" in " ".join(plain.stdout.split())
    document = json.loads(run_command(monkeypatch, *common, "--json").stdout)
    assert document["num_queries"] == 5


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["pab", "--root", "missing"], 4), (["pab", "--root", ".", "--variants", "odd"], 4), (["coco", "--root", "."], 2)],
)
def test_what_a_user_gets_wrong_has_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run_command(monkeypatch, *arguments)
    found = result.exception.exit_code if isinstance(result.exception, ArchiveError) else result.exit_code
    assert found == code


def test_the_form_of_the_flow_has_titles_places_and_a_request() -> None:
    schema = evaluate.parameters.model_dump()
    (form,) = [item for name, item in schema["definitions"].items() if name.endswith("Form")]
    places = [field["position"] for field in form["properties"].values()]
    assert len(places) == len(set(places))
    for name, field in form["properties"].items():
        assert {"title", "description"} <= set(field), name
    asked = EvaluateForm(root="data", split="validation", store="store", settings_file="folder/mine.toml").request()
    assert asked.out == Path("store/evaluations/rendered-validation")
    assert (asked.limit, asked.settings_file) == (None, "mine.toml")


def test_the_summary_of_the_flow_shows_the_sheet_and_escapes_what_it_is_given(tmp_path: Path) -> None:
    write_copy(tmp_path / "data", rows_of(**TWINS))
    report = evaluate_benchmark(compose(), request(tmp_path, out=tmp_path / "<out>", variants=("coarse",)))
    summary = write_summary(report)
    assert "data:image/jpeg;base64," in summary
    assert "<out>" not in summary
    assert "pocket figures" in summary


@pytest.mark.parametrize("name", ["plain", "a`b", "``", "`a``b`", "a|b", "*x* <b> [l](u)", "two\nlines", " ", "\\`"])
def test_a_name_in_a_code_span_ends_nothing(name: str) -> None:
    tokens = MarkdownIt("commonmark").parse(f"before {code(name)} after")
    spans = [child.content for token in tokens for child in token.children or () if child.type == "code_inline"]
    assert [span.strip() for span in spans] == [" ".join(name.split())]
    row = MarkdownIt("commonmark").enable("table").parse(f"| a |\n|---|\n| {code(name).replace('|', chr(92) + '|')} |")
    assert [token.type for token in row].count("td_open") == 1


def test_a_picture_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.png"
    cv2.imwrite(str(path), np.zeros((40, 50, 3), np.uint8))
    assert read_picture(path).shape == (40, 50, 3)
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 50_000, 50_000)  # what its header says
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(ArchiveError, match=r"bomb\.png .*more than 100,000,000 pixels"):
        read_picture(path)


def test_a_picture_of_one_pixel_is_read(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "dot.png"), np.zeros((1, 1, 3), np.uint8))
    assert read_picture(tmp_path / "dot.png").shape == (1, 1, 3)
