"""Pictures are scaled as torch scales them."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoProcessor

from anomalylmm.errors import WeightsError
from anomalylmm.models.onnx.pixels import PixelReader
from anomalylmm.models.weights import ResolvedWeights, resolve

WEIGHTS = resolve("pocket/judge", "judge")
SIDES = [(8, 8), (30, 50), (97, 128), (128, 128), (128, 300), (190, 187), (224, 224), (641, 333)]
needs_avx2 = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in {"AVX2", "AVX512"}, reason="torch rounds otherwise here"
)


@needs_avx2
@pytest.mark.parametrize("sides", SIDES)
def test_every_pixel_is_that_of_the_models_own_processor(sides: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*sides, 3), dtype=np.uint8)
    processor: Any = AutoProcessor.from_pretrained(WEIGHTS.path).image_processor
    wanted = processor(images=[image, image], return_tensors="np", input_data_format="channels_last")["pixel_values"]
    np.testing.assert_allclose(PixelReader.of(WEIGHTS).read([image, image]), wanted, atol=1e-6)


def test_an_even_picture_stays_even() -> None:
    pixels = PixelReader.of(WEIGHTS).read([np.full((333, 77, 3), 200, np.uint8)])
    np.testing.assert_allclose(pixels, (200 / 255 - 0.5) / 0.5, atol=1e-6)


@pytest.mark.parametrize("changed", [{"do_center_crop": True}, {"resample": 3}, {"size": {"shortest_edge": 9}}])
def test_a_processor_that_does_something_else_is_refused(tmp_path: Path, changed: dict[str, Any]) -> None:
    folder = tmp_path / "judge"
    shutil.copytree(WEIGHTS.path, folder)
    file = folder / "processor_config.json"
    config = json.loads(file.read_text())
    config["image_processor"] |= changed
    file.write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="processor_config"):
        PixelReader.of(ResolvedWeights(path=folder, model_id="x", digest="x", license="x", source="local"))
