"""The import rules of pyproject.toml name every module of the method, so that a new one can't slip past them."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
METHOD = {f"anomalylmm.{path.stem}" for path in (ROOT / "anomalylmm").glob("*.py")} - {"anomalylmm.__init__"}
METHOD |= {f"anomalylmm.{path.parent.name}" for path in (ROOT / "anomalylmm").glob("*/__init__.py")}
MODELS = {"anomalylmm.models"}


def _contract(words: str) -> dict[str, list[str]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return next(c for c in settings["tool"]["importlinter"]["contracts"] if words in c["name"])


def test_every_module_of_the_method_is_kept_from_model_libraries() -> None:
    assert not METHOD - MODELS - set(_contract("model libraries")["source_modules"])


def test_storage_is_kept_from_every_module_of_the_method_but_records_and_errors() -> None:
    allowed = {"anomalylmm.records", "anomalylmm.errors"}
    assert not METHOD - allowed - set(_contract("storage knows")["forbidden_modules"])
