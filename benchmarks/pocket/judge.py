"""Train the pocket judge on the dual encoder's vision tower: clozes first, then yes and no too."""

import json
import random
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import AutoModel, LlavaProcessor

from benchmarks.pocket.data import Crops, augment, prepare
from benchmarks.pocket.progress import Progress, load_checkpoint, save_checkpoint, set_rate, step
from benchmarks.pocket.prompts import Question, ask_cloze, ask_match
from benchmarks.pocket.tokens import build_judge_processor, known_words
from benchmarks.pocket.towers import IMAGE_TOKENS, STRIDE, build_judge, image_hidden_states

_BATCHES = {"short": (128, 0.5), "medium": (96, 0.35), "long": (48, 0.15)}  # of one style: little padding
_PEAK = 1.5e-3
_VIEWS = 2
_FEW = 5000  # more crops than this are seen once, without an augmented view
SEEDS = {"torch": 1, "questions": 21, "augmentation": 22}
_MATCH_KINDS = ("true", "true", "true", "true", "behavior", "behavior", "upper", "lower", "other")


def encode_views(tower: torch.nn.Module, crops: Crops, views: int, seed: int) -> Tensor:
    """The frozen tower's tokens for every crop, as it is and augmented: V,N,P,D in bfloat16."""
    noise = np.random.default_rng(seed)
    found: list[Tensor] = []
    with torch.no_grad():
        for view in range(views):
            for start in range(0, len(crops), 64):
                batch = crops.images[start : start + 64]
                order = torch.randperm(len(batch))
                if view:
                    pixels = augment(batch[order], crops.joints[start : start + 64][order], noise)[0][order.argsort()]
                else:
                    pixels = prepare(batch)
                found.append(image_hidden_states(tower, pixels).bfloat16())
    return torch.cat(found).view(views, len(crops), *found[0].shape[1:])


@dataclass
class JudgeTrainer:
    """Everything one training of the judge holds."""

    crops: Crops
    out: Path
    progress: Progress
    start: Path | None = None  # an earlier check-point whose language part (not whose budget) is the beginning
    rng: random.Random = field(default_factory=lambda: random.Random(SEEDS["questions"]))

    def __post_init__(self) -> None:
        torch.manual_seed(SEEDS["torch"])
        self.processor: LlavaProcessor = build_judge_processor(
            known_words(), patch_size=STRIDE, extra_image_tokens=IMAGE_TOKENS - (IMAGE_TOKENS - 1)
        )
        self.model = build_judge(self.processor.tokenizer).train()
        self.model.model.vision_tower.eval().requires_grad_(False)
        self.parameters = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=_PEAK, weight_decay=0.05, betas=(0.9, 0.98))
        parts = {"model": self.model, "optimizer": self.optimizer}
        if not load_checkpoint(self.out / "judge.ckpt", self.progress, **parts) and self.start:
            load_checkpoint(self.start, Progress(1.0), **parts)
        encoder = AutoModel.from_pretrained(self.out / "dual_encoder", dtype=torch.float32)
        self.model.model.vision_tower.load_state_dict(encoder.vision_model.state_dict())
        views = _VIEWS if len(self.crops) < _FEW else 1
        self.tokens = encode_views(self.model.model.vision_tower, self.crops, views, SEEDS["augmentation"])
        self.losses: list[tuple[float, float]] = []

    def run(self) -> None:
        """Train until the time is used, then write the weights."""
        self.progress.start()
        while not self.progress.done:
            self._step()
            if self.progress.due("logged", 30):
                cloze, match = np.nanmean(self.losses[-100:], axis=0)
                rate = self.progress.seen / self.progress.used
                print(f"{self.progress.used:.0f} s, {rate:.0f} questions/s, ", end="")
                print(f"cloze {cloze:.3f}, match {match:.3f}", flush=True)
            if self.progress.due("saved", 120):
                self._checkpoint()
        self._checkpoint()
        self.save()

    def _checkpoint(self) -> None:
        save_checkpoint(self.out / "judge.ckpt", self.progress, model=self.model, optimizer=self.optimizer)

    def save(self) -> None:
        """Write the model as the program loads it (in half precision)."""
        folder = self.out / "judge"
        generation = self.model.generation_config
        generation.eos_token_id, generation.pad_token_id = self.processor.tokenizer.eos_token_id, 0
        weights = {
            name: value.half() if value.is_floating_point() else value
            for name, value in self.model.state_dict().items()
        }
        self.model.save_pretrained(folder, state_dict=weights)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (folder / "config.json").write_text(json.dumps(config | {"dtype": "float16"}, indent=2), encoding="utf-8")
        self.processor.save_pretrained(folder)

    def _question(self, number: int, style: str) -> Question:
        row = self.crops.rows[number]
        other = self.crops.rows[self.rng.randrange(len(self.crops))]
        share = 0.8 if self.progress.fraction < 0.25 else 0.5
        if self.rng.random() < share:
            return ask_cloze(row, row if self.rng.random() < 0.4 else other, self.rng, style=style)
        return ask_match(row, self.rng, kind=self.rng.choice(_MATCH_KINDS), other=other, style=style)

    def _step(self) -> None:
        style = self.rng.choices(list(_BATCHES), [share for _, share in _BATCHES.values()])[0]
        count = _BATCHES[style][0]
        chosen = torch.randint(len(self.crops), (count,)).tolist()
        questions = [self._question(number, style) for number in chosen]
        ids, labels = encode_questions(self.processor, questions)
        set_rate(self.optimizer, self.progress.rate(_PEAK))
        images = self.tokens[torch.randint(len(self.tokens), (count,)), chosen].float()
        hidden, targets, owner = self._hidden(images, ids, labels)
        each = functional.cross_entropy(self.model.lm_head(hidden).float(), targets, reduction="none")
        match = torch.tensor([question.kind != "cloze" for question in questions])[owner]
        weight = 1 + 3 * match.float()  # two tokens against a cloze's five
        step(self.optimizer, (weight * each).sum() / weight.sum(), self.parameters)
        self.progress.advance(count)
        self.losses.append((each[~match].mean().item(), each[match].mean().item()))

    def _hidden(self, images: Tensor, ids: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            embedded = self.model.get_input_embeddings()(ids)
            pictures = self.model.model.multi_modal_projector(images)
            start = (ids[0] == self.model.config.image_token_id).nonzero()[0].item()
            embedded = torch.cat([embedded[:, :start], pictures, embedded[:, start + pictures.shape[1] :]], 1)
            states = self.model.model.language_model(inputs_embeds=embedded).last_hidden_state
        wanted = labels[:, 1:] != -100
        return states[:, :-1][wanted].float(), labels[:, 1:][wanted], wanted.nonzero()[:, 0]


def chat_text(processor: LlavaProcessor, question: str) -> str:
    """The prompt as the program builds it, with the image's placeholders spelled out."""
    content = [{"type": "image"}, {"type": "text", "text": question}]
    text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    return str(text).replace("<image>", "<image>" * IMAGE_TOKENS)


def encode_questions(processor: LlavaProcessor, questions: list[Question]) -> tuple[Tensor, Tensor]:
    """Token numbers and labels (-100 outside the answers), padded on the right."""
    tokenizer = processor.tokenizer
    asked = tokenizer([chat_text(processor, question.text) for question in questions], add_special_tokens=False)
    given = tokenizer([f"{question.answer}<end>" for question in questions], add_special_tokens=False)
    pairs = list(zip(asked["input_ids"], given["input_ids"], strict=True))
    length = max(len(prompt) + len(answer) for prompt, answer in pairs)
    ids = torch.zeros(len(pairs), length, dtype=torch.long)
    labels = torch.full_like(ids, -100)
    for row, (prompt, answer) in enumerate(pairs):
        ids[row, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
        labels[row, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
    return ids, labels
