"""Makes an ONNX file of a YOLO model's PyTorch file."""

import shutil
import tempfile
from pathlib import Path

from anomalylmm.errors import WeightsError
from anomalylmm.models.detect.yolo import import_ultralytics, keeping_threads


def export_onnx(source: Path, target: Path, *, image_size: int) -> None:
    """Exports a model for pictures of any size; the file is there whole or not at all.

    Args:
        source: ``.pt`` file. It is a pickle: loading it runs its code, so ask the user first.
        target: ``.onnx`` file to write.
        image_size: Side in pixels of the pictures it is tried on.

    Raises:
        WeightsError: The file is damaged or no YOLO model.
    """
    import onnx  # noqa: F401 - ultralytics needs it for the export and would install it by itself

    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as folder:
        copy = Path(shutil.copy2(source, folder))
        try:
            with keeping_threads():
                model = import_ultralytics().YOLO(str(copy), task="detect")
                made = model.export(format="onnx", imgsz=image_size, dynamic=True, simplify=False, device="cpu")
        except Exception as error:  # the errors of torch, onnx and ultralytics have no base in common
            raise WeightsError(f"{source} can't be exported to ONNX: {error}; fetch it again") from error
        Path(made).replace(target)
