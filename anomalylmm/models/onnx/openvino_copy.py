"""Converts an ONNX model for OpenVINO once; kept in the user's cache, not next to the weights."""

import json
import os
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from anomalylmm.caches import cache_folder
from anomalylmm.errors import WeightsError
from anomalylmm.models.weights import ResolvedWeights

SUFFIX = "_openvino_model"  # by which ultralytics knows such a folder


def is_installed() -> bool:
    """Returns whether OpenVINO is installed."""
    return find_spec("openvino") is not None


def wants_openvino(path: Path, device: str, runtime: str) -> bool:
    """Returns whether weights are to be run by OpenVINO."""
    if path.suffix.lower() != ".onnx" or device != "cpu" or runtime == "onnxruntime":
        return False
    return runtime == "openvino" or is_installed()


def name_by_runtime(weights: ResolvedWeights, device: str, runtime: str) -> str:
    """The model's id, marked if OpenVINO runs it, because results differ slightly."""
    by_openvino = wants_openvino(weights.path, device, runtime)
    return f"{weights.model_id}+openvino" if by_openvino else weights.model_id


def open_copy(weights: ResolvedWeights) -> Path:
    """Returns the folder of the converted model, and makes it if it is not there.

    A folder is named by the digest of the weights and the library's version; it is built elsewhere and
    renamed, so a folder that is there is whole. If the cache can't be written, a temporary folder is used.

    Raises:
        WeightsError: The library is missing, or can't read the file.
    """
    try:
        import openvino
    except ImportError as error:
        raise WeightsError(
            f"{weights.path} can't be run by OpenVINO: {error}; install openvino or set detector.runtime = "
            '"onnxruntime"'
        ) from error
    version = openvino.__version__.partition("-")[0]
    target = cache_folder() / "openvino" / f"{weights.digest[:24]}-{version}{SUFFIX}"
    if target.is_dir():
        return target
    building = Path(tempfile.mkdtemp(suffix=SUFFIX, dir=_writable(target.parent)))
    try:
        _convert(openvino, weights.path, building)
    except RuntimeError as error:
        shutil.rmtree(building, ignore_errors=True)
        raise WeightsError(f"{weights.path} can't be turned into an OpenVINO model: {error}") from error
    return _publish(building, target)


def _writable(folder: Path) -> Path | None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def _publish(building: Path, target: Path) -> Path:
    if building.parent != target.parent:
        return building
    try:
        return building.rename(target)
    except OSError:  # another process was faster
        shutil.rmtree(building, ignore_errors=True)
        return target


def _convert(openvino: Any, source: Path, folder: Path) -> None:
    """Writes model.xml, model.bin and what ultralytics wants to know of the model."""
    model = openvino.Core().read_model(str(source))
    openvino.save_model(model, str(folder / "model.xml"), compress_to_fp16=False)
    (folder / "metadata.yaml").write_text(json.dumps(read_metadata(source)), encoding="utf-8")  # JSON is YAML


def read_metadata(source: Path) -> dict[str, str]:
    """Reads the names, stride and other facts that an ONNX file of ultralytics carries, as it writes them."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(source), providers=["CPUExecutionProvider"])
    return dict(session.get_modelmeta().custom_metadata_map)
