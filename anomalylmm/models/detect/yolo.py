"""Person detection by ultralytics' YOLO, from ONNX, OpenVINO or (allowed) PyTorch files, offline."""

import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from anomalylmm.errors import WeightsError
from anomalylmm.models.hub.devices import work_in_batches
from anomalylmm.models.onnx.engine import check_provider
from anomalylmm.models.onnx.openvino_copy import SUFFIX, open_copy, wants_openvino
from anomalylmm.models.onnx.openvino_streams import use_streams
from anomalylmm.models.weights import ResolvedWeights
from anomalylmm.records import Detections, Image

LOGGER = logging.getLogger(__name__)
PERSON = "person"


def import_ultralytics() -> Any:
    """Imports ultralytics with its settings file kept away from the user; ``offline`` has switched off the rest.

    The settings hold a digest of this machine's network address, which is taken out.
    """
    os.environ.setdefault("YOLO_VERBOSE", "false")
    os.environ.setdefault("YOLO_CONFIG_DIR", str(Path(tempfile.gettempdir()) / f"anomalylmm-yolo-{os.getuid()}"))
    import torch  # noqa: F401 - before ultralytics, which gives one thread to a torch that is not there yet

    threads = os.environ.get("OMP_NUM_THREADS")
    import ultralytics

    if threads is None:
        os.environ.pop("OMP_NUM_THREADS", None)
    logging.getLogger("ultralytics").setLevel(logging.ERROR)
    if ultralytics.settings.get("sync") or ultralytics.settings.get("uuid"):
        ultralytics.settings.update({"sync": False, "uuid": ""})
    return ultralytics


@contextmanager
def keeping_threads() -> Iterator[None]:
    """Keeps the number of torch's threads, which ultralytics sets to one less than the cores, for all models."""
    import torch

    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class YoloDetector:
    """Finds persons with one YOLO model; implements ``PersonDetector``."""

    def __init__(
        self,
        weights: ResolvedWeights,
        *,
        image_size: int,
        confidence: float,
        device: str,
        runtime: str,
        iou: float = 0.7,
        max_detections: int = 100,
    ) -> None:
        """Loads the model.

        Args:
            weights: ``.onnx`` file, OpenVINO folder, or ``.pt`` file that ``resolve`` has allowed.
            image_size: Side in pixels that frames are scaled to; a fixed-size export decides itself.
            confidence: Least score of a detection.
            device: ``"cpu"`` or ``"cuda:0"``.
            runtime: What runs an ONNX file on a CPU: ``"openvino"``, which is about twice as fast, ``"onnxruntime"``,
                or ``"auto"`` for the first that can.
            iou: Overlap above which the weaker of two boxes is dropped (models with built-in NMS ignore it).
            max_detections: Most persons of one frame.

        Raises:
            WeightsError: The file is damaged, the model knows no persons, or it is an ONNX file that ONNX Runtime can't
                run on this device.
        """
        if weights.path.suffix.lower() == ".onnx":
            check_provider(weights.path, device)
        self.model_id = weights.model_id
        self._options: dict[str, Any] = {
            "imgsz": image_size,
            "conf": confidence,
            "iou": iou,
            "device": device,
            "max_det": max_detections,
            "verbose": False,
            "save": False,
        }
        try:
            self._model, names = self._load(choose_file(weights, device, runtime))
        except Exception as error:  # the errors of onnxruntime and ultralytics have no base in common
            raise WeightsError(f"{weights.path} can't be loaded as a YOLO model: {error}; export it again") from error
        self._options["classes"] = [person_class(names, weights.path)]

    def _load(self, chosen: Path) -> tuple[Any, dict[int, str]]:
        """Loads a model by looking at a black picture; gives it with the names of its classes."""
        model = import_ultralytics().YOLO(str(chosen), task="detect")
        with keeping_threads():
            model.predict(np.zeros((32, 32, 3), np.uint8), **self._options)
        if chosen.name.endswith(SUFFIX):
            use_streams(model.predictor.model.backend, chosen)
        return model, dict(model.predictor.model.names)

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Finds the persons of N frames; one ``Detections`` a frame, highest score first."""
        found: list[Detections] = []
        for batch in same_size_batches(images):
            found += [to_detections(one) for part in work_in_batches(batch, len(batch), self._look) for one in part]
        return found

    def _look(self, images: Sequence[Image]) -> list[Any]:
        pictures = [cv2.cvtColor(image, cv2.COLOR_RGB2BGR) for image in images]  # as ultralytics expects
        return list(self._model.predict(pictures, **self._options))


def choose_file(weights: ResolvedWeights, device: str, runtime: str) -> Path:
    """Gives what ultralytics is to load: the weights themselves, or their copy for OpenVINO.

    Raises:
        WeightsError: OpenVINO is asked for by name and can't run them.
    """
    if not wants_openvino(weights.path, device, runtime):
        return weights.path
    try:
        return open_copy(weights)
    except WeightsError as error:
        if runtime == "openvino":
            raise
        LOGGER.warning("%s; ONNX Runtime runs it", error)
        return weights.path


def same_size_batches(images: Sequence[Image]) -> list[list[Image]]:
    """Frames of one size together, else one by one; the order stays."""
    if len({image.shape for image in images}) == 1:
        return [list(images)]
    return [[image] for image in images]


def person_class(names: dict[int, str], path: Path) -> int:
    """The class number of persons.

    Raises:
        WeightsError: The model has several classes and none is ``person``.
    """
    for number, name in names.items():
        if name.lower() in (PERSON, "pedestrian"):
            return int(number)
    if len(names) == 1:
        return int(next(iter(names)))
    known = ", ".join(list(names.values())[:8])
    raise WeightsError(f"{path} knows no class 'person' (it knows {known}); use a detector trained on persons")


def to_detections(result: Any) -> Detections:
    """Turns ultralytics' result of one frame into ours, boxes clipped into the frame, empty ones dropped."""
    height, width = result.orig_shape
    boxes = result.boxes.xyxy.cpu().numpy().astype(np.float32).reshape(-1, 4)
    scores = result.boxes.conf.cpu().numpy().astype(np.float32).reshape(-1)
    boxes = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
    kept = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return Detections(boxes_xyxy_px=boxes[kept], scores=scores[kept])
