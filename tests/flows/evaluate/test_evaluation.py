"""An evaluation with stand-in models: figures against a slow reference, ablation, resuming."""

import json
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from anomalylmm.errors import ArchiveError, ConfigurationError, JudgeError, StoreError
from anomalylmm.protocols import Views
from anomalylmm.query.masking import mask_query, paraphrases
from anomalylmm.rerank.score import DEFAULT, PAPER, RerankSettings
from flows.evaluate import running
from flows.evaluate.ablation.ablation import run_ablation
from flows.evaluate.ablation.costs import AnswerCache, OneQueryMapper, Spent
from flows.evaluate.ablation.variants import choose_variants, list_variants
from flows.evaluate.benchmark.files import read_benchmark
from flows.evaluate.report.document import summarize
from flows.evaluate.running import evaluate_benchmark
from flows.runs.progress import Silence
from flows.settings.model import load_settings
from tests.fakes import ColorEncoder, main_color
from tests.flows.evaluate.benchmark_copies import rows_of, write_copy
from tests.flows.evaluate.evaluation_fakes import TWINS, Fakes, FallJudge, compose, request, row_of


@pytest.fixture(autouse=True)
def _no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the plots, which are slow to draw; one test draws them."""
    for name in ("draw_ablation", "draw_cost"):
        monkeypatch.setattr(running, name, lambda figures, title: b"")


def slow_measures(root: Path, queries: Sequence[tuple[str, set[int]]], pictures: Sequence[str]) -> dict[str, float]:
    """Computes what the coarse order gives by plain loops over cosines."""
    composition = compose()
    vectors = []
    for name in pictures:
        picture = cv2.imread(str(root / name))
        assert picture is not None
        vector = [*main_color(np.asarray(picture[:, :, ::-1], np.uint8)), 20.0]
        vectors.append([value / sum(item * item for item in vector) ** 0.5 for value in vector])
    totals = dict.fromkeys(("r1", "r5", "r10", "map", "map10"), 0.0)
    for text, positives in queries:
        views = [text, *paraphrases(mask_query(text, composition.lexicon), composition.lexicon)]
        texts = ColorEncoder().encode_texts(views).mean(axis=0).tolist()
        cosines = [sum(a * b for a, b in zip(texts, vector, strict=True)) for vector in vectors]
        order = sorted(range(len(cosines)), key=lambda place: (-round(cosines[place], 6), place))
        hits = [rank for rank, place in enumerate(order, 1) if place in positives]
        for k in (1, 5, 10):
            totals[f"r{k}"] += hits[0] <= k
        totals["map"] += sum(n / rank for n, rank in enumerate(hits, 1)) / len(positives)
        inside = [rank for rank in hits if rank <= 10]
        totals["map10"] += sum(n / rank for n, rank in enumerate(inside, 1)) / min(10, len(positives))
    return {name: total / len(queries) for name, total in totals.items()}


def as_lines(rows: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


LAYOUTS: dict[str, Callable[[list[dict[str, Any]]], str]] = {
    "lines": as_lines,
    "list": json.dumps,
    "strings": lambda rows: as_lines([{**row, "image_id": str(row["image_id"])} for row in rows]),
    "caption lists": lambda rows: as_lines([{**row, "caption": [row["caption"]]} for row in rows]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("file", ["attr.json", "pair.json", "ucc.json"])
def test_each_layout_gives_the_metrics_of_a_slow_reference(tmp_path: Path, layout: str, file: str) -> None:
    rows = rows_of()
    name = "ucc" if file == "ucc.json" else "pab"
    if name == "ucc":
        for row, image_id in zip(rows, (7, 8, 9, 7, 8), strict=True):
            row["image_id"] = image_id
    written = write_copy(tmp_path / "data", rows)
    written.unlink()
    (written.parent / file).write_text(LAYOUTS[layout](rows))
    benchmark = read_benchmark(name, tmp_path / "data")  # type: ignore[arg-type]
    variants = choose_variants(DEFAULT, ["coarse"])
    (coarse,) = summarize(run_ablation(compose(), benchmark, variants, tmp_path, Silence()))
    ids = [row["image_id"] for row in rows]
    queries = [(row["caption"], {p for p, other in enumerate(ids) if other == row["image_id"]}) for row in rows]
    expected = slow_measures(tmp_path / "data", queries, [row["image"] for row in rows])
    assert coarse["measures"] is not None
    assert {key: coarse["measures"][key] for key in expected} == pytest.approx(expected)
    assert 0 < expected["map"] <= 1
    assert coarse["measures"]["num_queries"] == 5


def test_the_judge_brings_falls_forward_and_the_paired_difference_says_so(tmp_path: Path) -> None:
    write_copy(tmp_path / "data", rows_of(**TWINS))
    report = evaluate_benchmark(compose(), request(tmp_path, variants=("profile", "slots")))
    coarse, profile = row_of(report, "coarse"), row_of(report, "profile")
    assert coarse["measures"]["r1"] == pytest.approx(3 / 5)  # the walkers, who come first of their color
    assert profile["measures"]["r1"] > coarse["measures"]["r1"]
    difference = profile["difference_from_coarse"]["r1"]
    assert difference["mean"] == pytest.approx(profile["measures"]["r1"] - coarse["measures"]["r1"])
    assert difference["low"] <= difference["mean"] <= difference["high"]
    assert coarse["difference_from_coarse"] == {}
    assert coarse["twin_confusion"] == {"num_errors": 2, "num_twins": 2, "share": 1.0}
    assert coarse["cost"]["questions"] == 0
    assert profile["cost"]["questions"] > 0
    color = row_of(report, "slots=color")["measures"]
    assert color["r1"] <= profile["measures"]["r1"]


def test_all_variants_of_the_brief_are_there_and_equal_ones_are_computed_once(tmp_path: Path) -> None:
    write_copy(tmp_path / "data")
    composition = compose()
    report = evaluate_benchmark(composition, request(tmp_path))
    names = [row["name"] for row in report.document["variants"]]
    assert {
        "coarse",
        "cloze",
        "+saliency",
        "+affirm",
        "profile",
        "default",
        "paper",
        "N=3",
        "N=5",
        "N=10",
        "N=20",
        "slots=action",
        "slots=color",
        "slots=both",
    } <= set(names)
    assert len(names) == len(set(names))
    profile, both, ten = (row_of(report, name) for name in ("profile", "slots=both", "N=10"))
    for other in (both, ten):
        assert (other["measures"], other["cost"]) == (profile["measures"], profile["cost"])
    assert row_of(report, "paper")["settings"]["top_n"] == 3
    assert row_of(report, "paper")["settings"]["reading"] == "generate"


def test_later_stages_are_added_where_the_settings_have_them() -> None:
    known = {item.name for item in fields(RerankSettings)}
    names = {variant.name: variant for variant in list_variants(DEFAULT)}
    for stage in ("facets", "pairwise", "gate", "same"):
        assert (f"+{stage}" in names) == (stage in known or stage == "same")
    assert (names["+gate"].settings.same_cosine, names["+same"].settings.same_cosine) == (0, 0.98)  # type: ignore[union-attr]
    assert [names[name].settings.saliency for name in ("cloze", "+saliency")] == [False, True]  # type: ignore[union-attr]
    assert names["+saliency"].settings.affirm_weight == 0  # type: ignore[union-attr]
    assert names["+affirm"].settings.affirm_weight == DEFAULT.affirm_weight  # type: ignore[union-attr]
    assert names["paper"].settings == replace(PAPER, batch_size=DEFAULT.batch_size)


def test_variants_are_chosen_by_name_or_group_and_a_wrong_one_is_named() -> None:
    assert [item.name for item in choose_variants(DEFAULT, ["N=5", "slots"])] == [
        "coarse",
        "N=5",
        "slots=action",
        "slots=color",
        "slots=both",
    ]
    with pytest.raises(ConfigurationError, match=r"N=4.*stages"):
        choose_variants(DEFAULT, ["N=4"])


def test_an_interrupted_evaluation_goes_on_where_it_was_and_gives_the_same(tmp_path: Path) -> None:
    write_copy(tmp_path / "data", rows_of(**TWINS))
    whole = compose()
    few = ("cloze", "N=3", "profile")
    expected = evaluate_benchmark(whole, request(tmp_path, out=tmp_path / "whole", variants=few))
    stopped = compose()
    stopped.judge.stops_after = whole.judge.calls // 2
    with pytest.raises(KeyboardInterrupt):
        evaluate_benchmark(stopped, request(tmp_path, variants=few))
    assert not (tmp_path / "out" / "report.json").exists()
    resumed = compose()
    report = evaluate_benchmark(resumed, request(tmp_path, variants=few))
    assert 0 < resumed.judge.calls <= whole.judge.calls - stopped.judge.stops_after
    assert resumed.encoder.num_encoded == 0
    for row, other in zip(report.document["variants"], expected.document["variants"], strict=True):
        assert row["measures"] == other["measures"]
        assert row["cost"]["questions"] == other["cost"]["questions"]


def test_a_second_run_asks_and_encodes_nothing(tmp_path: Path) -> None:
    write_copy(tmp_path / "data")
    first = evaluate_benchmark(compose(), request(tmp_path, variants=("profile",)))
    again = compose()
    report = evaluate_benchmark(again, request(tmp_path, variants=("profile",)))
    assert (again.judge.calls, again.encoder.num_encoded) == (0, 0)
    ours, before = row_of(report, "profile"), row_of(first, "profile")
    assert (ours["measures"], ours["cost"]["questions"]) == (before["measures"], before["cost"]["questions"])


def test_a_changed_text_is_asked_anew(tmp_path: Path) -> None:
    write_copy(tmp_path / "data")
    evaluate_benchmark(compose(), request(tmp_path, variants=("profile",)))
    rows = rows_of()
    rows[0]["caption"] = "a person in a red coat running"
    write_copy(tmp_path / "data", rows)
    again = compose()
    evaluate_benchmark(again, request(tmp_path, variants=("profile",)))
    assert again.judge.calls > 0


def test_a_judge_that_fails_is_an_error_and_leaves_nothing_half_judged(tmp_path: Path) -> None:
    write_copy(tmp_path / "data")
    composition = compose()
    composition.judge.fails = True
    with pytest.raises(JudgeError, match="anomalylmm doctor"):
        evaluate_benchmark(composition, request(tmp_path, variants=("N=3",)))
    mended = compose()
    report = evaluate_benchmark(mended, request(tmp_path, variants=("N=3",)))
    assert report.state == "Completed"


def test_a_damaged_picture_and_a_damaged_cache_say_what_to_do(tmp_path: Path) -> None:
    write_copy(tmp_path / "data")
    (tmp_path / "data/test/2.jpg").write_bytes(b"no picture")
    with pytest.raises(ArchiveError, match=r"test/2\.jpg is not a picture"):
        evaluate_benchmark(compose(), request(tmp_path))
    (tmp_path / "answers.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="remove the file"):
        AnswerCache(tmp_path / "answers.sqlite")


def test_answers_are_kept_from_one_process_to_the_next(tmp_path: Path) -> None:
    with AnswerCache(tmp_path / "a.sqlite") as cache:
        cache.put_many({"k": {"answer": "red", "log_scores": [-1.5]}})
    with AnswerCache(tmp_path / "a.sqlite") as cache:
        assert cache.get_many(["k", "other"]) == {"k": {"answer": "red", "log_scores": [-1.5]}}


def test_a_reranker_is_not_asked_to_write(tmp_path: Path) -> None:
    write_copy(tmp_path / "data")
    settings = load_settings("pocket", environment={})
    judge = settings.judge.model_copy(update={"family": "reranker"})
    composition = Fakes(settings.model_copy(update={"judge": judge}))
    names = {row["name"] for row in evaluate_benchmark(composition, request(tmp_path)).document["variants"]}
    assert "paper" not in names
    assert {"coarse", "cloze", "profile", "N=20"} <= names


def test_what_a_variant_shares_with_others_counts_with_its_first_cost(tmp_path: Path) -> None:
    spent = iter([Spent(seconds=2.0, tokens=60), Spent(), Spent(), Spent()])
    with AnswerCache(tmp_path / "a.sqlite", lambda: next(spent)) as cache:
        cache.put_many({"a": {}, "b": {}})
        assert cache.take_spent() == Spent(seconds=2.0, tokens=60)
        cache.get_many(["a"])
        assert cache.take_spent() == Spent(seconds=1.0, tokens=30)
    mapper = OneQueryMapper(ColorEncoder())
    image = np.zeros((8, 8, 3), np.uint8)
    first = mapper.patch_maps([image], "a person falling")
    cost = mapper.take_seconds()
    assert np.array_equal(mapper.patch_maps([image], "a person falling"), first)
    assert mapper.take_seconds() == cost > 0


def test_near_identical_pictures_share_a_judgement_as_in_a_sweep(tmp_path: Path) -> None:
    write_copy(tmp_path / "data")
    report = evaluate_benchmark(compose(), request(tmp_path, variants=("+facets", "+same")))
    apart, shared = (row_of(report, name)["cost"]["questions"] for name in ("+facets", "+same"))
    assert 0 < shared < apart  # the stand-in encoder sees colors alone, so pictures of one color are the same to it


class _Counting(FallJudge):
    num_tokens = 0

    def score_answers(self, views: Sequence[Views], prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        self.num_tokens += 7 * len(views)
        return super().score_answers(views, prompt, answers)


def test_tokens_are_counted_where_the_judge_counts_them(tmp_path: Path) -> None:
    write_copy(tmp_path / "data")
    silent = evaluate_benchmark(compose(), request(tmp_path, out=tmp_path / "silent", variants=("cloze",)))
    assert row_of(silent, "cloze")["cost"]["tokens"] is None
    composition = compose()
    composition.__dict__["judge"] = _Counting()
    counted = evaluate_benchmark(composition, request(tmp_path, out=tmp_path / "counted", variants=("cloze",)))
    cost = row_of(counted, "cloze")["cost"]
    assert cost["tokens"] == 7 * len(rows_of())  # of each query, one picture after the other
