"""One builder for each adapter of each protocol; weights are random and tiny, or the pocket ones."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch

from anomalylmm.records import Image
from tests.adapters import compose
from tests.anomalylmm.models.video.clips import every, write_clip
from tests.conformance import fakes


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def clip(folder: Path) -> Path:
    return write_clip(folder / "clip.mp4", times_ms=every(60))


@pytest.fixture(scope="session")
def pictures() -> list[Image]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (90 + 7 * n, 60 + 5 * n, 3), dtype=np.uint8) for n in range(5)]


def build_cutter(name: str, _folder: Path) -> Any:
    return fakes.FakeCutter() if name == "fake" else compose().clips


def build_detector(name: str, folder: Path) -> Any:
    from tests.anomalylmm.models.tiny_models import save_detector, save_nanodet

    if name == "fake":
        return fakes.FakeDetector()
    if name == "tiled":
        return compose().build_detector(compose().views.default._replace(tiles=2))
    runtime = "onnxruntime" if name.endswith("_onnxruntime") else "openvino"
    if name.startswith("pocket"):
        path, changed = Path("pocket/detector"), {"family": "yolo", "image_size": 640}
    elif name.startswith("nanodet"):
        path, changed = save_nanodet(folder / f"{name}.onnx"), {"family": "nanodet", "image_size": 64}
    else:
        path = save_detector(folder / f"{name}.onnx", batch="batch" if name.startswith("dynamic") else 1)
        changed = {"family": "yolo", "image_size": 640}
    return compose(detector={"weights": str(path), "runtime": runtime, "confidence": 0.25, **changed}).detector


def build_pose(name: str, folder: Path) -> Any:
    from tests.anomalylmm.models.tiny_models import save_pose

    if name == "fake":
        return fakes.FakePose()
    runtime = "onnxruntime" if name.endswith("_onnxruntime") else "openvino"
    weights = "pocket/pose" if name.startswith("pocket") else str(save_pose(folder / f"{name}.onnx"))
    return compose(pose={"weights": weights, "runtime": runtime}).bodies.estimator


def build_tracker(name: str, _folder: Path) -> Any:
    if name == "fake":
        return fakes.FakeTracker()
    return compose(tracker={"name": name, "start_confidence": 0.25}, decode={"sample_fps": 2.0}).build_tracker()


def build_encoder(name: str, folder: Path) -> Any:
    from tests.anomalylmm.models import tiny_models
    from tests.anomalylmm.models.tiny_qwen import save_qwen3_vl

    if name == "fake":
        return fakes.FakeEncoder()
    if name.startswith("pocket"):
        return compose(encoder={"batch_size": 2, "runtime": "torch" if name == "pocket_torch" else "auto"}).encoder
    if name == "lmm":
        weights = str(save_qwen3_vl(folder / "qwen3_vl"))
        return compose(encoder={"weights": weights, "batch_size": 2, "family": "lmm", "dimension": 16}).encoder
    save = {"siglip": tiny_models.save_siglip, "clip": tiny_models.save_clip}[name]
    return compose(encoder={"weights": str(save(folder / name)), "batch_size": 2}).encoder


def build_judge(name: str, folder: Path) -> Any:
    from tests.anomalylmm.models.judge.tiny_judges import SAVERS

    if name == "fake":
        return fakes.FakeJudge()
    savers = {**SAVERS, "reranker": SAVERS["qwen3_vl"]}
    weights = str(savers[name](folder / name)) if name in savers else "pocket/judge"
    family = "reranker" if name == "reranker" else "transformers"
    runtime = "torch" if name == "pocket_torch" else "auto"
    options = {"batch_size": 3, "max_views": 2, "max_new_tokens": 4, "runtime": runtime}
    return compose(judge={"weights": weights, "family": family, **options}).judge


BUILDERS: dict[str, tuple[Callable[[str, Path], Any], list[str]]] = {
    "source": (fakes.FakeSource, ["fake", "decord", "pyav"]),
    "cutter": (build_cutter, ["fake", "pyav"]),
    "detector": (
        build_detector,
        [
            "fake",
            "tiled",
            *(
                f"{name}{runtime}"
                for name in ("fixed", "dynamic", "nanodet", "pocket")
                for runtime in ("", "_onnxruntime")
            ),
        ],
    ),
    "pose": (
        build_pose,
        ["fake", *(f"{name}{runtime}" for name in ("tiny", "pocket") for runtime in ("", "_onnxruntime"))],
    ),
    "tracker": (build_tracker, ["fake", "bytetrack", "botsort"]),
    "encoder": (build_encoder, ["fake", "siglip", "clip", "lmm", "pocket", "pocket_torch"]),
    "judge": (
        build_judge,
        ["fake", "smolvlm", "qwen2_5_vl", "qwen3_vl", "internvl", "pocket", "pocket_torch", "reranker", "endpoint"],
    ),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for kind, (_, names) in BUILDERS.items():
        if kind in metafunc.fixturenames:
            metafunc.parametrize(kind, names, indirect=True, scope="session" if kind != "tracker" else "function")


def _give(build: Callable[[str, Path], Any], scope: Literal["session", "function"] = "session") -> Any:
    """Makes the fixture that builds the adapter a test is run with."""

    @pytest.fixture(scope=scope)
    def adapter(request: pytest.FixtureRequest, folder: Path) -> Any:
        return build(request.param, folder)

    return adapter


cutter, detector, pose, encoder = map(_give, (build_cutter, build_detector, build_pose, build_encoder))
tracker = _give(build_tracker, "function")


@pytest.fixture(scope="session")
def source(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "fake":
        yield fakes.FakeSource()
        return
    with compose(decode={"decoder": request.param, "batch_frames": 4}).source.keep_open() as kept:
        yield kept


@pytest.fixture(scope="session")
def judge(request: pytest.FixtureRequest, folder: Path) -> Iterator[Any]:
    if request.param != "endpoint":
        yield build_judge(request.param, folder)
        return
    endpoint = {"base_url": request.getfixturevalue("judge_url"), "model": "pocket", "concurrency": 2}
    judge = compose(judge={"family": "endpoint", "max_views": 2, "max_new_tokens": 4, "endpoint": endpoint}).judge
    yield judge
    judge.close()
