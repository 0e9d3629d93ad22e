"""A detector whose normalization was folded for export is made trainable again without changing what it computes."""

import copy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoProcessor

from benchmarks.pocket.detector import offline_ultralytics
from benchmarks.pocket.recipes import average
from benchmarks.pocket.tokens import build_judge_processor, known_words
from benchmarks.pocket.towers import STRIDE, build_judge
from benchmarks.pocket.warm_start import adopt, adopt_language, unfold

SIZE = 64
SHIPPED = Path(__file__).parents[2] / "anomalylmm/weights/pocket/judge"


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(1)
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for path in paths:
        cv2.imwrite(str(path), rng.integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8))
    return paths


def _model() -> Any:
    from ultralytics.nn.tasks import DetectionModel

    model = DetectionModel("yolo26n.yaml", nc=1, verbose=False).eval()
    model.model[-1].end2end = False
    return model


def _folded(model: Any) -> dict[str, torch.Tensor]:
    weights = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            weights[f"{name}.weight"] = module.weight.data.clone()
            bias = torch.zeros(len(module.weight)) if module.bias is None else module.bias.data
            weights[f"{name}.bias"] = bias.clone()
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            conv = name.removesuffix("bn") + "conv"
            scale = module.weight.data / (module.running_var + module.eps).sqrt()
            weights[f"{conv}.weight"] = weights[f"{conv}.weight"] * scale[:, None, None, None]
            weights[f"{conv}.bias"] = module.bias.data - module.running_mean * scale
    return weights


def test_the_unfolded_detector_computes_what_the_folded_one_does(pictures: list[Path], tmp_path: Path) -> None:
    offline_ultralytics(tmp_path / "settings")
    torch.manual_seed(2)
    trained = _model()
    for module in trained.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.1)
    again = copy.deepcopy(trained)
    for parameter in again.parameters():
        parameter.data.zero_()
    unfold(again, _folded(trained), pictures, SIZE)
    picture = torch.rand(1, 3, SIZE, SIZE)
    with torch.no_grad():
        expected, given = trained(picture), again(picture)
    torch.testing.assert_close(given[0], expected[0], atol=2e-3, rtol=1e-3)
    norms = [m for m in again.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert any(float(norm.running_mean.abs().max()) > 1e-3 for norm in norms)


class _Tower(torch.nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.backbone = torch.nn.Conv2d(3, width, 3)
        self.head = torch.nn.Linear(4, 4)
        self.register_buffer("count", torch.tensor(width))


def _ship(tower: torch.nn.Module, folder: Path) -> None:
    from safetensors.torch import save_file

    named = {f"vision_model.{name}": value.clone() for name, value in tower.state_dict().items()}
    save_file(named | {"text_model.weight": torch.zeros(2)}, folder / "model.safetensors")


def test_a_tower_of_the_same_shape_is_taken_over_whole(tmp_path: Path) -> None:
    shipped, fresh = _Tower(5), _Tower(5)
    _ship(shipped, tmp_path)
    assert adopt(fresh, tmp_path) == 5
    assert all(
        torch.equal(a, b) for a, b in zip(fresh.state_dict().values(), shipped.state_dict().values(), strict=True)
    )


def test_of_a_tower_of_another_width_the_common_part_of_its_convolutions_is(tmp_path: Path) -> None:
    shipped, fresh = _Tower(3), _Tower(5)
    _ship(shipped, tmp_path)
    before = copy.deepcopy(fresh.state_dict())
    assert adopt(fresh, tmp_path) == 2
    assert torch.equal(fresh.backbone.weight[:3], shipped.backbone.weight)
    assert torch.equal(fresh.backbone.weight[3:], before["backbone.weight"][3:])
    assert torch.equal(fresh.head.weight, before["head.weight"])


class _Judge(torch.nn.Module):
    def __init__(self, words: int) -> None:
        super().__init__()
        self.vision_tower = torch.nn.Linear(2, 2)
        self.language = torch.nn.Embedding(words, 3)


def test_an_earlier_judge_is_taken_over_but_for_its_vision_tower() -> None:
    earlier, fresh = _Judge(5).half(), _Judge(5)
    before = fresh.vision_tower.weight.clone()
    assert adopt_language(fresh, earlier, "judge") == 1
    torch.testing.assert_close(fresh.language.weight, earlier.language.weight.float())
    assert torch.equal(fresh.vision_tower.weight, before)


def test_a_judge_of_another_vocabulary_is_refused() -> None:
    with pytest.raises(SystemExit, match="judge has another shape"):
        adopt_language(_Judge(5), _Judge(6), "judge")


def test_the_shipped_judge_is_one_that_a_training_can_begin_from() -> None:
    processor = build_judge_processor(known_words(), patch_size=STRIDE, extra_image_tokens=1)
    fresh = build_judge(processor.tokenizer)
    shipped = type(fresh).from_pretrained(SHIPPED, dtype=torch.float32)
    assert adopt_language(fresh, shipped, "judge") > 20
    assert torch.equal(fresh.lm_head.weight, shipped.lm_head.weight)
    assert processor.tokenizer.get_vocab() == AutoProcessor.from_pretrained(SHIPPED).tokenizer.get_vocab()


def test_half_way_between_two_sets_is_their_mean(tmp_path):
    for name, value in (("earlier", 1.0), ("later", 4.0)):
        (tmp_path / name).mkdir()
        save_file({"weight": torch.full((2, 3), value, dtype=torch.float16)}, tmp_path / name / "model.safetensors")
    average(tmp_path / "earlier", tmp_path / "later")
    mean = load_file(tmp_path / "later" / "model.safetensors")["weight"]
    assert mean.dtype == torch.float16
    assert (mean == 2.5).all()
