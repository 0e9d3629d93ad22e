"""Rendered figures of the pocket models: retrieval, attributes, cloze, likelihood, yes and no, detection."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModel, AutoProcessor

from benchmarks.pocket.data import LABELS, Crops, prepare
from benchmarks.pocket.judge_scores import JudgeScorer
from benchmarks.pocket.towers import embed_images, embed_tokens
from benchmarks.rendered.captions import (
    BEHAVIORS,
    COLORS,
    agrees,
    facts_of,
    write_caption,
    write_match_caption,
)

_GALLERY = 1000
_SEED = 5


def measure(data: Path, weights: Path, split: str, wanted: Sequence[str]) -> dict[str, Any]:
    """All figures asked for, on one split."""
    figures: dict[str, Any] = {"split": split, "what": "rendered figures"}
    crops = Crops(data / "crops", split)
    crops.refresh()
    measures: dict[str, Callable[[], dict[str, Any]]] = {
        "encoder": lambda: measure_encoder(crops, weights / "dual_encoder"),
        "judge": lambda: JudgeScorer(weights / "judge").measure(crops, _SEED),
        "detector": lambda: measure_detector(data / "tiles", weights / "detector" / "detector.onnx"),
    }
    return figures | {name: measures[name]() for name in wanted}


@torch.no_grad()
def measure_encoder(crops: Crops, folder: Path) -> dict[str, Any]:
    """Retrieval over a gallery and attribute accuracies, also for held-out attribute combinations."""
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoProcessor.from_pretrained(folder).tokenizer

    def embed(texts: Sequence[str]) -> Tensor:
        parts = [
            embed_tokens(
                model,
                dict(tokenizer(list(texts[start : start + 128]), padding=True, truncation=True, return_tensors="pt")),
            )
            for start in range(0, len(texts), 128)
        ]
        return torch.cat(parts)

    images = torch.cat([embed_images(model, prepare(crops.images[i : i + 64])) for i in range(0, len(crops), 64)])
    gallery = list(range(len(crops)))
    random.Random(_SEED).shuffle(gallery)
    gallery = gallery[:_GALLERY]
    rows = [crops.rows[number] for number in gallery]
    figures: dict[str, Any] = {"gallery": len(gallery)}
    figures["known phrasing"] = _retrieval(images[gallery], rows, embed, held_out=False)
    figures["held-out phrasing"] = _retrieval(images[gallery], rows, embed, held_out=True)
    held = torch.tensor([bool(row.get("held_out")) for row in crops.rows])
    for name, mask in (("known combinations", ~held), ("held-out combinations", held)):
        if mask.any():
            figures[name] = _attributes(images[mask], crops.labels[mask], embed)
    return figures


def _retrieval(
    images: Tensor, rows: list[dict[str, Any]], embed: Callable[[Sequence[str]], Tensor], *, held_out: bool
) -> dict[str, float]:
    rng = random.Random(_SEED)
    captions = [write_match_caption(row, rng, held_out=held_out) for row in rows]
    ranks = (embed([caption.text for caption in captions]) @ images.T).argsort(1, descending=True)
    own = (ranks == torch.arange(len(rows))[:, None]).float().argmax(1)
    facts = [facts_of(row) for row in rows]
    first = [agrees(caption, facts[ranks[number, 0]]) for number, caption in enumerate(captions)]
    five = [any(agrees(caption, facts[k]) for k in ranks[number, :5]) for number, caption in enumerate(captions)]
    behavior = [facts[ranks[number, 0]]["behavior"] == fact["behavior"] for number, fact in enumerate(facts)]
    named = {
        "R@1": (own < 1).float().mean(),
        "R@5": (own < 5).float().mean(),
        "R@10": (own < 10).float().mean(),
        "any fitting @1": np.mean(first),
        "any fitting @5": np.mean(five),
        "right behavior @1": np.mean(behavior),
    }
    return {name: round(float(value), 3) for name, value in named.items()}


def _attributes(images: Tensor, labels: Tensor, embed: Callable[[Sequence[str]], Tensor]) -> dict[str, Any]:
    columns = list(LABELS)
    texts = {
        "behavior": [_behavior_texts(behavior) for behavior in BEHAVIORS],
        "upper": [[f"a person in a {color} {kind}" for kind in ("jacket", "shirt", "top")] for color in COLORS],
        "lower": [[f"a person in {color} {kind}" for kind in ("pants", "trousers", "jeans")] for color in COLORS],
    }
    figures: dict[str, Any] = {"n": len(images)}
    for name, prompts in texts.items():
        centers = torch.stack([torch.nn.functional.normalize(embed(group).mean(0), dim=0) for group in prompts])
        found = (images @ centers.T).argmax(1)
        truth = labels[:, columns.index(name)]
        figures[name] = round((found == truth).float().mean().item(), 3)
        if name == "behavior":
            figures["by behavior"] = {
                label: round((found[truth == number] == number).float().mean().item(), 2)
                for number, label in enumerate(BEHAVIORS)
                if (truth == number).any()
            }
    return figures


def _behavior_texts(behavior: str) -> list[str]:
    rng = random.Random(_SEED)
    row = {"behavior": behavior, "person": "man", "upper": {"color": "red"}, "lower": {"color": "red"}}
    texts: set[str] = set()
    while len(texts) < 6:
        caption = write_caption(row, rng, style="short")
        if set(caption.facts) == {"behavior"}:
            texts.add(caption.text)
    return sorted(texts)


def measure_detector(tiles: Path, onnx: Path) -> dict[str, Any]:
    """AP50, precision and recall on the validation tiles, through ultralytics' own validator."""
    from benchmarks.pocket.detector import validate_detector

    return validate_detector(tiles, onnx)
