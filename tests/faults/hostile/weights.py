"""Hostile weights: pickles with a payload under many names, lying headers, data from outside, foreign code."""

import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from anomalylmm.errors import AnomalyLMMError
from anomalylmm.models.weights import resolve
from flows.composition import Composition
from flows.settings.model import Settings
from tests.faults.hostile.files import Payload
from tests.faults.hostile.trial import MARKER, Bench

Wanted = tuple[str, str, Path]  # what it is, what it is loaded as, where it lies
CONFIG = {"model_type": "siglip", "architectures": ["SiglipModel"]}
FOREIGN = {
    "model_type": "theirs",
    "auto_map": {
        "AutoConfig": "theirs.Config",
        "AutoModel": "theirs.Model",
        "AutoProcessor": "theirs.Processor",
        "AutoModelForImageTextToText": "theirs.Model",
    },
}


def try_weights(bench: Bench, *, short: bool) -> None:
    """Tries to have weights found, and in the long run loaded too, each in a process of its own."""
    folder = bench.ground.scratch / "weights"
    folder.mkdir()
    for name in ("x.PT", "x.pth", "x.bin", "x.ckpt", "x.pkl"):
        _write_pickle(folder / name, bench.ground.scratch / MARKER)
        bench.attempt("weights", f"a pickle as detector, {name}", lambda n=name: _find(folder / n), refused=True)
    for name in ("pytorch_model.bin", "MODEL.PTH"):
        place = folder / f"encoder-{name}"
        place.mkdir()
        (place / "config.json").write_text(json.dumps(CONFIG))
        _write_pickle(place / name, bench.ground.scratch / MARKER)
        for kind in ("dual_encoder", "judge"):
            do = lambda p=place, k=kind: resolve(str(p), k) and ""  # noqa: E731
            bench.attempt("weights", f"a pickle as {kind}, {name}", do, refused=True)
    if not short:
        _try_loading(bench, folder)


def _try_loading(bench: Bench, folder: Path) -> None:
    """Loads all in one other process, since the libraries take long to import; a crash is that of the first unsaid."""
    wanted = [*_write_detectors(bench, folder), *_write_safetensors(folder), *_write_foreign(bench, folder)]
    command = [sys.executable, "-m", "tests.faults.hostile.weights"]
    told = json.dumps([(kind, str(path)) for _, kind, path in wanted])
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    ran = subprocess.run(command, input=told, capture_output=True, text=True, timeout=900, check=False, env=environment)
    lines = [line for line in ran.stdout.splitlines() if line.startswith(("refused", "loaded", "raised"))]
    for number, (name, _, _) in enumerate(wanted):
        line = lines[number] if number < len(lines) else f"exit {ran.returncode}: {ran.stderr[-300:]}"
        bench.attempt("weights", name, lambda said=line: "" if said.startswith("refused") else said)


def _write_detectors(bench: Bench, folder: Path) -> Iterator[Wanted]:
    names = "x.onnx x.pt.onnx x.xml x.torchscript x.engine x x.yaml x_openvino_model x.pt.txt"
    for name in names.split():
        _write_pickle(folder / name, bench.ground.scratch / MARKER)
        yield f"a pickle loaded as detector {name}", "detector", folder / name
    for name, location in {
        "outside": "../outside/secret.txt",
        "at a path": str(bench.ground.outside / "secret.txt"),
    }.items():
        path = folder / f"{name.replace(' ', '-')}.onnx"
        _write_onnx(path, location)
        yield f"an ONNX with data {name}", "detector", path


def _write_safetensors(folder: Path) -> Iterator[Wanted]:
    for name, content in {
        "a header of 2^60 bytes": struct.pack("<Q", 1 << 60),
        "a header that lies": _safetensors({"x": {"dtype": "F32", "shape": [9], "data_offsets": [0, 1 << 40]}}),
        "a header that is no JSON": struct.pack("<Q", 4) + b"<b>x",
        "a shape of 2^62": _safetensors({"x": {"dtype": "F32", "shape": [1 << 62], "data_offsets": [0, 4]}}),
    }.items():
        for kind in ("encoder", "judge"):
            place = folder / f"{kind} {name}"
            place.mkdir()
            (place / "config.json").write_text(json.dumps(CONFIG))
            (place / "model.safetensors").write_bytes(content)
            yield f"safetensors as {kind}: {name}", kind, place


def _write_foreign(bench: Bench, folder: Path) -> Iterator[Wanted]:
    place = folder / "foreign"
    place.mkdir()
    for name in ("config.json", "processor_config.json", "preprocessor_config.json", "tokenizer_config.json"):
        (place / name).write_text(json.dumps(FOREIGN))
    (place / "theirs.py").write_text(f"import os\nos.system(\"touch '{bench.ground.scratch / MARKER}'\")\n")
    (place / "model.safetensors").write_bytes(_safetensors({}))
    for kind in ("encoder", "judge"):
        yield f"a folder with code of its own as {kind}", kind, place


def _find(path: Path) -> str:
    resolve(str(path), "detector")
    return ""


def _write_pickle(path: Path, marker: Path) -> None:
    """Writes a file as torch saves it, whose loading makes the marker."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", pickle.dumps(Payload(marker)))
        archive.writestr("x/version", "3\n")


def _safetensors(header: dict[str, object]) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"\0" * 16


def _write_onnx(path: Path, location: str) -> None:
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(np.zeros((1, 3, 64, 64), np.float32), "w")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "8")):
        weight.external_data.add(key=key, value=value)
    shape = [1, 3, 64, 64]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("images", "output0")]
    graph = helper.make_graph(
        [helper.make_node("Add", ["images", "w"], ["output0"])], "g", ports[:1], ports[1:], [weight]
    )
    path.write_bytes(helper.make_model(graph).SerializeToString())


def main() -> None:
    """Loads what standard input lists, and says of each whether it was refused."""
    for kind, name in json.load(sys.stdin):
        try:
            family = {"family": "yolo"} if kind == "detector" else {}
            getattr(Composition(Settings.model_validate({kind: {"weights": name, **family}})), kind)
        except AnomalyLMMError as error:
            told = f"refused: {error}"
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            told = f"raised {type(error).__module__}.{type(error).__name__}: {error}"
        else:
            told = "loaded"
        sys.stdout.write(" ".join(told.split())[:300] + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
