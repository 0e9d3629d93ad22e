"""Figures of the judge: cloze words, likelihood of true against wrong sentences, yes against no."""

import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor

from benchmarks.pocket.data import Crops, prepare
from benchmarks.pocket.judge import encode_questions
from benchmarks.pocket.prompts import Question, ask_match, seen_answer, with_wrong
from benchmarks.pocket.tokens import CLOZE_PROMPT
from benchmarks.rendered.captions import Caption, write_match_caption

_LIMIT = 600
_BATCH = 48
_WRONG = ("behavior", "upper", "lower")


class JudgeScorer:
    """A trained judge, loaded as the program loads it, and its figures."""

    def __init__(self, folder: Path) -> None:
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
        self.processor = AutoProcessor.from_pretrained(folder)
        self.yes, self.no = self.processor.tokenizer.convert_tokens_to_ids(["yes", "no"])

    def measure(self, crops: Crops, seed: int) -> dict[str, Any]:
        """All figures of one split, with known and with held-out phrasing."""
        chosen = random.Random(seed).sample(range(len(crops)), min(_LIMIT, len(crops)))
        pixels, rows = prepare(crops.images[chosen]), [crops.rows[number] for number in chosen]
        return {
            "n": len(rows),
            **{
                name: self._phrasing(pixels, rows, seed, held_out)
                for name, held_out in (("known phrasing", False), ("held-out phrasing", True))
            },
        }

    def _phrasing(self, pixels: Tensor, rows: Sequence[dict[str, Any]], seed: int, held_out: bool) -> dict[str, Any]:
        rng = random.Random(seed)
        captions = [write_match_caption(row, rng, held_out=held_out) for row in rows]
        figures: dict[str, Any] = self._cloze(pixels, rows, captions)
        figures |= self._likelihood(pixels, rows, captions, rng)
        return figures | self._yes_no(pixels, rows, rng, held_out)

    @torch.no_grad()
    def answer_scores(self, pixels: Tensor, questions: Sequence[Question]) -> tuple[Tensor, Tensor, Tensor]:
        """Per token of the answers: log probability, greedy token and whose answer it is."""
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        for start in range(0, len(questions), _BATCH):
            ids, labels = encode_questions(self.processor, list(questions[start : start + _BATCH]))
            batch = pixels[start : start + _BATCH]
            mask = torch.ones_like(ids)
            logits = self.model(input_ids=ids, attention_mask=mask, pixel_values=batch).logits[:, :-1]
            wanted = labels[:, 1:] != -100
            probabilities = logits[wanted].log_softmax(-1)
            scores = probabilities.gather(1, labels[:, 1:][wanted][:, None])[:, 0]
            found.append((scores, logits[wanted][:, [self.yes, self.no]], wanted.nonzero()[:, 0] + start))
        return tuple(torch.cat(part) for part in zip(*found, strict=True))  # type: ignore[return-value]

    def _sums(self, pixels: Tensor, questions: Sequence[Question]) -> Tensor:
        scores, _, owner = self.answer_scores(pixels, questions)
        return torch.zeros(len(questions)).index_add(0, owner, scores)

    def _likelihood(
        self, pixels: Tensor, rows: Sequence[dict[str, Any]], captions: Sequence[Caption], rng: random.Random
    ) -> dict[str, Any]:
        began = time.monotonic()
        true = self._sums(pixels, [_filled(caption, row) for caption, row in zip(captions, rows, strict=True)])
        milliseconds = 1000 * (time.monotonic() - began) / len(rows)
        above = {}
        for field in _WRONG:
            wrong = [_filled(caption, with_wrong(row, field, rng)) for caption, row in zip(captions, rows, strict=True)]
            above[f"true above wrong {field}"] = _rounded((true > self._sums(pixels, wrong)).float().mean())
        return {"likelihood": above, "ms per candidate": _rounded(milliseconds)}

    @torch.no_grad()
    def _cloze(self, pixels: Tensor, rows: Sequence[dict[str, Any]], captions: Sequence[Caption]) -> dict[str, Any]:
        right: dict[str, list[bool]] = {}
        for number, (caption, row) in enumerate(zip(captions, rows, strict=True)):
            if number >= _LIMIT // 2:
                break
            words = self.generate(pixels[number], CLOZE_PROMPT.format(cloze=caption.cloze())).split(",")
            for position, slot in enumerate(caption.slots):
                given = words[position].strip() if position < len(words) else ""
                right.setdefault(slot.field, []).append(given == seen_answer(row, slot.field))
        return {"cloze word right": {name: _rounded(np.mean(values)) for name, values in right.items()}}

    def generate(self, pixels: Tensor, prompt: str) -> str:
        """One answer, through the chat template and `generate` as the program does."""
        content = [{"type": "image"}, {"type": "text", "text": prompt}]
        text = self.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        picture = ((pixels + 1) * 127.5).round().clamp(0, 255).byte()
        inputs = self.processor(text=[text], images=[picture], return_tensors="pt")
        output = self.model.generate(**inputs, max_new_tokens=16, do_sample=False)
        return str(self.processor.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))

    def _yes_no(
        self, pixels: Tensor, rows: Sequence[dict[str, Any]], rng: random.Random, held_out: bool
    ) -> dict[str, Any]:
        margins = {}
        for kind in ("true", *_WRONG):
            questions = [ask_match(row, rng, kind=kind, held_out=held_out) for row in rows]
            _, pairs, owner = self.answer_scores(pixels, questions)
            first = torch.tensor([int((owner == number).nonzero()[0]) for number in range(len(rows))])
            margins[kind] = pairs[first, 0] - pairs[first, 1]
        auc = {
            f"AUC against wrong {kind}": _rounded((margins["true"][:, None] > margins[kind][None]).float().mean())
            for kind in _WRONG
        }
        return {
            "yes/no": auc
            | {
                "yes to true": _rounded((margins["true"] > 0).float().mean()),
                "no to wrong": _rounded(torch.cat([margins[k] < 0 for k in _WRONG]).float().mean()),
            }
        }


def _filled(caption: Caption, row: Mapping[str, Any]) -> Question:
    answers = ", ".join(seen_answer(row, slot.field) for slot in caption.slots)
    return Question(text=CLOZE_PROMPT.format(cloze=caption.cloze()), answer=answers, kind="cloze")


def _rounded(value: Any) -> float:
    return round(float(value), 3)
