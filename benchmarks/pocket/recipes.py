"""The recipes in order, and their evaluation, as the command line calls them."""

import json
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.pocket.data import Crops
from benchmarks.pocket.progress import Progress, load_checkpoint

TRAINED = ("vision", "texts", "judge", "detector")
MEASURED = ("encoder", "judge", "detector")


def train(
    *,
    data: Path,
    out: Path,
    minutes: float,
    what: str,
    start: Path | None,
    threads: int,
    tile: int,
    shards: int,
    device: str,
) -> None:
    """Train what was asked for, each within its own time budget."""
    torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    for name in TRAINED if what == "all" else (what,):
        options = {"tile": tile} if name == "detector" else {"shards": shards}
        _TRAINERS[name](data, out, minutes, start, device=device, **options)


def take_in_street(*, data: Path, video: Path, teacher: Path | None, rooms: Path | None) -> None:
    """Cut a real street's labeled crops, with a teacher its tiles, and the crops of real rooms."""
    from benchmarks.pocket.real import write_real_crops

    write_real_crops(video, data / "crops")
    if rooms:
        from benchmarks.pocket.real_rooms import write_room_crops

        print(f"{write_room_crops(rooms, data / 'crops')} crops of real rooms")
    if teacher:
        from benchmarks.pocket.teacher import write_real_tiles

        print(f"{write_real_tiles(video, teacher, data / 'tiles' / 'train')} real tiles")


def evaluate(*, data: Path, weights: Path, split: str, what: str) -> None:
    """Print rendered figures as JSON."""
    from benchmarks.pocket import evaluation

    wanted = MEASURED if what == "all" else (what,)
    print(json.dumps(evaluation.measure(data, weights, split, wanted), indent=1))


def ship(
    *,
    data: Path,
    out: Path,
    weights: Path,
    what: str,
    figures: Path | None,
    version: str,
    note: str,
    shards: int,
    halfway: bool,
) -> None:
    """Put finished weights into the package, whole, with cards that say where they come from."""
    from benchmarks.pocket import cards
    from benchmarks.pocket.graphs import write_graphs

    crops = Crops(data / "crops", "train", keep_held_out=False)
    crops.refresh(shards)
    measured = json.loads(figures.read_text(encoding="utf-8")) if figures else {}
    for name in MEASURED if what == "all" else (what,):
        kind, seeds, recipe = _CARDS[name]
        card = cards.Card(
            model_id=f"pocket-{kind.replace('_', '-')}-{version}",
            kind=kind,
            trained_on=_trained_on(name, data, crops),
            recipe=f"benchmarks/pocket: {recipe}{note and '; ' + note}",
            seeds=seeds,
            figures=cards.flatten(measured.get(name, {}), measured.get("split", "")),
        )
        cards.write_cards(out / kind, card)
        if name != "detector":
            cards.write_words(out / kind, crops.rows)
            cards.write_notice(out / kind, crops.rows)
        if halfway:
            average(weights / kind, out / kind)
        if name != "detector":
            write_graphs(out / kind)
        cards.publish(out / kind, weights / kind)


def average(earlier: Path, later: Path) -> None:
    """Put the mean of two sets of weights of one shape in place of the later one.

    Training from a finished set gains on what it sees and loses some of the rest; half way there it keeps most of both.
    """
    from safetensors.torch import load_file, save_file

    before, after = (load_file(folder / "model.safetensors") for folder in (earlier, later))
    mean = {name: ((before[name].float() + value.float()) / 2).to(value.dtype) for name, value in after.items()}
    save_file(mean, later / "model.safetensors", metadata={"format": "pt"})


def _tile_count(data: Path, pattern: str = "*.jpg") -> int:
    return len(list((data / "tiles" / "train" / "images").glob(pattern)))


def _trained_on(name: str, data: Path, crops: Crops) -> str:
    if name == "detector":
        real = _tile_count(data, "real-*.jpg")
        return f"{_tile_count(data) - real} rendered 320 px tiles and {real} of a real street, labeled by a teacher"
    rooms = sum(crops.rows[number]["place"] == "room" for number in crops.real)
    parts = [f"{len(crops) - len(crops.real)} rendered crops of 160 px (training split)"]
    parts += [f"{street} of a real street (first 60 % of it)"] if (street := len(crops.real) - rooms) else []
    parts += [f"{rooms} of real rooms and shops (the part of benchmarks/real that may be learned)"] if rooms else []
    return f"{', '.join(parts)}; captions of the grammar"


def _train_vision(data: Path, out: Path, minutes: float, start: Path | None, *, shards: int, device: str) -> None:
    from benchmarks.pocket.encoder import EncoderModel, VisionTrainer

    encoder, trained = EncoderModel(), bool(start and start.is_dir())
    if start and trained:
        from benchmarks.pocket.warm_start import adopt

        print(f"{adopt(encoder.model.vision_model, start)} tensors taken over from {start}")
        start = None
    crops, progress = _training_crops(data, shards), Progress(60 * minutes)
    VisionTrainer(encoder, crops, out, progress, start=start, trained=trained, device=device).run()


def _train_texts(data: Path, out: Path, minutes: float, start: Path | None, *, shards: int, device: str) -> None:
    from benchmarks.pocket.encoder import EncoderModel, TextTrainer

    encoder = EncoderModel()
    if start:
        from benchmarks.pocket.warm_start import adopt_language

        earlier = type(encoder.model).from_pretrained(start, dtype=torch.float32)
        print(f"{adopt_language(encoder.model, earlier, str(start))} tensors taken over from {start}")
    load_checkpoint(out / "vision.ckpt", Progress(1.0), tower=encoder.model.vision_model)
    TextTrainer(encoder, _training_crops(data, shards), out, Progress(60 * minutes), device=device).run()
    encoder.save(out / "dual_encoder")


def _train_judge(data: Path, out: Path, minutes: float, start: Path | None, *, shards: int, device: str) -> None:
    from benchmarks.pocket.judge import JudgeTrainer

    JudgeTrainer(_training_crops(data, shards), out, Progress(60 * minutes), start=start, device=device).run()


def _train_detector(data: Path, out: Path, minutes: float, start: Path | None, *, tile: int, device: str) -> None:
    from benchmarks.pocket.detector import train_detector

    model = str(start or "yolo26n.yaml")
    if start and start.suffix == ".onnx":
        from benchmarks.pocket.warm_start import write_checkpoint

        pictures = sorted((data / "tiles" / "train" / "images").glob("*.jpg"))[:: 1 + _tile_count(data) // 480]
        model = str(write_checkpoint(start, pictures, out, tile))
    train_detector(data / "tiles", out, minutes=minutes, epochs=30, image_size=tile, model=model, device=device)


def _training_crops(data: Path, shards: int) -> Crops:
    crops = Crops(data / "crops", "train", keep_held_out=False)
    if not crops.refresh(shards):
        raise SystemExit(f"no complete training shard under {data / 'crops'}; render some first")
    return crops


_TRAINERS: dict[str, Callable[..., None]] = {
    "vision": _train_vision,
    "texts": _train_texts,
    "judge": _train_judge,
    "detector": _train_detector,
}
_CARDS: dict[str, tuple[str, dict[str, int], str]] = {
    "encoder": (
        "dual_encoder",
        {"torch": 0, "captions": 11, "augmentation": 12},
        "VisionTextDualEncoderModel, ResNet and 2 transformer layers (DPT hybrid) at 96, then 128 px, BERT text tower; "
        "vision on attributes, joints and parts, then texts by the sigmoid loss with all fitting captions as positives",
    ),
    "judge": (
        "judge",
        {"torch": 1, "questions": 21},
        "LlavaForConditionalGeneration on the dual encoder's frozen vision tower, 65 image tokens, 3 Llama layers; "
        "clozes and yes/no with one wrong fact, several questions packed behind one picture",
    ),
    "detector": ("detector", {"ultralytics": 0}, "ultralytics, YOLO26n at 320 px, AdamW"),
}
