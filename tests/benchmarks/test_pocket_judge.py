"""The judge's training: several questions packed behind one picture give what each would give alone."""

from random import Random
from typing import Any

import pytest
import torch

from benchmarks.pocket.judge import encode_questions, pack, packed_states
from benchmarks.pocket.prompts import ask_match, ask_set
from benchmarks.pocket.tokens import build_judge_processor, known_words
from benchmarks.pocket.towers import IMAGE_TOKENS, STRIDE, WIDTH, build_judge
from benchmarks.rendered.captions import agrees, facts_of, write_caption


def _row(behavior: str, upper: str, **more: Any) -> dict[str, Any]:
    part = lambda color: {"color": color, "kind": "jacket"}  # noqa: E731 - one line, used in the next
    row = {"behavior": behavior, "person": "man", "upper": part(upper), "lower": part("black"), "shoes": part("white")}
    return row | {"hat": None, "bag": None, "hair": "short", "place": "street", "night": False} | more


@pytest.fixture(scope="module")
def processor() -> Any:
    return build_judge_processor(known_words(), patch_size=STRIDE, extra_image_tokens=1)


def test_packed_questions_have_the_states_they_have_alone(processor: Any) -> None:
    torch.manual_seed(3)
    model = build_judge(processor.tokenizer).eval()
    images = torch.randn(2, IMAGE_TOKENS, WIDTH)
    rng = Random(5)
    asked = [ask_set(_row("falling", "red"), _row("walking", "blue"), rng, style="short") for _ in range(2)]
    packed = pack(processor, asked)
    with torch.no_grad():
        together = packed_states(model, images, packed)[1][:, :-1][packed.wanted]
        alone = [_alone(model, processor, images[k], question) for k, row in enumerate(asked) for question in row]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=1e-3)
    assert packed.targets.tolist() == [token for row in asked for q in row for token in _answer(processor, q)]


def _answer(processor: Any, question: Any) -> list[int]:
    labels = encode_questions(processor, [question])[1][0]
    return [token for token in labels.tolist() if token != -100]


def _alone(model: Any, processor: Any, image: torch.Tensor, question: Any) -> torch.Tensor:
    ids, labels = encode_questions(processor, [question])
    start = int((ids[0] == model.config.image_token_id).nonzero()[0])
    embedded = model.get_input_embeddings()(ids)
    picture = model.model.multi_modal_projector(image[None])
    embedded = torch.cat([embedded[:, :start], picture, embedded[:, start + IMAGE_TOKENS :]], 1)
    states = model.model.language_model(inputs_embeds=embedded).last_hidden_state
    return states[:, :-1][labels[:, 1:] != -100]


def test_a_set_asks_yes_and_no_about_the_same_picture() -> None:
    rng, answers = Random(1), []
    for _ in range(200):
        questions = ask_set(_row("falling", "red"), _row("walking", "blue"), rng, style="medium")
        answers += [question.answer for question in questions if question.kind != "cloze"]
    assert set(answers) == {"yes", "no"}
    assert 0.4 < answers.count("yes") / len(answers) < 0.6


def test_a_wrong_caption_is_answered_no() -> None:
    row = _row("falling", "red")
    for seed in range(50):
        assert ask_match(row, Random(seed), kind="behavior", style="medium").answer == "no"
        assert ask_match(row, Random(seed), kind="true", style="medium").answer == "yes"


def test_nothing_is_asked_of_a_real_person_that_is_not_known() -> None:
    real = _row("walking", "black", real=True, person="unknown", shoes=None, hair="") | {"lower": None}
    for seed in range(50):
        for question in ask_set(real, _row("falling", "red"), Random(seed), style="full"):
            assert "UNKNOWN" not in question.answer


def test_captions_of_a_real_person_state_only_what_is_known() -> None:
    real = _row("walking", "black", real=True, person="unknown", shoes=None, hair="") | {"lower": None}
    for seed in range(50):
        caption = write_caption(real, Random(seed), style="medium")
        assert set(caption.facts) <= {"behavior", "upper", "upper_kind", "place", "person"}
        assert agrees(caption, facts_of(real))


def test_claims_stand_at_their_words_and_say_whether_the_picture_agrees(processor: Any) -> None:
    row, other = _row("falling", "red"), _row("walking", "blue")
    asked = [ask_set(row, other, Random(seed), style="medium") for seed in range(12)]
    packed = pack(processor, asked)
    words = processor.tokenizer.convert_ids_to_tokens(packed.ids[packed.claims[0], packed.claims[1]].tolist())
    said = list(zip(words, packed.claims[2].tolist(), strict=True))
    assert ("red", 1) in said
    absent = {"blue", "green", "yellow", "pink", "orange", "purple", "gray", "brown"}
    assert not any(truth for word, truth in said if word in absent)
    assert {truth for _, truth in said} == {0, 1}


def test_packed_questions_are_computed_where_the_model_lies(processor: Any) -> None:
    """The device "meta" stands for a GPU: it has shapes but no values, and refuses tensors of another device."""
    model = build_judge(processor.tokenizer).to("meta")
    asked = [ask_set(_row("falling", "red"), _row("walking", "blue"), Random(5), style="short")]
    packed = pack(processor, asked)
    images = torch.randn(1, IMAGE_TOKENS, WIDTH)
    before, last = packed_states(model, images.to("meta"), packed.to("meta"))
    assert before.device.type == last.device.type == "meta"
    assert last.shape == (*packed.ids.shape, WIDTH)
    with pytest.raises(RuntimeError, match=r"meta"):
        packed_states(model, images, packed)
