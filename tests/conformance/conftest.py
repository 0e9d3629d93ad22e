"""One builder for each adapter of each protocol; weights are random and tiny, or the pocket ones."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from anomalylmm.records import Image
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


def build_source(name: str, _folder: Path) -> Any:
    from anomalylmm.models.registry import DecodeSpec, build_source

    if name == "fake":
        return fakes.FakeSource()
    return build_source(DecodeSpec(decoder=name, batch_frames=4))


def build_cutter(name: str, _folder: Path) -> Any:
    from anomalylmm.models.video.clips import VideoClips

    return fakes.FakeCutter() if name == "fake" else VideoClips()


def build_detector(name: str, folder: Path) -> Any:
    from anomalylmm.models.registry import DetectorSpec, build_detector
    from tests.anomalylmm.models.tiny_models import save_detector, save_nanodet

    if name == "fake":
        return fakes.FakeDetector()
    runtime = "onnxruntime" if name.endswith("_onnxruntime") else "openvino"
    if name.startswith("pocket"):
        return build_detector(DetectorSpec(weights="pocket/detector", device="cpu", runtime=runtime))
    if name.startswith("nanodet"):
        weights = str(save_nanodet(folder / f"{name}.onnx"))
        return build_detector(DetectorSpec(weights=weights, family="nanodet", device="cpu", imgsz=64, runtime=runtime))
    path = save_detector(folder / f"{name}.onnx", batch="batch" if name.startswith("dynamic") else 1)
    return build_detector(DetectorSpec(weights=str(path), device="cpu", runtime=runtime))


def build_pose(name: str, folder: Path) -> Any:
    from anomalylmm.models.registry import PoseSpec, build_pose
    from tests.anomalylmm.models.tiny_models import save_pose

    if name == "fake":
        return fakes.FakePose()
    runtime = "onnxruntime" if name.endswith("_onnxruntime") else "openvino"
    weights = "pocket/pose" if name.startswith("pocket") else str(save_pose(folder / f"{name}.onnx"))
    return build_pose(PoseSpec(weights=weights, device="cpu", runtime=runtime))


def build_tracker(name: str, _folder: Path) -> Any:
    from anomalylmm.models.registry import TrackerSpec, build_tracker

    return fakes.FakeTracker() if name == "fake" else build_tracker(TrackerSpec(name=name, sample_fps=2.0))


def build_encoder(name: str, folder: Path) -> Any:
    from anomalylmm.models.registry import EncoderSpec, build_encoder
    from tests.anomalylmm.models import tiny_models
    from tests.anomalylmm.models.tiny_qwen import save_qwen3_vl

    if name == "fake":
        return fakes.FakeEncoder()
    if name == "pocket":
        return build_encoder(EncoderSpec(weights="pocket/dual_encoder", device="cpu", batch_size=2))
    if name == "lmm":
        weights = str(save_qwen3_vl(folder / "qwen3_vl"))
        return build_encoder(EncoderSpec(weights=weights, device="cpu", batch_size=2, family="lmm", dimension=16))
    save = {"siglip": tiny_models.save_siglip, "clip": tiny_models.save_clip}[name]
    return build_encoder(EncoderSpec(weights=str(save(folder / name)), device="cpu", batch_size=2))


def build_judge(name: str, folder: Path) -> Any:
    from anomalylmm.models.registry import JudgeSpec, build_judge
    from tests.anomalylmm.models.judge.tiny_judges import save_internvl, save_qwen2_5_vl
    from tests.anomalylmm.models.tiny_models import save_smolvlm
    from tests.anomalylmm.models.tiny_qwen import save_qwen3_vl

    if name == "fake":
        return fakes.FakeJudge()
    savers = {
        "smolvlm": save_smolvlm,
        "qwen2_5_vl": save_qwen2_5_vl,
        "qwen3_vl": save_qwen3_vl,
        "internvl": save_internvl,
        "reranker": save_qwen3_vl,
    }
    weights = str(savers[name](folder / name)) if name in savers else "pocket/judge"
    family = "reranker" if name == "reranker" else "transformers"
    options = {"batch_size": 3, "max_views": 2, "max_new_tokens": 4}
    return build_judge(JudgeSpec(weights=weights, device="cpu", family=family, **options))


BUILDERS: dict[str, tuple[Callable[[str, Path], Any], list[str]]] = {
    "source": (build_source, ["fake", "decord", "pyav"]),
    "cutter": (build_cutter, ["fake", "pyav"]),
    "detector": (
        build_detector,
        [
            "fake",
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
    "encoder": (build_encoder, ["fake", "siglip", "clip", "lmm", "pocket"]),
    "judge": (
        build_judge,
        ["fake", "smolvlm", "qwen2_5_vl", "qwen3_vl", "internvl", "pocket", "reranker", "endpoint"],
    ),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for kind, (_, names) in BUILDERS.items():
        if kind in metafunc.fixturenames:
            metafunc.parametrize(kind, names, indirect=True, scope="session" if kind != "tracker" else "function")


@pytest.fixture(scope="session")
def source(request: pytest.FixtureRequest, folder: Path) -> Any:
    return build_source(request.param, folder)


@pytest.fixture(scope="session")
def cutter(request: pytest.FixtureRequest, folder: Path) -> Any:
    return build_cutter(request.param, folder)


@pytest.fixture(scope="session")
def detector(request: pytest.FixtureRequest, folder: Path) -> Any:
    return build_detector(request.param, folder)


@pytest.fixture(scope="session")
def pose(request: pytest.FixtureRequest, folder: Path) -> Any:
    return build_pose(request.param, folder)


@pytest.fixture
def tracker(request: pytest.FixtureRequest, folder: Path) -> Any:
    return build_tracker(request.param, folder)


@pytest.fixture(scope="session")
def encoder(request: pytest.FixtureRequest, folder: Path) -> Any:
    return build_encoder(request.param, folder)


@pytest.fixture(scope="session")
def judge(request: pytest.FixtureRequest, folder: Path) -> Iterator[Any]:
    if request.param != "endpoint":
        yield build_judge(request.param, folder)
        return
    from anomalylmm.models.registry import EndpointSpec, build_endpoint

    url = request.getfixturevalue("judge_url")
    judge = build_endpoint(EndpointSpec(base_url=url, model="pocket", max_views=2, max_new_tokens=4, concurrency=2))
    yield judge
    judge.close()
