"""Train the pocket dual encoder: attributes and joints first, then captions too."""

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.pocket.data import Crops, augment
from benchmarks.pocket.heads import AlignedHeads, AttributeHeads, positives, sigmoid_loss
from benchmarks.pocket.progress import Progress, load_checkpoint, save_checkpoint, set_rate, step
from benchmarks.pocket.tokens import build_encoder_processor, known_words
from benchmarks.pocket.towers import build_dual_encoder, embed_tokens
from benchmarks.rendered.captions import Caption, facts_of, write_caption

_BATCH = 48
_WORDS = 64  # captions of a step that no picture is shown for
_STYLES = {"short": 0.5, "medium": 0.35, "long": 0.15}  # of one style in a batch: little padding
_PEAK = 1.5e-3
_VISION_ONLY = 0.3  # share of the time before captions join
SEEDS = {"torch": 0, "captions": 11, "augmentation": 12}


@dataclass
class EncoderTrainer:
    """Everything one training of the dual encoder holds."""

    crops: Crops
    out: Path
    progress: Progress
    start: Path | None = None  # an earlier check-point whose weights (not whose budget) are the beginning
    rng: random.Random = field(default_factory=lambda: random.Random(SEEDS["captions"]))
    noise: np.random.Generator = field(default_factory=lambda: np.random.default_rng(SEEDS["augmentation"]))

    def __post_init__(self) -> None:
        torch.manual_seed(SEEDS["torch"])
        self.processor = build_encoder_processor(known_words())
        self.model = build_dual_encoder(self.processor.tokenizer).train()
        self.heads = AttributeHeads()
        self.aligned = AlignedHeads()
        self.bias = nn.Linear(1, 1)  # its bias is the loss's bias; the program ranks and needs none
        nn.init.constant_(self.bias.bias, -5.0)
        self.parameters = [*self.model.parameters(), *self.heads.parameters()]
        self.parameters += [*self.aligned.parameters(), *self.bias.parameters()]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=_PEAK, weight_decay=0.05, betas=(0.9, 0.98))
        self._order: list[int] = []
        self._log: list[dict[str, float]] = []
        if not load_checkpoint(self.out / "encoder.ckpt", self.progress, **self._parts()) and self.start:
            load_checkpoint(self.start, Progress(1.0), model=self.model, heads=self.heads, bias=self.bias)

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        losses = {"heads": self.heads, "aligned": self.aligned, "bias": self.bias}
        return {"model": self.model, "optimizer": self.optimizer, **losses}

    def run(self) -> None:
        """Train until the time is used, then write the weights."""
        self.progress.start()
        while not self.progress.done:
            self._step()
            if self.progress.due("logged", 30):
                self._report()
            if self.progress.due("saved", 120):
                save_checkpoint(self.out / "encoder.ckpt", self.progress, **self._parts())
        save_checkpoint(self.out / "encoder.ckpt", self.progress, **self._parts())
        self.save()

    def read(self, steps: int) -> None:
        """Teach the text tower alone, against the facts' fixed directions, which costs a fifth of a picture step."""
        self.aligned.requires_grad_(False)
        set_rate(self.optimizer, _PEAK)
        for number in range(steps):
            loss = self._reading()
            step(self.optimizer, loss, self.parameters)
            if number % 100 == 99:
                print(f"reading, step {number + 1}, loss {loss.item():.3f}", flush=True)
        self.aligned.requires_grad_(True)

    def polish(self, minutes: float, *, most: int = 8000) -> None:
        """Fit texts and projections to the finished vision tower, whose outputs are computed once."""
        self.model.vision_model.eval().requires_grad_(False)
        crops = torch.randperm(len(self.crops))[:most].tolist()
        tokens, pooled = self._encode(crops)
        parameters = [weight for weight in self.parameters if weight.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=_PEAK, weight_decay=0.05, betas=(0.9, 0.98))
        progress = Progress(60 * minutes)
        while not progress.done:
            picked = torch.randint(len(crops), (2 * _BATCH,))
            loss = self._matching(tokens[picked].float(), pooled[picked].float(), [crops[i] for i in picked.tolist()])
            set_rate(optimizer, progress.rate(_PEAK))
            step(optimizer, loss + self._reading(), parameters)
            progress.advance(len(picked))
            if progress.due("logged", 20):
                print(f"polish {progress.used:.0f} s, step {progress.steps}, loss {loss.item():.3f}", flush=True)
        self.save()

    @torch.no_grad()
    def _encode(self, chosen: list[int]) -> tuple[Tensor, Tensor]:
        tokens: list[Tensor] = []
        pooled: list[Tensor] = []
        for start in range(0, len(chosen), _BATCH):
            batch = chosen[start : start + _BATCH]
            pixels, _ = augment(self.crops.images[batch], self.crops.joints[batch], self.noise)
            with torch.autocast("cpu", torch.bfloat16):
                vision = self.model.vision_model(pixel_values=pixels)
            tokens.append(vision.last_hidden_state[:, 1:].bfloat16())
            pooled.append(vision.pooler_output.bfloat16())
        return torch.cat(tokens), torch.cat(pooled)

    def save(self) -> None:
        """Write the model as the program loads it (in half precision)."""
        folder = self.out / "dual_encoder"
        weights = {
            name: value.half() if value.is_floating_point() else value
            for name, value in self.model.state_dict().items()
        }
        self.model.save_pretrained(folder, state_dict=weights)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (folder / "config.json").write_text(json.dumps(config | {"dtype": "float16"}, indent=2), encoding="utf-8")
        self.processor.save_pretrained(folder)

    def _next(self) -> list[int]:
        if len(self._order) < _BATCH:
            self.crops.refresh()
            self._order = torch.randperm(len(self.crops)).tolist()
        chosen, self._order = self._order[:_BATCH], self._order[_BATCH:]
        return chosen

    def _step(self) -> None:
        chosen = self._next()
        set_rate(self.optimizer, self.progress.rate(_PEAK))
        pixels, joints = augment(self.crops.images[chosen], self.crops.joints[chosen], self.noise)
        with torch.autocast("cpu", torch.bfloat16):
            vision = self.model.vision_model(pixel_values=pixels.contiguous(memory_format=torch.channels_last))
        loss, figures = self.heads(vision, self.crops.labels[chosen], joints)
        if self.start or self.progress.fraction >= _VISION_ONLY:
            matching = self._matching(vision.last_hidden_state[:, 1:], vision.pooler_output, chosen)
            figures["matching"] = matching.item()
            loss = loss + matching + self._reading()
        step(self.optimizer, loss, self.parameters)
        self.progress.advance(len(chosen))
        self._log.append(figures)

    def _matching(self, tokens: Tensor, pooled: Tensor, chosen: list[int]) -> Tensor:
        """How far N summary vectors and N,P,D patch tokens are from captions of the same crops."""
        captions, inputs = self._captions([self.crops.rows[number] for number in chosen])
        truth = positives(captions, [facts_of(self.crops.rows[number]) for number in chosen])
        with torch.autocast("cpu", torch.bfloat16):
            texts = embed_tokens(self.model, inputs)
            image = self.model.visual_projection(pooled)
            patches = self.model.visual_projection(self.model.vision_model.pooler.dense(tokens)).mean(1)
        images = functional.normalize(image.float(), dim=-1)
        scale, bias = self.model.logit_scale, self.bias.bias
        whole = sigmoid_loss(images, texts, scale, bias, truth)
        parts = sigmoid_loss(functional.normalize(patches.float(), dim=-1), texts, scale, bias, truth)
        seen = self.aligned(images, self.aligned.shown(self.crops.labels[chosen]))
        return whole + 0.25 * parts + 0.5 * (seen + self.aligned(texts, self.aligned.said(captions)))

    def _captions(self, rows: list[dict[str, Any]]) -> tuple[list[Caption], dict[str, Tensor]]:
        style = self.rng.choices(list(_STYLES), list(_STYLES.values()))[0]
        captions = [write_caption(row, self.rng, style=style) for row in rows]
        texts = [caption.text for caption in captions]
        return captions, dict(self.processor.tokenizer(texts, padding=True, truncation=True, return_tensors="pt"))

    def _reading(self) -> Tensor:
        """Teach the text tower words apart from pictures: which facts does a caption state?"""
        captions, inputs = self._captions(self.rng.sample(self.crops.rows, _WORDS))
        with torch.autocast("cpu", torch.bfloat16):
            texts = embed_tokens(self.model, inputs)
        return self.aligned(texts, self.aligned.said(captions))

    def _report(self) -> None:
        names = self._log[-1]
        means = {name: float(np.mean([entry[name] for entry in self._log[-60:] if name in entry])) for name in names}
        rate = self.progress.seen / max(self.progress.used, 1e-9)
        shown = " ".join(f"{name} {value:.3f}" for name, value in means.items())
        print(
            f"{self.progress.used:.0f} s, step {self.progress.steps}, {rate:.0f} images/s, "
            f"{len(self.crops)} crops | {shown}",
            flush=True,
        )
