"""What may import what: the rules of pyproject.toml name every module, and tests and benchmarks stay apart."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
METHOD = {
    f"anomalylmm.{path.stem}"
    for path in (ROOT / "anomalylmm").iterdir()
    if (path.suffix == ".py" or (path / "__init__.py").exists()) and path.stem not in {"__init__", "models"}
}


def _contract(words: str) -> dict[str, list[str]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return next(c for c in settings["tool"]["importlinter"]["contracts"] if words in c["name"])


def test_every_module_of_the_method_is_kept_from_model_libraries() -> None:
    assert not METHOD - set(_contract("model libraries")["source_modules"])


def test_storage_is_kept_from_every_module_of_the_method_but_records_and_errors() -> None:
    allowed = {"anomalylmm.records", "anomalylmm.errors"}
    assert not METHOD - allowed - set(_contract("storage knows")["forbidden_modules"])


def _iter_imports(folder: str) -> Iterator[tuple[str, str]]:
    """Every file below a folder with the name of each module that it imports."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((place, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield place, node.module or ""


def test_the_benchmarks_import_no_test() -> None:
    assert [(place, name) for place, name in _iter_imports("benchmarks") if name.split(".")[0] == "tests"] == []


def test_only_the_tests_of_the_benchmarks_import_them() -> None:
    importing = {place for place, name in _iter_imports("tests") if name.split(".")[0] == "benchmarks"}
    assert {place for place in importing if not place.startswith("tests/benchmarks/")} == set()


def test_the_program_imports_neither_tests_nor_benchmarks() -> None:
    for folder in ("anomalylmm", "storage", "flows"):
        taken = [
            (place, name) for place, name in _iter_imports(folder) if name.split(".")[0] in {"tests", "benchmarks"}
        ]
        assert taken == []
