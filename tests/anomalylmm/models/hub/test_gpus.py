"""Whether a GPU is possible."""

from pathlib import Path

import pytest

from anomalylmm.models.hub import gpus
from anomalylmm.models.hub.gpus import may_have_gpu


@pytest.mark.parametrize("name", ["nvidiactl", "nvidia0", "dxg", "kfd"])
def test_a_drivers_device_file_makes_a_gpu_possible(tmp_path: Path, name: str) -> None:
    assert not may_have_gpu(tmp_path)
    (tmp_path / name).touch()
    assert may_have_gpu(tmp_path)


def test_on_other_systems_torch_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus.sys, "platform", "darwin")
    assert may_have_gpu(tmp_path)
