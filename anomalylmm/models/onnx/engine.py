"""Runs an ONNX file of one input and one output: by OpenVINO on a CPU, a picture a core, else by ONNX Runtime."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from anomalylmm.errors import WeightsError
from anomalylmm.models.onnx.openvino_copy import wants_openvino
from anomalylmm.models.onnx.openvino_streams import MAX_STREAMS, StreamedModel, num_cores
from anomalylmm.records import Floats

LOGGER = logging.getLogger(__name__)
GPU_PROVIDER = "CUDAExecutionProvider"


class OnnxEngine:
    """A model that is called with batches."""

    def __init__(self, path: Path, *, device: str, runtime: str, per_request: int = 1) -> None:
        """Loads the model.

        Args:
            path: The ``.onnx`` file.
            device: ``"cpu"`` or ``"cuda:0"``.
            runtime: ``"openvino"``, ``"onnxruntime"``, or ``"auto"`` for the first that can.
            per_request: Most pictures that OpenVINO computes at once on one stream; small ones take less that way.

        Raises:
            WeightsError: The file is damaged, or nothing that is installed can run it on this device.
        """
        try:
            self._run: Any = self._open(path, device, runtime, per_request)
        except WeightsError:
            raise
        except Exception as error:  # the errors of onnxruntime and openvino have no base in common
            raise WeightsError(f"{path} can't be loaded as an ONNX model: {error}; fetch it again") from error
        self.input_shape: tuple[int, ...] = self._run.input_shape  # -1 where a side may be any

    def _open(self, path: Path, device: str, runtime: str, per_request: int) -> Any:
        if not wants_openvino(path, device, runtime):
            return _Session(path, device)
        try:
            return StreamedModel(path, min(MAX_STREAMS, num_cores()), per_request)
        except RuntimeError as error:
            if runtime == "openvino":
                raise WeightsError(
                    f'{path} can\'t be run by OpenVINO: {error}; set runtime = "onnxruntime" for this model'
                ) from error
            LOGGER.warning("%s can't be run by OpenVINO: %s; ONNX Runtime runs it", path, error)
            return _Session(path, device)

    def __call__(self, batch: Floats) -> Floats:
        """Runs a batch (N, ...) and gives the first output, (N, ...); no picture changes what another one gives."""
        return np.asarray(self._run(np.ascontiguousarray(batch, np.float32))[0], np.float32)


def can_use_gpu() -> bool:
    """Returns whether the installed ONNX Runtime was built for GPUs."""
    import onnxruntime

    return GPU_PROVIDER in onnxruntime.get_available_providers()


def check_provider(path: Path, device: str) -> None:
    """Checks that ONNX Runtime would run a model on the device that was asked for.

    Raises:
        WeightsError: It would run on the CPU without a word.
    """
    if device != "cpu" and not can_use_gpu():
        raise WeightsError(_only_on_cpu(path, device))


def _only_on_cpu(path: Path, device: str) -> str:
    return (
        f"{path} would run on the CPU instead of {device}, because the installed ONNX Runtime can't use the GPU; run "
        '`pip uninstall onnxruntime` and `pip install onnxruntime-gpu`, or set device = "auto" or "cpu"'
    )


class _Session:
    """ONNX Runtime, on the device that was asked for."""

    def __init__(self, path: Path, device: str) -> None:
        import onnxruntime

        check_provider(path, device)
        provider = "CPUExecutionProvider" if device == "cpu" else GPU_PROVIDER
        self._session = onnxruntime.InferenceSession(str(path), providers=[provider])
        if provider not in self._session.get_providers():  # its GPU libraries can't be loaded
            raise WeightsError(_only_on_cpu(path, device))
        first = self._session.get_inputs()[0]
        self._input = first.name
        self.input_shape = tuple(side if isinstance(side, int) else -1 for side in first.shape)

    def __call__(self, batch: Floats) -> list[Any]:
        return list(self._session.run(None, {self._input: batch}))
