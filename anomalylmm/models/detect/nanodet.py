"""Person detection by this project's NanoDet, from one ONNX file."""

from collections.abc import Sequence

import cv2
import numpy as np

from anomalylmm.errors import WeightsError
from anomalylmm.models.onnx.engine import OnnxEngine
from anomalylmm.models.onnx.openvino_copy import name_by_runtime
from anomalylmm.models.weights import ResolvedWeights
from anomalylmm.records import Detections, Floats, Image

STRIDE = 32  # sides of what the network sees are multiples of this
GRAY = 114
ROW = 5  # x0, y0, x1, y1, score


class NanoDetDetector:
    """Finds persons with one NanoDet model; implements ``PersonDetector``."""

    def __init__(
        self,
        weights: ResolvedWeights,
        *,
        image_size: int,
        confidence: float,
        device: str,
        runtime: str,
        iou: float = 0.5,
        max_detections: int = 100,
    ) -> None:
        """Loads the model and tries it on a gray picture.

        Args:
            weights: ``.onnx`` file: pictures (N, 3, H, W) RGB 0..1 to rows x0, y0, x1, y1, score (N, A, 5).
            image_size: Longer side in pixels that frames are scaled to.
            confidence: Least score of a detection.
            device: ``"cpu"`` or ``"cuda:0"``.
            runtime: What runs it: ``"openvino"``, ``"onnxruntime"``, or ``"auto"`` for the first that can.
            iou: Overlap above which the weaker of two boxes is dropped.
            max_detections: Most persons of one frame.

        Raises:
            WeightsError: The file is damaged, or is not a NanoDet model of this project.
        """
        self.model_id = name_by_runtime(weights, device, runtime)
        self._side, self._confidence, self._iou, self._most = image_size, confidence, iou, max_detections
        self._engine = OnnxEngine(weights.path, device=device, runtime=runtime)
        shape = self._try(weights)
        if len(shape) != 3 or shape[2] != ROW:
            raise WeightsError(
                f"{weights.path} gives {shape} for one picture, but a NanoDet of this project gives (1, A, {ROW}): "
                "x0, y0, x1, y1 and score of each anchor; set detector.family to what the file is"
            )

    def _try(self, weights: ResolvedWeights) -> tuple[int, ...]:
        try:
            return self._engine(np.full((1, 3, 2 * STRIDE, 2 * STRIDE), GRAY / 255, np.float32)).shape
        except Exception as error:  # the errors of onnxruntime and openvino have no base in common
            raise WeightsError(f"{weights.path} does not run as a NanoDet model: {error}; export it again") from error

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Finds the persons of N frames; one ``Detections`` a frame, highest score first."""
        canvases = [letterbox(image, self._side) for image in images]
        if len({canvas.shape for canvas in canvases}) == 1:
            tables = list(self._engine(np.stack(canvases)))
        else:
            tables = [self._engine(canvas[None])[0] for canvas in canvases]
        return [self._read(table, image) for table, image in zip(tables, images, strict=True)]

    def _read(self, table: Floats, image: Image) -> Detections:
        """Turns the rows (A, 5) of one picture into persons of the frame."""
        height, width = image.shape[:2]
        rows = table[table[:, 4] >= self._confidence]
        inner = inner_size(image, self._side)
        scales = np.array([inner[0] / width, inner[1] / height] * 2, np.float32)
        boxes = np.clip(rows[:, :4] / scales, 0, np.array([width, height, width, height], np.float32))
        whole = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        boxes, scores = boxes[whole], rows[whole, 4]
        kept = suppress(boxes, scores, self._iou)[: self._most]
        return Detections(boxes_xyxy_px=boxes[kept].astype(np.float32), scores=scores[kept].astype(np.float32))


def letterbox(image: Image, side: int) -> Floats:
    """Scales a frame (H, W, 3) to a longer side and fills right and bottom with gray to multiples of 32.

    Gives RGB 0..1, shape (3, h, w); the frame fills ``inner_size`` of it.
    """
    inner = inner_size(image, side)
    shrinks = max(inner) < max(image.shape[:2])
    resized = cv2.resize(image, inner, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    canvas = np.full((_padded(inner[1]), _padded(inner[0]), 3), GRAY, np.uint8)
    canvas[: inner[1], : inner[0]] = resized
    return np.ascontiguousarray(canvas.transpose(2, 0, 1), np.float32) / np.float32(255)


def inner_size(image: Image, side: int) -> tuple[int, int]:
    """Gives width and height in pixels to which a frame (H, W, 3) is scaled."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _padded(side: int) -> int:
    return -(-side // STRIDE) * STRIDE


def suppress(boxes: Floats, scores: Floats, iou: float) -> list[int]:
    """Lists the strongest of boxes (N, 4) that overlap, best first."""
    if not len(boxes):
        return []
    corners = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxes(corners.tolist(), scores.tolist(), 0.0, iou)
    return [int(index) for index in np.asarray(kept).reshape(-1)]
