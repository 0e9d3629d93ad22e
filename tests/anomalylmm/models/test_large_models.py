"""Real weights and GPUs: skipped where there are none, failed where they are promised.

``ANOMALYLMM_GPU=1`` promises a GPU. ``ANOMALYLMM_WEIGHTS`` names a folder that holds the folders of the models below.
"""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from anomalylmm.models.weights import ResolvedWeights, WeightsKind
from anomalylmm.records import Image
from anomalylmm.rerank.prompts import write_affirm_prompt
from tests.adapters import build_judge, build_lmm_encoder, build_reranker
from tests.anomalylmm.models.tiny_models import resolved
from tests.anomalylmm.models.tiny_qwen import save_qwen3_vl

JUDGES = ("SmolVLM2-500M-Video-Instruct", "Qwen3-VL-2B-Instruct")
RERANKER, EMBEDDER = "Qwen3-VL-Reranker-2B", "Qwen3-VL-Embedding-2B"
COLORS = {"red": (220, 30, 30), "blue": (30, 60, 220)}


def draw(color: str) -> Image:
    """A disk of a color on gray."""
    image = np.full((256, 192, 3), 128, np.uint8)
    cv2.circle(image, (96, 128), 70, COLORS[color], -1)
    return image


@pytest.fixture
def _gpu() -> None:
    if torch.cuda.is_available():
        return
    if os.environ.get("ANOMALYLMM_GPU") == "1":
        pytest.fail("ANOMALYLMM_GPU=1 promises a GPU, but torch sees none")
    pytest.skip("no GPU")


def find(name: str, kind: WeightsKind) -> ResolvedWeights:
    """Finds a model's folder; fails where the folder of folders is named and does not hold it."""
    named = os.environ.get("ANOMALYLMM_WEIGHTS")
    if not named:
        pytest.skip("ANOMALYLMM_WEIGHTS names no folder of weights")
    path = Path(named) / name
    if not path.is_dir():
        pytest.fail(f"ANOMALYLMM_WEIGHTS={named} promises {name}, but {path} is not there")
    return resolved(path, kind)


@pytest.mark.gpu
@pytest.mark.usefixtures("_gpu")
def test_a_gpu_gives_what_a_cpu_gives(tmp_path: Path) -> None:
    weights = resolved(save_qwen3_vl(tmp_path / "qwen"), "judge")
    views, answers = [[draw("red")], [draw("blue")]], ["falling down", "running"]
    scores = [
        build_judge(weights, device=device, dtype="float32").score_answers(views, "a man is", answers)
        for device in ("cpu", "cuda")
    ]
    np.testing.assert_allclose(*scores, atol=1e-2)


@pytest.mark.weights
@pytest.mark.parametrize("name", JUDGES)
def test_a_large_judge_tells_colors_apart(name: str) -> None:
    judge = build_judge(find(name, "judge"), device="auto")
    scores = judge.score_answers([[draw("red")], [draw("blue")]], "What color is the disk?", ["red", "blue"])
    assert scores[0, 0] > scores[0, 1]
    assert scores[1, 1] > scores[1, 0]
    assert judge._scorer.uses_cache
    margins = judge.affirm([[draw("red")], [draw("blue")]], write_affirm_prompt("a red disk"))
    assert margins[0] > margins[1]


@pytest.mark.weights
def test_a_large_reranker_tells_colors_apart() -> None:
    judge = build_reranker(find(RERANKER, "judge"), device="auto")
    margins = judge.affirm([[draw("red")], [draw("blue")]], write_affirm_prompt("a red disk"))
    assert margins[0] > margins[1]


@pytest.mark.weights
def test_a_large_embedder_puts_sentences_beside_their_pictures() -> None:
    encoder = build_lmm_encoder(find(EMBEDDER, "dual_encoder"), device="auto", dimension=1024)
    cosines = encoder.encode_images([draw("red"), draw("blue")]) @ encoder.encode_texts(["a red disk", "a blue disk"]).T
    assert cosines[0, 0] > cosines[0, 1]
    assert cosines[1, 1] > cosines[1, 0]
