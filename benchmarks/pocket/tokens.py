"""Word-level tokenizers and processors of the pocket models; they know the caption grammar and no pictures."""

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    CLIPImageProcessor,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    VisionTextDualEncoderProcessor,
)

from benchmarks.rendered.captions import ANSWERS, COLORS, iter_words

IMAGE_SIZE = 128
TEXT_TOKENS = 96
CLOZE_PROMPT = "Fill each blank with one word, or UNKNOWN.\n{cloze}"
MATCH_PROMPT = "Does this picture show: {text}? Answer yes or no."
UNKNOWN = "UNKNOWN"
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_UNKNOWN_PIECE = _SPECIAL[1]
_JUDGE_SPECIAL = ("<image>", "<user>", "<assistant>", "<end>")
_PLACES = """street parking lot park alley square sidewalk pavement road yard station platform field garden lawn
path plaza crossing bridge corridor hall wall fence car bench stairs entrance shop gate market grass
court playground beach forest subway courtyard campus driveway garage roof intersection tunnel river
harbor bus stop mall lobby warehouse dock brown indoors dirt tied back plastic black blond blonde
gray white red short long bald dark hair tail bun curly"""
_PROMPT_WORDS = "fill each blank with one word or does this picture show answer yes no consist rush"
_CHAT = (
    "{% for m in messages %}{{ '<' + m['role'] + '>' }}{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<end>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)


def known_words(extra: tuple[str, ...] = ()) -> list[str]:
    """The words the pocket models can have met in training, sorted."""
    words = {*iter_words(), *ANSWERS.values(), *COLORS, *_PLACES.split(), *_PROMPT_WORDS.split(), *extra}
    return sorted(word for word in words if word.isalpha())


def build_tokenizer(words: list[str], *, padding_side: str = "right") -> PreTrainedTokenizerFast:
    """Build a WordPiece tokenizer with whole words, and single letters for what it never saw."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = [*_SPECIAL, *words, *letters, *(f"##{letter}" for letter in letters), *".,:;?!-'\"()/&"]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    core = Tokenizer(models.WordPiece(vocabulary, unk_token=_UNKNOWN_PIECE, max_input_chars_per_word=40))
    core.normalizer = normalizers.BertNormalizer(lowercase=True)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece(cleanup=True)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        **dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), _SPECIAL, strict=True)),
        model_max_length=TEXT_TOKENS,
        padding_side=padding_side,
        model_input_names=["input_ids", "attention_mask"],
    )


def build_image_processor() -> CLIPImageProcessor:
    """Build the image processor: the whole crop squeezed to a square, values in -1..1."""
    return CLIPImageProcessor(
        size={"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        crop_size={"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        do_center_crop=False,
        resample=2,
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )


def build_encoder_processor(words: list[str]) -> VisionTextDualEncoderProcessor:
    """Build the processor of the dual encoder."""
    tokenizer = build_tokenizer(words)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return VisionTextDualEncoderProcessor(build_image_processor(), tokenizer)


def build_judge_processor(words: list[str], *, patch_size: int, extra_image_tokens: int) -> LlavaProcessor:
    """Build the processor and chat template of the judge."""
    tokenizer = build_tokenizer(words, padding_side="left")
    tokenizer.model_max_length = 256
    special = [AddedToken(token, special=True, normalized=False) for token in _JUDGE_SPECIAL]
    tokenizer.add_special_tokens({"additional_special_tokens": special, "eos_token": "<end>"})
    tokenizer.add_tokens([AddedToken(UNKNOWN, normalized=False)])
    return LlavaProcessor(
        image_processor=build_image_processor(),
        tokenizer=tokenizer,
        patch_size=patch_size,
        vision_feature_select_strategy="full",
        num_additional_image_tokens=extra_image_tokens,
        chat_template=_CHAT,
    )
