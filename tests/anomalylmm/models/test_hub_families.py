"""The adapters with each family's real settings: pixels, tiles, tokens, templates and where answers stand.

``hub_folders.py`` names the public sources of the settings.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from anomalylmm.errors import WeightsError
from anomalylmm.models.encode.dual_encoder import DualEncoder
from anomalylmm.models.encode.lmm_encoder import LmmEncoder
from anomalylmm.models.judge.reranker import RerankerJudge
from anomalylmm.models.judge.transformers_judge import TransformersJudge
from anomalylmm.models.weights import WeightsKind
from anomalylmm.records import Clip
from anomalylmm.rerank.looks import thin
from anomalylmm.rerank.prompts import DESCRIBE_PROMPT
from anomalylmm.rerank.score import RerankSettings
from anomalylmm.rerank.stages import Adjudicator
from flows.settings.model import load_settings
from tests.adapters import build_dual_encoder, build_judge, build_lmm_encoder, build_reranker
from tests.anomalylmm.models import hub_folders
from tests.anomalylmm.models.tiny_models import resolved
from tests.anomalylmm.scripted import LEXICON, candidate_of, query_of
from tests.fakes import ColorEncoder

RNG = np.random.default_rng(4)
TALL = RNG.integers(0, 255, (200, 90, 3), dtype=np.uint8)  # a person, as crops are
LARGE = RNG.integers(0, 255, (1100, 700, 3), dtype=np.uint8)
ANSWERS = ["falling", "running", "falling down"]
SAVERS: dict[str, Callable[[Path], Path]] = {
    "smolvlm2": hub_folders.save_smolvlm2,
    "qwen3_vl": hub_folders.save_qwen3_vl,
    "internvl3": hub_folders.save_internvl3,
}
LEADS = {"smolvlm2": " ", "qwen3_vl": "", "internvl3": ""}  # what stands between "Assistant:" and the answer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the folder of a family, written at its first use."""
    root = tmp_path_factory.mktemp("hub")

    def find(name: str) -> Path:
        path = root / name
        return path if path.exists() else SAVERS[name](path)

    return find


@pytest.fixture(scope="module", params=list(SAVERS))
def judge(request: pytest.FixtureRequest, folder: Callable[[str], Path]) -> TransformersJudge:
    return build_judge(resolved(folder(request.param), "judge"), max_pixels=512 * 512, max_new_tokens=4)


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> DualEncoder:
    folder = hub_folders.save_siglip2(tmp_path_factory.mktemp("hub") / "siglip2")
    return build_dual_encoder(resolved(folder, "dual_encoder"))


def open_qwen_kin(root: Path, kind: WeightsKind) -> Any:
    """Opens an embedder or re-ranker, whose images may be smaller than Qwen3-VL's (preprocessor_config.json)."""
    folder = hub_folders.save_qwen3_vl(root / "kin", least_pixels=4096, most_pixels=1310720)
    build = build_lmm_encoder if kind == "dual_encoder" else build_reranker
    return build(resolved(folder, kind))


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> LmmEncoder:
    return open_qwen_kin(tmp_path_factory.mktemp("embedder"), "dual_encoder")


@pytest.fixture(scope="module")
def reranker(tmp_path_factory: pytest.TempPathFactory) -> RerankerJudge:
    return open_qwen_kin(tmp_path_factory.mktemp("reranker"), "judge")


def count_image_tokens(judge: TransformersJudge, view: Any) -> int:
    """Tokens that the language model reads of one picture."""
    ids = judge._chat.inputs_of([view], "Is it?")["input_ids"]
    return int((ids == judge._model.config.image_token_id).sum())


def test_siglip_2_reads_texts_in_lower_case_padded_to_64_tokens(
    siglip: DualEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was trained so (transformers pull request 43101), and its hub folder's tokenizer class keeps capitals."""
    seen: list[dict[str, torch.Tensor]] = []
    encode = siglip._model.get_text_features
    monkeypatch.setattr(siglip._model, "get_text_features", lambda **given: seen.append(given) or encode(**given))
    vectors = siglip.encode_texts(["A Man in Red", "a man in red"])
    assert list(seen[0]) == ["input_ids"]
    assert seen[0]["input_ids"].shape == (2, 64)
    assert seen[0]["input_ids"][0, len("a man in red") :].tolist() == [1] + [0] * 51  # the end, then padding
    np.testing.assert_array_equal(vectors[0], vectors[1])


def test_siglip_2_tells_what_it_cuts_off_as_it_was_written(siglip: DualEncoder) -> None:
    text = "A man WALKING in the street, then along the wall, then FALLING Over"
    assert siglip.cut_off(text) == text[63:]
    assert siglip.cut_off(text[:63]) == ""
    ids = siglip._processor.tokenizer([siglip._written(text)], **siglip._text_options)["input_ids"][0]
    assert (len(ids), ids[-1]) == (64, 1)


def test_siglip_2_sees_squares_of_256_pixels_as_16_by_16_patches(siglip: DualEncoder) -> None:
    pixels = siglip._processor.image_processor(images=[TALL], return_tensors="pt")["pixel_values"]
    assert pixels.shape == (1, 3, 256, 256)
    assert -1 <= pixels.min() < -0.9 < 0.9 < pixels.max() <= 1
    assert siglip.patch_maps([TALL], "a man").shape == (1, 16, 16)


def test_a_library_that_a_tokenizer_lacks_is_named(tmp_path: Path) -> None:
    folder = hub_folders.save_siglip2(tmp_path / "siglip")
    config = folder / "tokenizer_config.json"
    config.write_text(config.read_text(encoding="utf-8").replace("GemmaTokenizer", "SiglipTokenizer"), encoding="utf-8")
    with pytest.raises(WeightsError, match=r"a library that is not installed: .*SentencePiece"):
        build_dual_encoder(resolved(folder, "dual_encoder"))


def test_an_answer_stands_where_the_template_puts_it(judge: TransformersJudge) -> None:
    """What is scored is what the model would read of the whole conversation."""
    asked = judge._chat._messages([{"type": "image"}], "a man is")
    answer = {"role": "assistant", "content": [{"type": "text", "text": "falling"}]}
    whole = judge._chat._processor.apply_chat_template([*asked, answer], tokenize=False)
    read = judge._chat._processor(text=[whole], images=[[TALL]], return_tensors="pt")["input_ids"][0].tolist()
    question = judge._chat.inputs_of([TALL], "a man is")["input_ids"][0].tolist()
    tokens = judge._chat.answer_ids("a man is", "falling")
    assert read[: len(question) + len(tokens)] == question + tokens


def test_an_answer_begins_as_the_family_writes_it(judge: TransformersJudge, request: pytest.FixtureRequest) -> None:
    lead = LEADS[request.node.callspec.params["judge"]]
    assert judge._chat._lead == lead
    yes, no = judge._yes_no_ids("Is it?")
    ids = judge._chat.tokenizer.convert_tokens_to_ids
    assert sorted(yes) == sorted(ids(["yes", "Yes", "\u0120yes", "\u0120Yes"]))
    assert sorted(no) == sorted(ids(["no", "No", "\u0120no", "\u0120No"]))
    assert judge._chat.answer_ids("Is it?", "yes") == [ids(lead.replace(" ", "\u0120") + "yes")]


def test_shared_cache_and_full_forward_agree_with_real_positions(judge: TransformersJudge) -> None:
    views = [[TALL], [TALL, LARGE]]
    shared = judge.score_answers(views, "a man is", ANSWERS)
    assert judge._scorer.uses_cache
    judge._scorer.uses_cache = False
    full = judge.score_answers(views, "a man is", ANSWERS)
    judge._scorer.uses_cache = True
    np.testing.assert_allclose(shared, full, atol=1e-3)


def test_smolvlm_2_cuts_a_crop_into_tiles_of_512_pixels_and_adds_the_whole(folder: Callable[[str], Path]) -> None:
    judge = build_judge(resolved(folder("smolvlm2"), "judge"))
    inputs = judge._chat.inputs_of([TALL], "Is it?")
    assert inputs["pixel_values"].shape == (1, 9, 3, 512, 512)  # 200 x 90 becomes 2048 x 1024
    assert count_image_tokens(judge, TALL) == 9 * 64
    ids = inputs["input_ids"][0].tolist()
    rows = [
        judge._chat.tokenizer.convert_tokens_to_ids(f"<row_{row}_col_{column}>") for row, column in ((1, 1), (4, 2))
    ]
    assert [ids.count(token) for token in (*rows, 49152)] == [1, 1, 1]
    assert ids.index(49152) > ids.index(rows[1])  # the whole picture comes last
    assert judge.build_mapper()._grid(inputs, 9 * 64) == (8, 8)


def test_the_profile_for_a_cpu_shows_its_judge_one_tile(folder: Callable[[str], Path]) -> None:
    limit = load_settings("cpu", environment={}).judge.max_pixels
    judge = build_judge(resolved(folder("smolvlm2"), "judge"), max_pixels=limit)
    assert judge._chat.inputs_of([LARGE], "Is it?")["pixel_values"].shape == (1, 1, 3, 512, 512)
    assert count_image_tokens(judge, LARGE) == 64


def test_qwen3_vl_enlarges_small_pictures_and_can_be_limited(folder: Callable[[str], Path]) -> None:
    weights = resolved(folder("qwen3_vl"), "judge")
    judge = build_judge(weights)
    assert count_image_tokens(judge, TALL) == 12 * 6  # 384 x 192 pixels, at least 65,536; 32 x 32 a token
    assert count_image_tokens(judge, LARGE) == 34 * 22
    limited = build_judge(weights, max_pixels=40_000)
    assert count_image_tokens(limited, LARGE) * 32 * 32 <= 40_000
    assert limited._chat.prompt_text(1, "Is it?") == (
        "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Is it?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_internvl_3_cuts_tiles_whatever_its_image_processor_says(folder: Callable[[str], Path]) -> None:
    """Its folder says crop_to_patches = false, but its processor's class insists (processing_internvl.py)."""
    weights = resolved(folder("internvl3"), "judge")
    judge = build_judge(weights)
    assert count_image_tokens(judge, TALL) == 3 * 256  # two tiles and the whole picture
    assert judge.build_mapper()._grid(judge._chat.inputs_of([TALL], "Is it?"), 3 * 256) == (16, 16)
    assert count_image_tokens(build_judge(weights, max_pixels=512 * 512), LARGE) == 256


def test_a_thought_that_a_template_opens_is_closed(tmp_path: Path) -> None:
    """Qwen3-VL's Thinking models: the answer would else begin with a thought, and no word of it be yes or no."""
    folder = hub_folders.save_qwen3_vl(tmp_path / "thinking")
    template = folder / "chat_template.jinja"
    opened = hub_folders.QWEN_TEMPLATE.strip().replace(
        "assistant\\n' }}{%- endif", "assistant\\n<think>\\n' }}{%- endif"
    )
    template.write_text(opened, encoding="utf-8")
    judge = build_judge(resolved(folder, "judge"))
    assert judge._chat.prompt_text(0, "Is it?").endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert len(judge._chat.answer_ids("Is it?", "yes")) == 1


def test_the_embedder_pools_the_newline_after_the_opened_answer(embedder: LmmEncoder) -> None:
    """As scripts/qwen3_vl_embedding.py of Qwen/Qwen3-VL-Embedding does: padded right, the last token that is none."""
    inputs = embedder._image_inputs([TALL, TALL[:100]])
    lengths = inputs["attention_mask"].sum(1).tolist()
    newline = embedder._processor.tokenizer("\n")["input_ids"]
    assert [inputs["input_ids"][row, length - 1].item() for row, length in enumerate(lengths)] == newline * 2
    assert inputs["input_ids"][1, lengths[1] :].unique().tolist() == [151643]
    alone = np.concatenate([embedder.encode_images([view]) for view in (TALL, TALL[:100])])
    np.testing.assert_allclose(embedder.encode_images([TALL, TALL[:100]]), alone, atol=1e-4)


def test_the_embedder_does_not_enlarge_small_pictures(embedder: LmmEncoder) -> None:
    assert embedder._image_inputs([TALL])["image_grid_thw"].tolist() == [[1, 12, 6]]  # 192 x 96 pixels
    assert embedder.patch_maps([TALL], "a man").shape == (1, 6, 3)


def test_the_embedder_cuts_long_texts_between_letters(embedder: LmmEncoder) -> None:
    text = "\u7537\u4eba" * 200  # three tokens a letter
    kept = len(text) - len(embedder.cut_off(text))
    assert kept == -(-512 // 3)
    np.testing.assert_allclose(embedder.encode_texts([text]), embedder.encode_texts([text[:kept]]), atol=1e-6)


def test_the_reranker_asks_as_its_servers_template_does(reranker: RerankerJudge) -> None:
    """The template is vLLM's examples/pooling/score/template/qwen3_vl_reranker.jinja, here filled in."""
    assert reranker._chat.prompt_text(1, "a man is falling") == (
        "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
        'provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
        "<Instruct>: Given a search query, retrieve relevant candidates that answer the query."
        "<Query>:a man is falling\n<Document>:<|vision_start|><|image_pad|><|vision_end|><|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_the_rerankers_margin_is_the_last_state_along_yes_minus_no(reranker: RerankerJudge) -> None:
    """As scripts/qwen3_vl_reranker.py of Qwen/Qwen3-VL-Reranker does, with the lower-case tokens alone."""
    inputs = reranker._chat.inputs_of([TALL], "a man is falling")
    yes, no = reranker._chat.tokenizer.convert_tokens_to_ids(["yes", "no"])
    head = reranker._model.lm_head.weight
    with torch.inference_mode():
        state = reranker._model.model(**inputs).last_hidden_state[0, -1]
        expected = float(state @ (head[yes] - head[no]))
    np.testing.assert_allclose(reranker.affirm([[TALL]], "a man is falling"), [expected], atol=1e-4)


def test_a_family_is_shown_the_whole_moment_to_describe_it(
    judge: TransformersJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, torch.Tensor]] = []
    monkeypatch.setattr(judge, "_generate", lambda inputs: seen.append(inputs) or ["A man falls."])
    clip = Clip([TALL, TALL[:, ::-1].copy()], (1.0, 1.5))
    settings = RerankSettings(affirm_weight=0.0, focus=False, description_weight=1.0)
    adjudicator = Adjudicator(judge, LEXICON, settings, encoder=ColorEncoder())
    candidate = replace(candidate_of(0, 1), moment=clip)
    (ranked,) = adjudicator.adjudicate(query_of("a man falling"), [candidate]).ranked
    shown = clip if judge.moment_way == "video" else thin(clip, judge.max_views)
    assert ranked.verdict is not None
    assert ranked.verdict.description == "A man falls."
    torch.testing.assert_close(seen[0]["input_ids"], judge._chat.inputs_of(shown, DESCRIBE_PROMPT)["input_ids"])
