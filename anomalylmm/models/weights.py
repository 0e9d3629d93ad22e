"""Finds weights: local path, shipped with the package, the hub's cache, the hub; loads none of them."""

import hashlib
import importlib.resources
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from anomalylmm.errors import WeightsError
from anomalylmm.offline import forbids_hub

WeightsKind = Literal["detector", "pose", "posture", "dual_encoder", "judge"]
WeightsSource = Literal["local", "shipped", "fetched", "cache", "hub"]

PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl")
FILE_KINDS = ("detector", "pose", "posture")  # one file or an exported folder; never asked of the hub
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
HUB_FILES = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "README.md", "LICENSE*")
STATED_LICENSE = re.compile(r"\blicen[sc]e:\s*(\S+?)\.?$", re.MULTILINE | re.IGNORECASE)
HASH_BLOCK_BYTES = 1 << 20
NOT_WEIGHTS = (".md", ".lock", ".metadata")
NOT_CONTENT = ("card.json", ".gitattributes")  # figures of a card may change, the model stays
GRAPH_SUFFIX = ".graph.onnx"  # how a model computes, without its weights: another way to run the same model


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedWeights:
    """Weights on this computer, identified by their content."""

    path: Path  # file (.onnx, .pt) or folder
    model_id: str  # name@first 12 digits of the digest
    digest: str  # sha256 over the files
    license: str  # "unknown" if no file next to the weights says
    source: WeightsSource


def resolve(
    name: str,
    kind: WeightsKind,
    *,
    folder: Path | None = None,
    allow_network: bool = False,
    allow_pickle: bool = False,
) -> ResolvedWeights:
    """Finds the weights that a profile names.

    Args:
        name: A path, a name under the package's ``weights`` folder (``pocket/judge``), or a hub name (``org/model``,
            for files ``org/model/file.onnx``).
        kind: What they are for; decides which files are looked for in a folder.
        folder: Where fetched models are, by their hub names.
        allow_network: Whether the hub may be asked if its cache has nothing.
        allow_pickle: Whether ``.pt`` and ``.bin`` files, which can run code, may be loaded.

    Raises:
        WeightsError: They are nowhere, or only as pickles; the message says what to download and where to put it.
    """
    path, source = _locate(name, kind, folder, allow_network)
    is_file = kind in FILE_KINDS
    path = _choose_file(path, name, kind) if is_file else _check_folder(path, name, allow_pickle)
    if is_file and path.suffix.lower() in PICKLES and not allow_pickle:
        raise _pickle_error(path, "export it once: `yolo export model=<file> format=onnx`")
    digest = digest_of(path)
    label = name if source != "local" else Path(name).expanduser().name
    return ResolvedWeights(
        path=path, model_id=f"{label}@{digest[:12]}", digest=digest, license=license_of(path), source=source
    )


def shipped_folder() -> Path:
    """The package's own ``weights`` folder."""
    return Path(str(importlib.resources.files("anomalylmm"))) / "weights"


def _locate(name: str, kind: WeightsKind, folder: Path | None, allow_network: bool) -> tuple[Path, WeightsSource]:
    try:
        local, shipped = Path(name).expanduser(), shipped_folder() / name
        if local.exists():
            return local.resolve(), "local"
        if shipped.exists():
            return shipped, "shipped"
        if folder is not None and (folder / name).exists():
            return folder / name, "fetched"
    except (OSError, RuntimeError) as error:  # a name too long for a file, a home of nobody, links in a circle
        raise WeightsError(
            f"the {kind} weights {name[:200]!r} are not a usable path: {error}; set another one"
        ) from error
    if kind in FILE_KINDS or not HUB_NAME.fullmatch(name):
        raise _missing_error(name, kind)
    found = _from_hub(name, allow_network=False)
    if found is not None:
        return found, "cache"
    found = _from_hub(name, allow_network=True) if allow_network else None
    if found is None:
        raise _missing_error(name, kind)
    return found, "hub"


def _from_hub(name: str, *, allow_network: bool) -> Path | None:
    """Asks the hub's library; None if its cache has nothing and the network is not allowed or out of reach."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        with hub_open(allowed=allow_network):
            folder = snapshot_download(name, local_files_only=not allow_network, allow_patterns=list(HUB_FILES))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError):
        return None
    return Path(folder) if (Path(folder) / "config.json").is_file() else None


@contextmanager
def hub_open(*, allowed: bool) -> Iterator[None]:
    """Lets the hub's library ask the hub inside the block, if allowed and not forbidden by ``HF_HUB_OFFLINE``."""
    from huggingface_hub import constants

    kept = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = kept and (not allowed or forbids_hub())
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = kept


def _choose_file(path: Path, name: str, kind: WeightsKind) -> Path:
    """The file of a detector, pose estimator or posture head: the path itself, or the one such file of a folder.

    A detector may be an OpenVINO folder as well.
    """
    if path.is_file():
        _check_suffix(path, kind)
        return path
    suffix = ".safetensors" if kind == "posture" else ".onnx"
    files = sorted(path.glob(f"*{suffix}"))
    if len(files) == 1:
        return files[0]
    if files:
        raise WeightsError(f"{path} holds {len(files)} {suffix} files; name one of them instead of {name!r}")
    if kind == "detector" and any(path.glob("*.xml")):
        return path
    other = " and no OpenVINO model" if kind == "detector" else ""
    raise WeightsError(f"{path} holds no {suffix} file{other}; put one there or name another path")


def _check_suffix(path: Path, kind: WeightsKind) -> None:
    """Checks that a file for joints or postures has the right kind of name."""
    known = {"pose": (".onnx", *PICKLES), "posture": (".safetensors",)}.get(kind)
    if known is not None and path.suffix.lower() not in known:
        raise WeightsError(
            f"{path} is named as {kind} weights, which end with {known[0]}; name such a file or its folder"
        )


def _check_folder(path: Path, name: str, allow_pickle: bool) -> Path:
    """A transformers folder: a configuration and safetensors, or pickles if they are allowed."""
    if not (path / "config.json").is_file():
        raise WeightsError(f"{path} (named by {name!r}) has no config.json; name a folder made by save_pretrained")
    if any(path.glob("*.safetensors")):
        return path
    pickles = sorted(file for file in path.iterdir() if file.suffix.lower() in PICKLES)
    if pickles and not allow_pickle:
        raise _pickle_error(pickles[0], "convert it to safetensors")
    if not pickles:
        raise WeightsError(f"{path} has a config.json but no *.safetensors; download the model's weights to it")
    return path


def _pickle_error(path: Path, remedy: str) -> WeightsError:
    return WeightsError(
        f"{path} is a pickle, which can run code when loaded; {remedy}, or, if you trust the file, "
        "name it in the settings and set allow_pickle = true"
    )


def _missing_error(name: str, kind: WeightsKind) -> WeightsError:
    if HUB_NAME.fullmatch("/".join(name.split("/")[:2])):
        todo = (
            "run `anomalylmm models --fetch` with this profile and settings, or on a computer with internet with "
            "`--to DIR`, and copy DIR to the folder that models_folder names"
        )
    elif kind in FILE_KINDS:
        todo = f"set the path of {'a .safetensors' if kind == 'posture' else 'an .onnx'} file"
    else:
        todo = "set the path of a folder with config.json and *.safetensors"
    return WeightsError(f"the {kind} weights {name!r} are not on this computer; {todo}")


def _iter_files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for file in sorted(path.rglob("*")):
        is_hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if file.is_file() and not is_hidden and not is_side_car(file):
            yield file


def is_side_car(file: Path) -> bool:
    """Whether a file only describes a model."""
    if file.name.startswith("LICENSE") or file.name.endswith(GRAPH_SUFFIX):
        return True
    return file.suffix in NOT_WEIGHTS or file.name in NOT_CONTENT


def digest_of(path: Path) -> str:
    """sha256 over the names and contents of the files of a model."""
    digest = hashlib.sha256()
    for file in _iter_files(path):
        relative = file.name if path.is_file() else file.relative_to(path).as_posix()
        digest.update(f"{relative}\0{file_digest(file)}\n".encode())
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """sha256 of one file; computed once as long as its size and time stay."""
    entry = path.stat()
    return _file_digest(str(path), entry.st_size, entry.st_mtime_ns)


@lru_cache(maxsize=256)
def _file_digest(path: str, size_bytes: int, modified_ns: int) -> str:  # noqa: ARG001 - size and time are the cache's key
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def license_of(path: Path) -> str:
    """The license that a model card or license file next to the weights states, else ``unknown``."""
    folder = path if path.is_dir() else path.parent
    for card in (folder / "README.md", folder / "MODEL_CARD.md"):
        if not card.is_file():
            continue
        stated = STATED_LICENSE.search(card.read_text(encoding="utf-8", errors="replace"))
        if stated:
            return stated[1].strip()
    for file in sorted(folder.glob("LICENSE*")):
        lines = file.read_text(encoding="utf-8", errors="replace").split("\n", 1)
        return lines[0].strip() or "unknown"
    return "unknown"
