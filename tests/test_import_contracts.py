"""pyproject.toml declares what is imported, and its import rules name every module of the method."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
OURS = ("anomalylmm", "storage", "flows")
LOADED_BY_OTHERS = {"num2words", "torchvision", "tzdata"}  # not by us; pyproject.toml says what needs each
OF_EXTRAS = {"dask", "distributed", "prefect_dask", "ray", "prefect_ray"}  # and of what these bring along
METHOD = {
    f"anomalylmm.{path.stem}"
    for path in (ROOT / "anomalylmm").iterdir()
    if path.suffix == ".py" or (path / "__init__.py").exists()
} - {"anomalylmm.__init__"}


def _settings() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _contract(words: str) -> dict[str, list[str]]:
    return next(c for c in _settings()["tool"]["importlinter"]["contracts"] if words in c["name"])


def _iter_imported(package: str) -> Iterator[str]:
    """Names every module that a package imports, at the top of a file or within a function."""
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield str(node.module)


def test_what_is_imported_is_declared_and_nothing_else() -> None:
    modules = {name.partition(".")[0] for package in OURS for name in _iter_imported(package)}
    providers = packages_distributions()
    imported = {
        module: {canonicalize_name(name) for name in providers.get(module, ())}
        for module in modules - sys.stdlib_module_names - set(OURS) - OF_EXTRAS
    }
    declared = {canonicalize_name(Requirement(line).name) for line in _settings()["project"]["dependencies"]}
    assert {module for module, names in imported.items() if not names & declared} == set()
    assert declared.difference(*imported.values()) == LOADED_BY_OTHERS


def test_every_module_of_the_method_is_kept_from_model_libraries() -> None:
    assert not METHOD - {"anomalylmm.models"} - set(_contract("model libraries")["source_modules"])


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
