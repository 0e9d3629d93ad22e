"""Runs an ONNX file of one input and one output: by OpenVINO on a CPU, a picture a core, else by ONNX Runtime."""

from pathlib import Path
from typing import Any

import numpy as np

from anomalylmm.errors import WeightsError
from anomalylmm.models.openvino_copy import wants_openvino
from anomalylmm.models.openvino_streams import MAX_STREAMS, StreamedModel, num_cores
from anomalylmm.records import Floats


class OnnxEngine:
    """A model that is called with batches."""

    def __init__(self, path: Path, *, device: str = "cpu", runtime: str = "auto", precision: str | None = None) -> None:
        """Loads the model.

        Args:
            path: The ``.onnx`` file.
            device: ``"cpu"`` or ``"cuda:0"``.
            runtime: ``"openvino"``, ``"onnxruntime"``, or ``"auto"`` for the first that can.
            precision: ``"f32"`` for the same numbers on every processor; without it OpenVINO chooses.

        Raises:
            WeightsError: The file is damaged, or nothing that is installed can run it on this device.
        """
        by_openvino = wants_openvino(path, device, runtime)
        try:
            self._run: Any = _open_streams(path, precision) if by_openvino else _Session(path, device)
        except Exception as error:  # the errors of onnxruntime and openvino have no base in common
            if isinstance(error, WeightsError):
                raise
            raise WeightsError(f"{path} can't be loaded as an ONNX model: {error}; export it again") from error

    def __call__(self, batch: Floats) -> Floats:
        """Runs a batch (N, ...) and gives the first output, (N, ...); no picture changes what another one gives."""
        return np.asarray(self._run(np.ascontiguousarray(batch, np.float32))[0], np.float32)


class _Session:
    """ONNX Runtime, on the device that was asked for and no other."""

    def __init__(self, path: Path, device: str) -> None:
        import onnxruntime

        provider = "CPUExecutionProvider" if device == "cpu" else "CUDAExecutionProvider"
        if provider not in onnxruntime.get_available_providers():
            raise WeightsError(
                f"device is {device!r}, but this ONNX Runtime has no {provider}; install onnxruntime-gpu in place of "
                'onnxruntime, or set device = "cpu"'
            )
        self._session = onnxruntime.InferenceSession(str(path), providers=[provider])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, batch: Floats) -> list[Any]:
        return list(self._session.run(None, {self._input: batch}))


def _open_streams(path: Path, precision: str | None) -> StreamedModel:
    return StreamedModel(path, min(MAX_STREAMS, num_cores()), precision=precision)
