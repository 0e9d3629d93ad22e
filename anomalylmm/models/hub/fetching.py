"""Brings models from the Hugging Face hub into one folder, each file checked against the hub's digest.

After an interruption, only what had not arrived is downloaded. Files of a model are ``FOLDER/org/name/...``, where
``resolve`` looks.
"""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from anomalylmm.errors import WeightsError
from anomalylmm.models.weights import FILE_KINDS, HUB_FILES, HUB_NAME, WeightsKind, hub_open
from anomalylmm.offline import forbids_hub

CARD_FILES = ("README.md", "LICENSE*")
BLOCK_BYTES = 1 << 20
LICENSE_TAG = "license:"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file of a model, as the hub describes it."""

    path: str
    size_bytes: int
    sha256: str  # empty for small files, which git keeps
    git_id: str

    def is_at(self, folder: Path) -> bool:
        """Returns whether the file lies there with the hub's content."""
        path = folder / self.path
        if not path.is_file() or path.stat().st_size != self.size_bytes:
            return False
        if self.sha256:
            return _digest(path, hashlib.sha256()) == self.sha256
        return _digest(path, hashlib.sha1(b"blob %d\0" % self.size_bytes, usedforsecurity=False)) == self.git_id


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteModel:
    """What a profile needs of one repository of the hub."""

    name: str  # as the settings name it: org/name, or org/name/file.onnx
    repository: str
    revision: str  # a commit
    license: str
    files: tuple[RemoteFile, ...]
    pickle: str = ""  # a detector's .pt file, of which the .onnx file is made; loading it runs code

    @property
    def size_bytes(self) -> int:
        """Size of the download."""
        return sum(file.size_bytes for file in self.files)


def find_remote(name: str, kind: WeightsKind) -> RemoteModel:
    """Asks the hub what a model consists of.

    Args:
        name: ``org/name``, or ``org/name/file.onnx`` for a detector or pose estimator.
        kind: What it is for.

    Raises:
        WeightsError: It is no name of the hub, the hub does not have it or can't be reached, or it holds pickles only.
    """
    parts = PurePosixPath(name).parts
    repository, wanted = "/".join(parts[:2]), "/".join(parts[2:])
    if not HUB_NAME.fullmatch(repository) or bool(wanted) != (kind in FILE_KINDS):
        form = "org/name/file.onnx" if kind in FILE_KINDS else "org/name"
        raise WeightsError(f"the {kind} weights {name!r} can't be fetched: a model of the hub is named {form}")
    from huggingface_hub import HfApi

    with _asking(repository):
        info = HfApi().model_info(repository, files_metadata=True)
    licenses = [tag.removeprefix(LICENSE_TAG) for tag in info.tags or () if tag.startswith(LICENSE_TAG)]
    files = {item.rfilename: _describe(item) for item in info.siblings or ()}
    chosen, pickle = _choose(files, wanted, repository)
    return RemoteModel(
        name=name,
        repository=repository,
        revision=str(info.sha),
        license=", ".join(licenses) or "unknown",
        files=tuple(files[path] for path in chosen),
        pickle=pickle,
    )


def _choose(files: dict[str, RemoteFile], wanted: str, repository: str) -> tuple[list[str], str]:
    """Chooses the files to download; second comes the pickle among them, if that is all there is of a detector."""
    patterns = (*CARD_FILES, wanted) if wanted else HUB_FILES
    pickle = ""
    if wanted and wanted not in files:
        pickle = str(PurePosixPath(wanted).with_suffix(".pt"))
        if pickle not in files:
            raise WeightsError(
                f"{repository} on the hub has neither {wanted} nor {pickle}; name one of its .onnx files"
            )
        patterns = (*CARD_FILES, pickle)
    chosen = [path for path in files if any(fnmatch(path, pattern) for pattern in patterns)]
    if not wanted and not any(path.endswith(".safetensors") for path in chosen):
        raise WeightsError(f"{repository} on the hub has no *.safetensors; name a model that has them")
    return chosen, pickle


def _describe(item: Any) -> RemoteFile:
    return RemoteFile(
        path=item.rfilename,
        size_bytes=int(item.size or 0),
        sha256=item.lfs.sha256 if item.lfs else "",
        git_id=item.blob_id or "",
    )


def fetch(model: RemoteModel, folder: Path) -> Path:
    """Downloads what is missing of a model, checks it, and gives its folder.

    Raises:
        WeightsError: The hub can't be reached, sends other bytes than it promises, or there is too little disk space.
    """
    from huggingface_hub import hf_hub_download

    target = folder / model.repository
    missing = [file for file in model.files if not file.is_at(target)]
    _check_space(target, sum(file.size_bytes for file in missing))
    for file in missing:
        with _asking(model.repository):
            hf_hub_download(model.repository, file.path, revision=model.revision, local_dir=target)
        if not file.is_at(target):
            (target / file.path).unlink(missing_ok=True)
            raise WeightsError(
                f"{model.repository}/{file.path} arrived with other content than the hub promises; it was removed. "
                "Fetch it again, and if that does not help, ask who runs the network between here and the hub"
            )
    shutil.rmtree(target / ".cache", ignore_errors=True)  # the hub library's notes on unfinished downloads
    return target


def _check_space(folder: Path, needed_bytes: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(folder).free
    except OSError as error:
        raise WeightsError(f"{folder} can't be written: {error.strerror}; name another folder with --to") from error
    if needed_bytes > free_bytes:
        raise WeightsError(
            f"{folder} has {free_bytes / 1e9:.1f} GB free, and the download takes {needed_bytes / 1e9:.1f} GB; make "
            "room or name another folder with --to"
        )


def _digest(path: Path, digest: Any) -> str:
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return str(digest.hexdigest())


@contextmanager
def _asking(repository: str) -> Iterator[None]:
    """Opens the way to the hub for the block, and says in plain words why it did not work."""
    from huggingface_hub import errors

    if forbids_hub():
        raise WeightsError("HF_HUB_OFFLINE forbids asking the hub; unset it to fetch models")
    page = f"https://huggingface.co/{repository}"
    try:
        with hub_open(allowed=True):
            yield
    except errors.GatedRepoError as error:
        raise WeightsError(
            f"{repository} asks for consent: agree at {page}, then set HF_TOKEN to your token"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise WeightsError(
            f"the hub has no model {repository}, or only for others; check the name at {page}"
        ) from error
    except Exception as error:  # those of the hub's library, its HTTP client and the system have no base in common
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise WeightsError(
            f"{repository} can't be fetched: {lines[0]}; check the network and fetch again; files that arrived are kept"
        ) from error
