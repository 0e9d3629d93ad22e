"""Train the pocket judge on the dual encoder's vision tower: clozes, and yes or no to captions with one wrong fact."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModel, LlavaProcessor

from benchmarks.pocket.data import LABELS, MISSING, Crops
from benchmarks.pocket.encoder import SEEDS as ENCODER_SEEDS
from benchmarks.pocket.encoder import VIEWS
from benchmarks.pocket.features import crop_features
from benchmarks.pocket.precision import mixed
from benchmarks.pocket.progress import Progress, load_checkpoint, save_checkpoint, save_half, set_rate, step
from benchmarks.pocket.prompts import Question, ask_set
from benchmarks.pocket.tokens import build_judge_processor, known_words
from benchmarks.pocket.towers import IMAGE_TOKENS, STRIDE, WIDTH, build_judge
from benchmarks.pocket.warm_start import adopt_language

_BATCHES = {"short": (20, 0.4), "medium": (14, 0.3), "long": (10, 0.15), "full": (8, 0.15)}  # crops of one style
_PEAK = 1.5e-3
_MATCH_WEIGHT = 2.0  # two tokens against a cloze's five
SEEDS = {"torch": 1, "questions": 21}


class Insight(nn.Module):
    """Attributes read from the language model where it has seen the whole picture; thrown away afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.classes = nn.ModuleDict({name: nn.Linear(WIDTH, count) for name, count in LABELS.items()})

    def forward(self, states: Tensor, labels: Tensor) -> Tensor:
        """Mean loss over the attributes that N crops have; N,D and N,L."""
        losses = []
        for column, head in enumerate(self.classes.values()):
            known = labels[:, column] != MISSING
            if known.any():
                losses.append(functional.cross_entropy(head(states[known]), labels[known, column]))
        return torch.stack(losses).mean()


@dataclass
class JudgeTrainer:
    """Everything one training of the judge holds."""

    crops: Crops
    out: Path
    progress: Progress
    start: Path | None = None  # an earlier check-point or finished judge, whose language part is the beginning
    device: str = "cpu"
    rng: random.Random = field(default_factory=lambda: random.Random(SEEDS["questions"]))

    def __post_init__(self) -> None:
        torch.manual_seed(SEEDS["torch"])
        self.processor: LlavaProcessor = build_judge_processor(known_words(), patch_size=STRIDE, extra_image_tokens=1)
        self.model = build_judge(self.processor.tokenizer).to(self.device).train()
        self.insight = Insight().to(self.device)
        # whether the picture agrees, read at each claimed word; thrown away too
        self.agreement = nn.Linear(WIDTH, 1, device=self.device)
        self.model.model.vision_tower.eval().requires_grad_(False)
        self.parameters = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.parameters += [*self.insight.parameters(), *self.agreement.parameters()]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=_PEAK, weight_decay=0.05, betas=(0.9, 0.98))
        weights = {"model": self.model, "insight": self.insight}
        self.parts: dict[str, Any] = weights | {"agreement": self.agreement, "optimizer": self.optimizer}
        if not load_checkpoint(self.out / "judge.ckpt", self.progress, **self.parts) and self.start:
            if self.start.is_dir():
                earlier = type(self.model).from_pretrained(self.start, dtype=torch.float32)
                print(f"{adopt_language(self.model, earlier, str(self.start))} tensors taken over from {self.start}")
            else:
                load_checkpoint(self.start, Progress(1.0), **weights)
        encoder = AutoModel.from_pretrained(self.out / "dual_encoder", dtype=torch.float32)
        tower = self.model.model.vision_tower
        tower.load_state_dict(encoder.vision_model.state_dict())
        seed = ENCODER_SEEDS["augmentation"]
        self.features = crop_features(tower, self.crops, self.out / "features.pt", views=VIEWS, seed=seed)
        self.losses: list[tuple[float, ...]] = []

    def run(self) -> None:
        """Train until the time is used, then write the weights."""
        self.progress.start()
        while not self.progress.done:
            self._step()
            if self.progress.due("logged", 30):
                cloze, match, insight, agreement = torch.tensor(self.losses[-100:]).nanmean(0).tolist()
                rate = self.progress.seen / self.progress.used
                print(f"{self.progress.used:.0f} s, {rate:.0f} questions/s, cloze {cloze:.3f}, ", end="")
                print(f"match {match:.3f}, insight {insight:.3f}, agreement {agreement:.3f}", flush=True)
            if self.progress.due("saved", 120):
                save_checkpoint(self.out / "judge.ckpt", self.progress, **self.parts)
        save_checkpoint(self.out / "judge.ckpt", self.progress, **self.parts)
        self.save()

    def save(self) -> None:
        """Write the model as the program loads it (in half precision)."""
        folder = self.out / "judge"
        generation = self.model.generation_config
        generation.eos_token_id, generation.pad_token_id = self.processor.tokenizer.eos_token_id, 0
        save_half(self.model, folder)
        self.processor.save_pretrained(folder)

    def _step(self) -> None:
        style = self.rng.choices(list(_BATCHES), [share for _, share in _BATCHES.values()])[0]
        chosen = torch.randint(len(self.crops), (_BATCHES[style][0],)).tolist()
        others = self.rng.choices(self.crops.rows, k=len(chosen))
        asked = [
            ask_set(self.crops.rows[number], other, self.rng, style=style)
            for number, other in zip(chosen, others, strict=True)
        ]
        packed = pack(self.processor, asked).to(self.device)
        set_rate(self.optimizer, self.progress.rate(_PEAK))
        images = self.features[torch.randint(VIEWS, (len(chosen),)), chosen].to(self.device).float()
        with mixed(self.device):
            before, states = packed_states(self.model, images, packed)
            logits = self.model.lm_head(states[:, :-1][packed.wanted])
        each = functional.cross_entropy(logits.float(), packed.targets, reduction="none")
        weight = torch.where(packed.match, _MATCH_WEIGHT, 1.0)
        insight = self.insight(states[:, packed.prefix - 1].float(), self.crops.labels[chosen].to(self.device))
        words = before[packed.claims[0], packed.claims[1]].float()  # where the last layer can still gather it
        claimed = self.agreement(functional.layer_norm(words, (WIDTH,)))[:, 0]
        agreement = functional.binary_cross_entropy_with_logits(claimed, packed.claims[2].float())
        loss = (weight * each).sum() / weight.sum() + 0.5 * insight + agreement
        step(self.optimizer, loss, self.parameters)
        self.progress.advance(sum(map(len, asked)))
        apart = (each[~packed.match].mean(), each[packed.match].mean(), insight, agreement)
        self.losses.append(tuple(value.item() for value in apart))


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Several questions on each picture behind one picture; N rows of T tokens, the picture's included."""

    ids: Tensor  # N,T; 0 where the picture or nothing stands
    positions: Tensor  # N,T; each question begins where the picture ends
    mask: Tensor  # N,1,T,T, added to attention: a question sees the picture and itself
    wanted: Tensor  # N,T-1: tokens whose successor belongs to an answer
    targets: Tensor  # those successors
    match: Tensor  # which of them answer yes or no
    claims: Tensor  # 3,C: row, place and truth of the words that yes-or-no questions claim
    prefix: int  # tokens of the picture and of what stands before it

    def to(self, device: str) -> "Packed":
        """The same questions on a device."""
        moved = {f.name: getattr(self, f.name) for f in fields(self)}
        return Packed(**{name: v.to(device) if isinstance(v, Tensor) else v for name, v in moved.items()})


def pack(processor: LlavaProcessor, asked: Sequence[Sequence[Question]]) -> Packed:
    """Lay out the questions on N pictures so that each picture is computed once."""
    before, after = chat_text(processor, "").split("<image>" * IMAGE_TOKENS)
    opening, closing = (processor.tokenizer(text, add_special_tokens=False)["input_ids"] for text in (before, after))
    prefix = len(opening) + IMAGE_TOKENS
    flat = [question for questions in asked for question in questions]
    coded = processor.tokenizer(
        [question.text for question in flat], add_special_tokens=False, return_offsets_mapping=True
    )
    texts, ends = coded["input_ids"], [[end for _, end in spans] for spans in coded["offset_mapping"]]
    answers = processor.tokenizer([f"{q.answer}<end>" for q in flat], add_special_tokens=False)["input_ids"]
    pieces = iter(zip(flat, zip(texts, ends, strict=True), answers, strict=True))
    rows = [[next(pieces) for _ in questions] for questions in asked]
    length = prefix + max(sum(len(t) + len(closing) + len(a) for _, (t, _), a in row) for row in rows)
    ids, branch = (torch.zeros(len(rows), length, dtype=torch.long) for _ in range(2))
    positions = torch.arange(length).repeat(len(rows), 1)
    answered, match = (torch.zeros(len(rows), length, dtype=torch.bool) for _ in range(2))
    ids[:, : len(opening)] = torch.tensor(opening)
    branch[:, prefix:] = -1
    claims: list[tuple[int, int, int]] = []
    for index, row in enumerate(rows):
        at = prefix
        for number, (question, (text, places), answer) in enumerate(row, start=1):
            tokens = [*text, *closing, *answer]
            end = at + len(tokens)
            ids[index, at:end], branch[index, at:end] = torch.tensor(tokens), number
            positions[index, at:end] = torch.arange(prefix, prefix + len(tokens))
            answered[index, end - len(answer) : end] = True
            match[index, at:end] = question.kind != "cloze"
            claims += [(index, at + places.index(place), int(truth)) for place, truth in question.claims]
            at = end
    wanted = answered[:, 1:]
    return Packed(
        ids=ids,
        positions=positions,
        mask=_branch_mask(branch),
        wanted=wanted,
        targets=ids[:, 1:][wanted],
        match=match[:, 1:][wanted],
        claims=torch.tensor(claims, dtype=torch.long).view(-1, 3).T,
        prefix=prefix,
    )


def _branch_mask(branch: Tensor) -> Tensor:
    """0 where a token may look, very negative elsewhere; N,1,T,T of N,T branch numbers (0: the picture)."""
    length = branch.shape[1]
    same = (branch[:, None] == branch[:, :, None]) | (branch[:, None] == 0)
    allowed = same & torch.ones(length, length, dtype=torch.bool).tril()
    return torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)[:, None]


def packed_states(model: Any, images: Tensor, packed: Packed) -> tuple[Tensor, Tensor]:
    """Hidden states N,T,D of packed questions on N pictures' features N,1+P,D: before the last layer, and last."""
    embedded = model.get_input_embeddings()(packed.ids)
    pictures = model.model.multi_modal_projector(images)
    start = packed.prefix - pictures.shape[1]
    embedded = torch.cat([embedded[:, :start], pictures, embedded[:, packed.prefix :]], 1)
    language = model.model.language_model
    told = language(
        inputs_embeds=embedded,
        attention_mask=packed.mask,
        position_ids=packed.positions,
        use_cache=False,
        output_hidden_states=True,
    )
    return told.hidden_states[-2], told.last_hidden_state


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
