"""Adapters are built from records; importing the registry is light."""

import subprocess
import sys

import pytest

from anomalylmm.errors import ConfigurationError
from anomalylmm.models.registry import (
    DetectorSpec,
    EncoderSpec,
    EndpointSpec,
    JudgeSpec,
    build_detector,
    build_judge,
    resolve_weights,
)
from anomalylmm.models.video.frames import child_environment


def test_importing_the_registry_loads_no_model_library() -> None:
    program = (
        "import sys, anomalylmm.models.registry\n"
        "assert not {'torch', 'transformers', 'ultralytics', 'decord', 'av'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env=child_environment())


def test_weights_are_resolved_by_the_kind_of_the_record() -> None:
    assert resolve_weights(DetectorSpec(weights="pocket/detector")).path.suffix == ".onnx"
    assert resolve_weights(EncoderSpec(weights="pocket/dual_encoder")).path.name == "dual_encoder"
    assert resolve_weights(JudgeSpec(weights="pocket/judge")).path.name == "judge"


def test_unknown_families_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="yolo"):
        build_detector(DetectorSpec(weights="pocket/detector", family="hog"))
    with pytest.raises(ConfigurationError, match="transformers"):
        build_judge(JudgeSpec(weights="pocket/judge", family="oracle"))


def test_an_endpoint_is_built_without_a_model_library() -> None:
    program = (
        "import sys\n"
        "from anomalylmm.models.registry import EndpointSpec, build_endpoint\n"
        "build_endpoint(EndpointSpec(base_url='http://127.0.0.1:1/v1', model='m')).close()\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env=child_environment())


def test_a_key_is_not_shown() -> None:
    assert "sekret" not in repr(EndpointSpec(base_url="http://127.0.0.1:1/v1", model="m", api_key="sekret"))
