"""Where a judge looks: gradients of its own yes, in every family."""

from pathlib import Path

import numpy as np
import pytest
import torch

from anomalylmm.errors import ConfigurationError
from anomalylmm.models.judge.relevance import image_token
from anomalylmm.models.judge.transformers_judge import TransformersJudge
from anomalylmm.models.weights import resolve
from tests.adapters import build_judge, build_reranker
from tests.anomalylmm.models.judge.tiny_judges import SAVERS
from tests.anomalylmm.models.tiny_models import resolved
from tests.anomalylmm.models.tiny_qwen import save_qwen3_vl

RNG = np.random.default_rng(4)
SQUARE, WIDE = (RNG.integers(0, 255, (64, side, 3), dtype=np.uint8) for side in (64, 128))


@pytest.fixture(scope="module")
def pocket() -> TransformersJudge:
    return build_judge(resolve("pocket/judge", "judge"), device="cpu")


@pytest.mark.parametrize("family", SAVERS)
def test_every_family_shows_where_it_looks(family: str, tmp_path: Path) -> None:
    judge = build_judge(resolved(SAVERS[family](tmp_path / family), "judge"), device="cpu")
    maps = judge.build_mapper().patch_maps([SQUARE, WIDE], "a man is running")
    assert maps.ndim == 3
    assert maps.shape[0] == 2
    assert maps.min() >= 0
    assert maps.max() <= 1
    assert np.isfinite(maps).all()


def test_a_map_is_of_the_picture_and_the_text(pocket: TransformersJudge) -> None:
    mapper = pocket.build_mapper()
    falls, walks = (mapper.patch_maps([SQUARE], text)[0] for text in ("a person falling", "a person walking"))
    assert falls.shape == (8, 8)
    assert not np.allclose(falls, walks)
    assert not np.allclose(falls, mapper.patch_maps([np.ascontiguousarray(SQUARE[::-1])], "a person falling")[0])
    assert mapper.patch_maps([], "a person falling").shape == (0, 1, 1)


def test_relevance_is_the_slope_of_the_margin_along_what_sets_a_token_apart(pocket: TransformersJudge) -> None:
    prompt = "Does this picture show a man? yes or no"
    inputs = pocket._chat.inputs_of([SQUARE], prompt)
    relevance = pocket.build_mapper()._relevance(inputs, *pocket._yes_no_ids(prompt))
    places = (inputs["input_ids"][0] == image_token(pocket._model)).nonzero()[:, 0]
    assert relevance.shape == places.shape
    number, step = int(relevance.abs().argmax()), 1e-2
    margins = [_margin_of_moved(pocket, inputs, prompt, places, number, sign * step) for sign in (1, -1)]
    assert (margins[0] - margins[1]) / (2 * step) == pytest.approx(float(relevance[number]), rel=0.05)


def _margin_of_moved(judge: TransformersJudge, inputs, prompt: str, places, number: int, step: float) -> float:
    def move(_, args, given):
        changed = given["inputs_embeds"].clone()
        tokens = changed[0, places]
        changed[0, places[number]] += step * (tokens[number] - tokens.mean(0))
        return args, {**given, "inputs_embeds": changed}

    yes, no = judge._yes_no_ids(prompt)
    hook = judge._model.get_decoder().register_forward_pre_hook(move, with_kwargs=True)
    try:
        with torch.inference_mode():
            logits = judge._model(**inputs, use_cache=False).logits[0, -1].float()
    finally:
        hook.remove()
    return float(logits[yes].amax() - logits[no].amax())


def test_the_judge_answers_as_before(pocket: TransformersJudge) -> None:
    before = pocket.affirm([[SQUARE]], "a man is running")
    pocket.build_mapper().patch_maps([SQUARE], "a man is running")
    np.testing.assert_array_equal(pocket.affirm([[SQUARE]], "a man is running"), before)


def test_a_reranker_shows_where_too(tmp_path: Path) -> None:
    judge = build_reranker(resolved(save_qwen3_vl(tmp_path / "qwen"), "judge"), device="cpu")
    assert judge.build_mapper().patch_maps([WIDE], "a man is running").shape[0] == 1


def test_tokens_in_no_known_layout_are_refused(pocket: TransformersJudge) -> None:
    mapper = pocket.build_mapper()
    with pytest.raises(ConfigurationError, match="60 tokens of a picture"):
        mapper._grid({}, 60)
