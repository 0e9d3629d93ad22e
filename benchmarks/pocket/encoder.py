"""Train the pocket dual encoder: the vision tower on attributes and joints, then texts against its finished vectors."""

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.pocket.data import COLOR_COLUMNS, MISSING, Crops, augment, repaint
from benchmarks.pocket.degrade import degrade
from benchmarks.pocket.features import crop_features
from benchmarks.pocket.heads import AlignedHeads, AttributeHeads, patch_loss, positives, sigmoid_loss
from benchmarks.pocket.precision import mixed
from benchmarks.pocket.progress import Progress, load_checkpoint, save_checkpoint, save_half, set_rate, step
from benchmarks.pocket.tokens import IMAGE_SIZE, build_encoder_processor, known_words
from benchmarks.pocket.towers import build_dual_encoder, embed_tokens
from benchmarks.rendered.captions import Caption, facts_of, write_caption

_BATCH = 48
_REAL = 6  # real crops in a batch, where there are any
_SMALL = (96, 0.5)  # side of the pictures in the first part of the time: half the work, nearly all of the learning
_TEXTS = 160  # captions of a step
_STYLES = {"short": 0.35, "medium": 0.25, "long": 0.15, "full": 0.25}  # of one style in a batch: little padding
_PEAK = 1.5e-3
_TRAINED_PEAK = 1e-3  # for a tower that begins from a finished one
VIEWS = 2  # of every crop that texts and judge learn from: as it is, and augmented
_PATCHES = 24  # crops of a step whose patches are matched too
SEEDS = {"torch": 0, "captions": 11, "augmentation": 12}


class EncoderModel:
    """The dual encoder with its processor, and how it is written."""

    def __init__(self) -> None:
        torch.manual_seed(SEEDS["torch"])
        self.processor = build_encoder_processor(known_words())
        self.model = build_dual_encoder(self.processor.tokenizer).train()

    def save(self, folder: Path) -> None:
        """Write the model as the program loads it (in half precision)."""
        save_half(self.model, folder)
        self.processor.save_pretrained(folder)


@dataclass
class VisionTrainer:
    """The vision tower: what is the person, where are their joints, what do they do."""

    encoder: EncoderModel
    crops: Crops
    out: Path
    progress: Progress
    start: Path | None = None  # an earlier check-point whose weights (not whose budget) are the beginning
    trained: bool = False  # whether the tower is a finished one, of an earlier set
    device: str = "cpu"
    noise: np.random.Generator = field(default_factory=lambda: np.random.default_rng(SEEDS["augmentation"]))

    def __post_init__(self) -> None:
        self.tower = self.encoder.model.vision_model.to(self.device, memory_format=torch.channels_last)
        self.heads = AttributeHeads().to(self.device)
        self.parameters = [*self.tower.parameters(), *self.heads.parameters()]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=_PEAK, weight_decay=0.05, betas=(0.9, 0.98))
        self._order: list[int] = []
        self._log: list[dict[str, float]] = []
        weights = {"tower": self.tower, "heads": self.heads}
        self.parts: dict[str, Any] = weights | {"optimizer": self.optimizer}
        if not load_checkpoint(self.out / "vision.ckpt", self.progress, **self.parts) and self.start:
            load_checkpoint(self.start, Progress(1.0), **weights)

    def run(self) -> None:
        """Train until the time is used."""
        self.progress.start()
        while not self.progress.done:
            self._step()
            if self.progress.due("logged", 60):
                self._report()
            if self.progress.due("saved", 120):
                save_checkpoint(self.out / "vision.ckpt", self.progress, **self.parts)
        save_checkpoint(self.out / "vision.ckpt", self.progress, **self.parts)

    def _next(self) -> list[int]:
        real = self.crops.real
        if len(self._order) < _BATCH:
            self.crops.refresh()
            self._order = [k for k in torch.randperm(len(self.crops)).tolist() if not self.crops.rows[k].get("real")]
        chosen, self._order = self._order[:_BATCH], self._order[_BATCH:]
        return chosen + self.noise.choice(real, _REAL).tolist() if real else chosen

    def _step(self) -> None:
        chosen = self._next()
        set_rate(self.optimizer, self.progress.rate(_PEAK if not self.trained else _TRAINED_PEAK))
        size = _SMALL[0] if self.progress.fraction < _SMALL[1] and not self.trained else IMAGE_SIZE
        self.tower.embeddings.image_size = (size, size)
        before = self.crops.joints[chosen]
        images, labels = repaint(self.crops.images[chosen], before, self.crops.labels[chosen], self.noise)
        pixels, joints = augment(images, before, self.noise, size)
        pixels, faded = degrade(pixels, self.noise)
        labels[faded] = torch.where(torch.tensor(COLOR_COLUMNS), MISSING, labels[faded])
        with mixed(self.device):
            vision = self.tower(pixel_values=pixels.to(self.device, memory_format=torch.channels_last))
        loss, figures = self.heads(vision, labels.to(self.device), joints.to(self.device))
        step(self.optimizer, loss, self.parameters)
        self.tower.embeddings.image_size = (IMAGE_SIZE, IMAGE_SIZE)
        self.progress.advance(len(chosen))
        self._log.append(figures)

    def _report(self) -> None:
        recent = self._log[-100:]
        means = {name: float(np.mean([entry.get(name, np.nan) for entry in recent])) for name in recent[-1]}
        rate = self.progress.seen / max(self.progress.used, 1e-9)
        shown = " ".join(f"{name} {value:.3f}" for name, value in means.items())
        print(f"{self.progress.used:.0f} s, step {self.progress.steps}, {rate:.0f} images/s | {shown}", flush=True)


@dataclass
class TextTrainer:
    """Text tower and projections, against a finished vision tower whose vectors are computed once."""

    encoder: EncoderModel
    crops: Crops
    out: Path
    progress: Progress
    device: str = "cpu"
    rng: random.Random = field(default_factory=lambda: random.Random(SEEDS["captions"]))

    def __post_init__(self) -> None:
        model = self.encoder.model.to(self.device)
        model.vision_model.eval().requires_grad_(False)
        model.vision_model.pooler.requires_grad_(True)
        self.aligned = AlignedHeads().to(self.device)
        self.bias = nn.ParameterDict({"loss": torch.tensor([-5.0], device=self.device)})  # for training alone
        self.parameters = [weight for weight in model.parameters() if weight.requires_grad]
        self.parameters += [*self.aligned.parameters(), *self.bias.parameters()]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=_PEAK, weight_decay=0.05, betas=(0.9, 0.98))
        self.parts: dict[str, Any] = {"model": model, "aligned": self.aligned, "bias": self.bias}
        self.parts["optimizer"] = self.optimizer
        load_checkpoint(self.out / "texts.ckpt", self.progress, **self.parts)
        kept = self.out / "features.pt"
        self.tokens = crop_features(model.vision_model, self.crops, kept, views=VIEWS, seed=SEEDS["augmentation"])
        self.facts = [facts_of(row) for row in self.crops.rows]

    def run(self) -> None:
        """Train until the time is used."""
        self.progress.start()
        while not self.progress.done:
            set_rate(self.optimizer, self.progress.rate(_PEAK))
            loss = self._loss(torch.randint(len(self.crops), (_TEXTS,)).tolist())
            step(self.optimizer, loss, self.parameters)
            self.progress.advance(_TEXTS)
            if self.progress.due("logged", 30):
                save_checkpoint(self.out / "texts.ckpt", self.progress, **self.parts)
                print(f"texts {self.progress.used:.0f} s, {self.progress.steps} steps, loss {loss:.3f}", flush=True)

    def _loss(self, chosen: list[int]) -> Tensor:
        """How far crops are from captions of the same crops, as wholes and by their patches."""
        model = self.encoder.model
        captions, inputs = self._captions([self.crops.rows[number] for number in chosen])
        truth = positives(captions, [self.facts[number] for number in chosen]).to(self.device)
        tokens = self.tokens[torch.randint(VIEWS, (len(chosen),)), chosen].to(self.device)
        with mixed(self.device):
            texts = embed_tokens(model, inputs)
            images = model.visual_projection(model.vision_model.pooler.dense(tokens[:, 0].float()))
            patches = model.visual_projection(model.vision_model.pooler.dense(tokens[:_PATCHES, 1:].float()))
        images, scale = functional.normalize(images.float(), dim=-1), model.logit_scale
        whole = sigmoid_loss(images, texts, scale, self.bias["loss"], truth)
        parts = patch_loss(patches.float(), texts, scale, self.bias["loss"], truth[:_PATCHES])
        seen = self.aligned(images, self.crops.labels[chosen].to(self.device))
        said = self.aligned(texts, self.aligned.said(captions).to(self.device))
        return whole + 0.25 * parts + 0.5 * (seen + said)

    def _captions(self, rows: list[dict[str, Any]]) -> tuple[list[Caption], dict[str, Tensor]]:
        style = self.rng.choices(list(_STYLES), list(_STYLES.values()))[0]
        captions = [write_caption(row, self.rng, style=style) for row in rows]
        texts = [caption.text for caption in captions]
        coded = self.encoder.processor.tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        return captions, dict(coded.to(self.device))
