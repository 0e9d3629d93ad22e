"""The yes/no re-ranker: its template, its margin, and clozes read by filling them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from anomalylmm.errors import JudgeError
from anomalylmm.models.judge.reranker import INSTRUCTION, SYSTEM, RerankerJudge, fill, unwrap
from anomalylmm.query.masking import mask_query
from anomalylmm.rerank.prompts import (
    AFFIRM_PROMPT,
    FACET_PROMPT,
    layout_answers,
    write_affirm_prompt,
    write_cloze_prompt,
)
from anomalylmm.rerank.stages import Adjudicator
from tests.adapters import build_lmm_encoder, build_reranker
from tests.anomalylmm.models.tiny_models import resolved
from tests.anomalylmm.models.tiny_qwen import save_qwen3_vl
from tests.anomalylmm.scripted import LEXICON, candidate_of, query_of

RNG = np.random.default_rng(2)
VIEWS = [[RNG.integers(0, 255, (40, 30, 3), dtype=np.uint8)] for _ in range(3)]
CLOZE = mask_query("a man in a red coat is falling", LEXICON)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> RerankerJudge:
    return build_reranker(resolved(save_qwen3_vl(tmp_path_factory.mktemp("qwen")), "judge"), device="cpu", max_views=2)


def test_the_models_own_template_is_filled_with_the_sentence_and_the_views(judge: RerankerJudge) -> None:
    image = "<|vision_start|><|image_pad|><|vision_end|>"
    assert judge._chat.prompt_text(2, "a man is falling") == (
        f"<|im_start|>system\n{SYSTEM}<|im_end|>\n"
        f"<|im_start|>user\n<Instruct>: {INSTRUCTION}<Query>:a man is falling\n<Document>:{image}{image}<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_the_margin_is_that_of_the_two_tokens_at_the_last_position(judge: RerankerJudge) -> None:
    inputs = judge._chat.inputs_of(VIEWS[0], "a man is falling")
    yes, no = judge._chat.tokenizer.convert_tokens_to_ids(["yes", "no"])
    with torch.inference_mode():
        logits = judge._model(**inputs).logits[0, -1]
    margin = judge.affirm(VIEWS[:1], write_affirm_prompt("a man is falling"))
    np.testing.assert_allclose(margin, [float(logits[yes] - logits[no])], atol=1e-5)


def test_an_answer_is_scored_as_the_probability_of_yes_to_the_filled_cloze(judge: RerankerJudge) -> None:
    answers = layout_answers(CLOZE).answers
    scores = judge.score_answers(VIEWS, write_cloze_prompt(CLOZE), answers)
    margins = judge.affirm(VIEWS, "a man in a red coat is falling")
    whole = answers.index("red, falling")
    np.testing.assert_allclose(scores[:, answers.index("red")], scores[:, whole], atol=1e-6)
    np.testing.assert_allclose(scores[:, whole], np.log(1 / (1 + np.exp(-margins))), atol=1e-5)
    assert scores.shape == (3, len(answers))


def test_blanks_are_filled_in_order_and_other_answers_go_behind_the_sentence() -> None:
    prompt = write_cloze_prompt(CLOZE)
    assert fill(prompt, "blue, lying on the ground") == "a man in a blue coat is lying on the ground"
    assert fill("a man is [MASK]", "falling") == "a man is falling"
    assert fill("a man is", "falling") == "a man is falling"
    assert fill(prompt, "blue").endswith("[MASK] blue")
    assert fill(prompt, "blue", "red, falling") == "a man in a blue coat is falling"


def test_sentences_are_taken_out_of_the_production_prompts() -> None:
    templates = (AFFIRM_PROMPT, FACET_PROMPT)
    assert unwrap(AFFIRM_PROMPT.format(text="a man: falling"), *templates) == "a man: falling"
    assert unwrap(FACET_PROMPT.format(facet="a person in red"), *templates) == "a person in red"
    assert unwrap("a man is falling", *templates) == "a man is falling"


def test_it_writes_unknown_for_each_blank(judge: RerankerJudge) -> None:
    assert judge.complete(VIEWS[:1], write_cloze_prompt(CLOZE)) == ["UNKNOWN, UNKNOWN"]


def test_a_vocabulary_without_yes_and_no_is_refused(judge: RerankerJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge._chat.tokenizer, "get_vocab", lambda: {"maybe": 1})
    with pytest.raises(JudgeError, match="no tokens for yes and no"):
        judge.affirm(VIEWS, "a man")


def test_the_pixels_it_is_shown_can_be_limited(tmp_path: Path) -> None:
    weights = resolved(save_qwen3_vl(tmp_path / "qwen"), "judge")
    small = build_reranker(weights, device="cpu", max_pixels=300)
    assert small.judge_id == f"{weights.model_id}@300px"
    assert small._chat.inputs_of(VIEWS[0], "a")["image_grid_thw"].prod().item() * 16 <= 300


def test_the_three_stages_run_on_it_with_an_embedding_lmms_maps(judge: RerankerJudge, tmp_path: Path) -> None:
    mapper = build_lmm_encoder(resolved(save_qwen3_vl(tmp_path / "qwen"), "dual_encoder"), device="cpu")
    judged = Adjudicator(judge, LEXICON, mapper=mapper).adjudicate(
        query_of("a man in a red coat is falling"), [candidate_of(rank, rank + 1) for rank in range(2)]
    )
    verdicts = [ranked.verdict for ranked in judged.ranked]
    assert all(verdict and len(verdict.slots) == 2 and 0 < verdict.affirm < 1 for verdict in verdicts)
    assert not any("not judged" in verdict.reason for verdict in verdicts if verdict)
