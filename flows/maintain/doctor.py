"""Checks what a run needs (versions, models, store, decoder, telemetry off) and says how to fix problems."""

import importlib.metadata
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from anomalylmm import __version__, offline
from anomalylmm.caches import cache_folder, prefect_folder, require_writable
from anomalylmm.errors import AnomalyLMMError
from flows.composition import Composition
from flows.maintain.models import list_models
from storage.disk.layout import StoreLayout
from storage.disk.probing import describe_file_system

LIBRARIES = (
    *("av", "decord2", "duckdb", "faiss-cpu", "fastapi", "onnxruntime", "prefect", "pyarrow", "torch", "torchvision"),
    *("transformers", "ultralytics"),
)
MIN_FREE_BYTES = 2 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check."""

    name: str
    good: bool
    message: str


def examine(composition: Composition, layout: StoreLayout) -> list[Finding]:
    """Runs all checks; a problem is returned and not raised."""
    return [
        Finding(name="anomalylmm", good=True, message=f"{__version__}, Python {platform.python_version()}"),
        *_libraries(),
        *_models(composition),
        _check("decoder", _decoder),
        _check("store", lambda: _store(layout)),
        _check("file system", lambda: describe_file_system(layout.temporary)),
        _check("caches", _caches),
        _telemetry(),
    ]


def _libraries() -> Iterator[Finding]:
    for name in LIBRARIES:
        try:
            yield Finding(name=name, good=True, message=importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name=name, good=False, message="not installed; run scripts/setup")


def _models(composition: Composition) -> Iterator[Finding]:
    for row in list_models(composition.settings):
        yield Finding(name=row.role, good=row.found, message=" ".join(row.cells()[1:]))


def _telemetry() -> Finding:
    on = offline.find_switched_on()
    if on:
        return Finding(name="telemetry", good=False, message=f"on because of {', '.join(on)}; unset it")
    return Finding(name="telemetry", good=True, message=f"off in {', '.join(offline.LIBRARIES)}")


def _check(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name=name, good=True, message=check())
    except (AnomalyLMMError, OSError, subprocess.SubprocessError) as error:
        return Finding(name=name, good=False, message=str(error))


def _caches() -> str:
    folder = require_writable(cache_folder())
    prefect = require_writable(prefect_folder(), "PREFECT_HOME")
    return f"{folder} and Prefect's {prefect} are writable; scratch files go to {tempfile.gettempdir()}"


def _decoder() -> str:
    command = [sys.executable, "-c", "import av, decord; print(av.__version__, decord.__version__)"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return f"PyAV and decord load in a separate process: {ran.stdout.strip()}"


def _store(layout: StoreLayout) -> str:
    layout.check_writable()
    free = shutil.disk_usage(layout.root).free
    if free < MIN_FREE_BYTES:
        raise OSError(f"only {free / 1e9:.1f} GB are free at {layout.root}; free some space or choose another --store")
    return f"{layout.root} is writable, {free / 1e9:.0f} GB free"
