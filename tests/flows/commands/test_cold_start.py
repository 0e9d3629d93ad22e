"""What commands import. Each starts in a fresh process, and a library that it doesn't use would only delay it."""

import subprocess
import sys
from pathlib import Path

import pytest

MODEL_LIBRARIES = {"torch", "torchvision", "transformers", "ultralytics", "openvino", "onnxruntime", "decord", "av"}
STORE_LIBRARIES = {"duckdb", "faiss", "pyarrow"}
SERVERS = {"prefect", "nicegui", "fastapi"}
ANY_LIBRARY = MODEL_LIBRARIES | STORE_LIBRARIES | SERVERS | {"pydantic_settings", "numpy", "cv2"}
PROGRAM = """
import sys
from flows.cli import main
try:
    main()
finally:
    print("loaded:", *sorted(name for name in sys.modules if "." not in name), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "unused"),
    [
        (["--help"], ANY_LIBRARY),
        (["search", "--help"], ANY_LIBRARY),
        (["settings"], MODEL_LIBRARIES | STORE_LIBRARIES | SERVERS),
        (["queries"], MODEL_LIBRARIES | SERVERS),
        (["sql", "select 1"], MODEL_LIBRARIES | SERVERS | {"pydantic_settings", "cv2"}),
    ],
    ids=["help", "help for a command", "settings", "queries", "sql"],
)
def test_a_command_imports_no_library_that_it_does_not_use(
    arguments: list[str], unused: set[str], tmp_path: Path
) -> None:
    (tmp_path / "store/shards").mkdir(parents=True)
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert ran.returncode == 0, ran.stderr
    loaded = set(ran.stderr.rpartition("loaded:")[2].split())
    assert "typer" in loaded
    assert not unused & loaded


def test_a_search_with_the_shipped_models_imports_neither_torch_nor_transformers(tmp_path: Path) -> None:
    """Its only store is empty, so the models are asked for by themselves."""
    program = """
import sys
from flows.composition import Composition
from flows.settings.model import load_settings
composition = Composition(load_settings("pocket", None, {"ANOMALYLMM_DEVICE": "cpu"}))
composition.load_searching_models()
import flows.search.searcher
from anomalylmm.rerank.prompts import GRAY
composition.encoder.encode_images([GRAY])
composition.judge.score_answers([[GRAY]], "Fill each blank", ["red"])
print("loaded:", *sorted(name for name in sys.modules if "." not in name))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ran.returncode == 0, ran.stderr
    loaded = set(ran.stdout.rpartition("loaded:")[2].split())
    assert "onnxruntime" in loaded
    assert not {"torch", "torchvision", "transformers", "ultralytics", "openvino", "scipy", "matplotlib"} & loaded


def test_indexing_with_the_shipped_models_imports_neither_torch_nor_ultralytics(tmp_path: Path) -> None:
    program = """
import sys
from flows.composition import Composition
from flows.settings.model import load_settings
composition = Composition(load_settings("pocket", None, {"ANOMALYLMM_DEVICE": "cpu"}))
composition.load_indexing_models()
composition.build_tracker()
import flows.index.indexing
print("loaded:", *sorted(name for name in sys.modules if "." not in name))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ran.returncode == 0, ran.stderr
    loaded = set(ran.stdout.rpartition("loaded:")[2].split())
    assert "onnxruntime" in loaded
    assert not {"torch", "torchvision", "transformers", "ultralytics", "scipy", "matplotlib"} & loaded
