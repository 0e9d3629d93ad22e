"""The dual encoder's maps and words, the judge's likelihoods."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from anomalylmm.errors import ConfigurationError, JudgeError, WeightsError
from anomalylmm.models.encode.dual_encoder import DualEncoder
from anomalylmm.models.encode.maps import scale_each
from anomalylmm.models.hub.devices import choose_device, choose_dtype
from anomalylmm.models.judge.likelihood import share_beginnings
from anomalylmm.models.judge.transformers_judge import TransformersJudge
from anomalylmm.models.weights import resolve
from tests.adapters import build_dual_encoder, build_judge
from tests.anomalylmm.models import tiny_models
from tests.anomalylmm.models.judge.tiny_judges import SAVERS
from tests.anomalylmm.models.tiny_models import resolved

RNG = np.random.default_rng(1)
PICTURES = [RNG.integers(0, 255, (90 + 5 * n, 60, 3), dtype=np.uint8) for n in range(4)]
PROMPT = "fill blank a man is"
ANSWERS = ["running", "falling down", "lying on the ground", "no"]


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> DualEncoder:
    folder = tiny_models.save_siglip(tmp_path_factory.mktemp("siglip"))
    return build_dual_encoder(resolved(folder, "dual_encoder"), device="cpu")


@pytest.fixture(scope="module", params=[*SAVERS, "pocket"])
def judge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TransformersJudge:
    if request.param == "pocket":
        return build_judge(resolve("pocket/judge", "judge"), device="cpu", max_views=2)
    folder = SAVERS[request.param](tmp_path_factory.mktemp(request.param))
    return build_judge(resolved(folder, "judge"), device="cpu", max_views=2, max_new_tokens=4)


def test_a_pooling_head_that_sees_one_patch_gives_that_patchs_vector(siglip: DualEncoder) -> None:
    tower: Any = siglip._model.vision_model
    hidden = torch.randn(1, 1, 32)
    with torch.inference_mode():
        np.testing.assert_allclose(tower.head(hidden), tower.head(hidden.repeat(1, 5, 1)), atol=1e-5)


def test_texts_of_siglip_are_padded_to_full_length(siglip: DualEncoder) -> None:
    assert siglip._text_options == {"padding": "max_length", "truncation": True, "max_length": 16}


def test_unknown_words_come_from_the_vocabulary_beside_the_weights(tmp_path: Path) -> None:
    folder = tiny_models.save_siglip(tmp_path / "model")
    tiny_models.write_vocabulary(folder, ["a", "man", "RED"])
    encoder = build_dual_encoder(resolved(folder, "dual_encoder"), device="cpu")
    assert encoder.unknown_words("A man, a plan: a Red canal, a plan") == ("plan", "canal")


def test_words_of_other_scripts_and_with_accents_are_named_whole(tmp_path: Path) -> None:
    folder = tiny_models.save_siglip(tmp_path / "model")
    tiny_models.write_vocabulary(folder, ["a", "man"])
    encoder = build_dual_encoder(resolved(folder, "dual_encoder"), device="cpu")
    assert encoder.unknown_words("a man f\u00e4llt, \u7537\u4eba") == ("f\u00e4llt", "\u7537\u4eba")


def test_what_is_too_long_for_the_pocket_encoder_is_told() -> None:
    encoder = build_dual_encoder(resolve("pocket/dual_encoder", "dual_encoder"), device="cpu")
    head = " ".join(["walking"] * 94)  # 96 tokens with the first and the last one
    assert encoder.cut_off(head) == ""
    assert encoder.cut_off(f"{head} then falling") == "then falling"


def test_a_flat_map_is_zero() -> None:
    np.testing.assert_array_equal(scale_each(np.full((1, 2, 2), 3.0, np.float32)), np.zeros((1, 2, 2)))


def test_a_damaged_folder_is_named(tmp_path: Path) -> None:
    folder = tiny_models.save_siglip(tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(WeightsError, match="model"):
        build_dual_encoder(resolved(folder, "dual_encoder"), device="cpu")


def test_missing_tensors_are_not_replaced_by_random_ones(tmp_path: Path) -> None:
    folder = tiny_models.save_siglip(tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    del tensors["vision_model.post_layernorm.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"lacks 1 tensors .*post_layernorm"):
        build_dual_encoder(resolved(folder, "dual_encoder"), device="cpu")


def test_shared_cache_and_full_forward_agree(judge: TransformersJudge) -> None:
    views = [[PICTURES[0]], [PICTURES[1], PICTURES[2]], [PICTURES[3]]]
    shared = judge.score_answers(views, PROMPT, ANSWERS)
    assert judge._scorer.uses_cache
    judge._scorer.uses_cache = False
    full = judge.score_answers(views, PROMPT, ANSWERS)
    judge._scorer.uses_cache = True
    np.testing.assert_allclose(shared, full, atol=1e-3)


def test_many_answers_are_scored_in_pieces(judge: TransformersJudge) -> None:
    whole = judge.score_answers([[PICTURES[0]]], PROMPT, ANSWERS)
    most, judge._scorer._max_rows = judge._scorer._max_rows, 1
    pieces = judge.score_answers([[PICTURES[0]]], PROMPT, ANSWERS)
    judge._scorer._max_rows = most
    np.testing.assert_allclose(whole, pieces, atol=1e-4)


def test_answers_that_begin_alike_are_read_together(judge: TransformersJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["red", "blue", "red, falling", "red, running", "red, lying on the ground", "blue, falling"]
    judge._scorer.uses_cache = False
    full = judge.score_answers([[PICTURES[0]], [PICTURES[3]]], PROMPT, answers)
    judge._scorer.uses_cache = True
    np.testing.assert_allclose(judge.score_answers([[PICTURES[0]], [PICTURES[3]]], PROMPT, answers), full, atol=1e-3)
    assert judge._scorer.uses_cache


def test_what_begins_another_answer_is_read_once() -> None:
    found = share_beginnings([[1], [2], [1, 9, 5], [1, 9, 6, 7], [1, 9, 8], [2, 9, 5]])
    assert {tokens: set(members) for tokens, members in found} == {(1, 9, 6): {2, 3, 4}, (2, 9): {5}}


def test_a_cache_that_cant_be_repeated_is_done_without(
    judge: TransformersJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = judge.score_answers([[PICTURES[0]]], PROMPT, ANSWERS)

    def refuse(*_arguments: object) -> None:
        raise NotImplementedError("no cache")

    monkeypatch.setattr(judge._scorer, "_score_with_cache", refuse)
    np.testing.assert_allclose(judge.score_answers([[PICTURES[0]]], PROMPT, ANSWERS), expected, atol=1e-3)
    assert not judge._scorer.uses_cache
    judge._scorer.uses_cache = True


def test_an_answer_is_at_most_as_likely_as_its_beginning(judge: TransformersJudge) -> None:
    scores = judge.score_answers([[PICTURES[0]]], PROMPT, ["falling", "falling down"])[0]
    assert scores[1] <= scores[0]


def test_the_picture_changes_the_scores(judge: TransformersJudge) -> None:
    scores = judge.score_answers([[PICTURES[0]], [np.zeros_like(PICTURES[0])]], PROMPT, ANSWERS)
    assert np.abs(scores[0] - scores[1]).max() > 1e-5


def test_a_candidate_without_images_is_refused(judge: TransformersJudge) -> None:
    with pytest.raises(JudgeError, match="at least one crop"):
        judge.affirm([[]], PROMPT)


def test_an_empty_answer_is_refused(judge: TransformersJudge) -> None:
    with pytest.raises(JudgeError, match="no token"):
        judge.score_answers([[PICTURES[0]]], PROMPT, [""])


def test_devices_and_types_are_checked() -> None:
    assert choose_dtype("auto", torch.device("cpu")) == torch.float32
    with pytest.raises(ConfigurationError, match="auto, cpu, cuda"):
        choose_device("abacus")
    with pytest.raises(ConfigurationError, match="float32"):
        choose_dtype("float12", torch.device("cpu"))
