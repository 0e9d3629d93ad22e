"""A model's tokenizer and chat template without transformers, with as much of its interface as our adapters use."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anomalylmm.errors import WeightsError

TEMPLATE_FILE = "chat_template.jinja"


class PlainTokenizer:
    """Turns text into token numbers and back."""

    def __init__(self, folder: Path) -> None:
        """Reads ``tokenizer.json`` and ``tokenizer_config.json``.

        Raises:
            WeightsError: One of them is missing or damaged.
        """
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        except Exception as error:  # tokenizers raises nothing narrower
            raise WeightsError(f"{folder} has no usable tokenizer: {error}; download the model again") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.model_max_length = int(min(config.get("model_max_length", 1 << 30), 1 << 30))
        names = ("bos_token", "eos_token", "unk_token", "pad_token")
        self.bos_token, self.eos_token, unknown, padding = (config.get(name) for name in names)
        self.unk_token_id, self.pad_token_id = self.number_of(unknown), self.number_of(padding)

    def __call__(self, text: str, *, add_special_tokens: bool = True) -> dict[str, list[int]]:
        """Token numbers of a text."""
        return {"input_ids": self._tokenizer.encode(text, add_special_tokens=add_special_tokens).ids}

    def number_of(self, token: str | None) -> int | None:
        """The number of a token, None if there is no such token."""
        return None if token is None else self._tokenizer.token_to_id(token)

    def read_texts(self, texts: Sequence[str], longest: int) -> list[list[int]]:
        """Token numbers of several texts, each cut to ``longest`` tokens."""
        return [item.ids for item in self._encode(texts, longest)]

    def end_of(self, text: str, longest: int) -> int:
        """Number of characters of a text that its first ``longest`` tokens cover."""
        return max((stop for _, stop in self._encode([text], longest)[0].offsets), default=0)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of tokens, without special ones."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True)).strip()

    def _encode(self, texts: Sequence[str], longest: int) -> list[Any]:
        self._tokenizer.enable_truncation(longest)
        try:
            return list(self._tokenizer.encode_batch(list(texts)))
        finally:
            self._tokenizer.no_truncation()


class PlainProcessor:
    """A tokenizer and the chat template next to it."""

    def __init__(self, folder: Path) -> None:
        """Reads the files.

        Raises:
            WeightsError: One is missing or damaged.
        """
        from jinja2 import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        self.tokenizer = PlainTokenizer(folder)
        try:
            text = (folder / TEMPLATE_FILE).read_text(encoding="utf-8")
            self._template = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(text)
        except (OSError, ValueError, TemplateError) as error:
            raise WeightsError(f"{folder} has no usable {TEMPLATE_FILE}: {error}; download the model again") from error

    def apply_chat_template(
        self,
        messages: list[dict[str, Any]],
        *,
        add_generation_prompt: bool = False,
        tokenize: bool = False,  # noqa: ARG002 - of the interface of transformers
    ) -> str:
        """Writes messages as the text a model was trained on."""
        begin, end = self.tokenizer.bos_token or "", self.tokenizer.eos_token or ""
        return self._template.render(
            messages=messages, add_generation_prompt=add_generation_prompt, bos_token=begin, eos_token=end
        )
