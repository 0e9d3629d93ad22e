"""Figures of the dual encoder: retrieval over a gallery, twins, attributes named by prompts, and a real street."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModel, AutoProcessor

from benchmarks.pocket.data import LABELS, Crops, prepare
from benchmarks.pocket.towers import embed_images, embed_tokens
from benchmarks.rendered.behavior import ANOMALIES
from benchmarks.rendered.captions import (
    BEHAVIORS,
    COLORS,
    Caption,
    agrees,
    facts_of,
    write_caption,
    write_match_caption,
)

_GALLERY = 1000
_GARMENTS = {"upper": ("jacket", "shirt", "top"), "lower": ("pants", "trousers", "jeans")}
_ARTICLES = {"upper": "a ", "lower": ""}


class EncoderScorer:
    """A dual encoder, loaded as the program loads it."""

    def __init__(self, folder: Path) -> None:
        self.model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = AutoProcessor.from_pretrained(folder).tokenizer

    @torch.no_grad()
    def texts(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors of Q texts, Q,D."""
        parts = [texts[first : first + 128] for first in range(0, len(texts), 128)]
        options = {"padding": True, "truncation": True, "return_tensors": "pt"}
        return torch.cat([embed_tokens(self.model, dict(self.tokenizer(list(part), **options))) for part in parts])

    @torch.no_grad()
    def images(self, crops: Crops) -> Tensor:
        """Unit vectors of all crops, N,D."""
        starts = range(0, len(crops), 64)
        return torch.cat([embed_images(self.model, prepare(crops.images[i : i + 64])) for i in starts])

    def measure(self, crops: Crops, seed: int) -> dict[str, Any]:
        """Retrieval and attributes of one rendered split; twins stay together in the gallery."""
        images, numbers = self.images(crops), list(range(0, len(crops), 2))
        random.Random(seed).shuffle(numbers)
        gallery = [
            number + side for number in numbers[: _GALLERY // 2] for side in (0, 1) if number + side < len(crops)
        ]
        rows, figures = [crops.rows[number] for number in gallery], {}
        for name, held_out in (("known phrasing", False), ("held-out phrasing", True)):
            rng = random.Random(seed)
            full = [write_caption(row, rng, held_out=held_out, style="full") for row in rows]
            match = [write_match_caption(row, rng, held_out=held_out) for row in rows]
            figures[name] = {
                "whole captions": self._retrieval(images[gallery], rows, full),
                "behavior and colors alone": self._retrieval(images[gallery], rows, match),
            }
        held = torch.tensor([bool(row.get("held_out")) for row in crops.rows])
        named = (("known combinations", ~held), ("held-out combinations", held))
        return (
            {"gallery": len(gallery)}
            | figures
            | {name: self._attributes(images[mask], crops.labels[mask]) for name, mask in named if mask.any()}
        )

    def _retrieval(self, images: Tensor, rows: list[dict[str, Any]], captions: list[Caption]) -> dict[str, float]:
        scores = self.texts([caption.text for caption in captions]) @ images.T
        ranks = scores.argsort(1, descending=True)
        own = (ranks == torch.arange(len(rows))[:, None]).float().argmax(1)
        facts = [facts_of(row) for row in rows]
        first = [agrees(caption, facts[ranks[number, 0]]) for number, caption in enumerate(captions)]
        named = {f"R@{k}": (own < k).float().mean() for k in (1, 5, 10)}
        named |= {"mAP": (1 / (own + 1)).float().mean(), "any fitting @1": np.mean(first)}
        if rows[0].get("twin"):
            twin = torch.arange(len(rows)) ^ 1
            named["twin above own"] = (scores.gather(1, twin[:, None])[:, 0] > scores.diagonal()).float().mean()
        return {name: round(float(value), 3) for name, value in named.items()}

    def prompts(self, name: str) -> Tensor:
        """One unit vector for each behavior or color, from several short prompts."""
        if name == "behavior":
            groups = [_behavior_texts(behavior) for behavior in BEHAVIORS]
        else:
            groups = [[f"a person in {_ARTICLES[name]}{color} {kind}" for kind in _GARMENTS[name]] for color in COLORS]
        return torch.stack([torch.nn.functional.normalize(self.texts(group).mean(0), dim=0) for group in groups])

    def _attributes(self, images: Tensor, labels: Tensor) -> dict[str, Any]:
        figures: dict[str, Any] = {"n": len(images)}
        for name in ("behavior", "upper", "lower"):
            found = (images @ self.prompts(name).T).argmax(1)
            truth = labels[:, list(LABELS).index(name)]
            figures[name] = round((found == truth).float().mean().item(), 3)
            if name == "behavior":
                figures["by behavior"] = {
                    label: round((found[truth == number] == number).float().mean().item(), 2)
                    for number, label in enumerate(BEHAVIORS)
                    if (truth == number).any()
                }
        return figures

    def measure_real(self, crops: Crops) -> dict[str, Any]:
        """Figures on a real street, labeled by eye; where several answers are accepted, each is right."""
        images, accepted = self.images(crops), [row["accepted"] for row in crops.rows]
        figures: dict[str, Any] = {"n": len(crops)}
        for name, words in (("behavior", BEHAVIORS), ("upper", COLORS), ("lower", COLORS)):
            found = [words[number] for number in (images @ self.prompts(name).T).argmax(1).tolist()]
            known = [(word, entry[name]) for word, entry in zip(found, accepted, strict=True) if entry[name]]
            constant = max(np.mean([word in right for _, right in known]) for word in words)
            figures[name] = round(float(np.mean([word in right for word, right in known])), 3)
            figures[f"{name}: constant guess"] = round(float(constant), 3)
            if name == "behavior":
                figures["called an anomaly"] = round(float(np.mean([word in ANOMALIES for word in found])), 3)
                figures["called"] = {word: found.count(word) for word in sorted(set(found))}
        return figures


def _behavior_texts(behavior: str) -> list[str]:
    rng = random.Random(5)
    row = {"behavior": behavior, "person": "man", "upper": {"color": "red"}, "lower": {"color": "red"}}
    texts: set[str] = set()
    while len(texts) < 6:
        caption = write_caption(row, rng, style="short")
        if set(caption.facts) == {"behavior"}:
            texts.add(caption.text)
    return sorted(texts)
