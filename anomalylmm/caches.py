"""Folders for what this machine can make or fetch again: below ``ANOMALYLMM_CACHE``, if that is set.

It is a variable of the machine and no setting: the settings of a run travel to workers on other machines.
"""

import os
from pathlib import Path

from anomalylmm.errors import ConfigurationError

VARIABLE = "ANOMALYLMM_CACHE"
LIBRARIES = {  # what names the folder of a library, and its place below ours
    "HF_HOME": "huggingface",
    "MPLCONFIGDIR": "matplotlib",
    "YOLO_CONFIG_DIR": "ultralytics",
}


def direct_libraries() -> None:
    """Leads the caches of the libraries below ``ANOMALYLMM_CACHE``, unless the user has named their places."""
    if os.environ.get(VARIABLE):
        for name, place in LIBRARIES.items():
            if not os.environ.get(name):
                os.environ[name] = str(cache_folder() / place)


def cache_folder() -> Path:
    """The folder itself; without the variable it is ``anomalylmm`` below ``XDG_CACHE_HOME``, else ``~/.cache``."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "anomalylmm"


def prefect_folder() -> Path:
    """The folder in which Prefect keeps its profiles and, where no server is named, its database."""
    return Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()


def require_writable(folder: Path, variable: str = VARIABLE) -> Path:
    """Checks that a folder can be written to, and creates it if it is missing.

    Raises:
        ConfigurationError: It can't; says which variable names another place.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(folder, os.W_OK) else "it is not writable for this user"
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise ConfigurationError(
            f"{folder} can't be used: {reason}. Set {variable} to a folder of this machine that can be written to"
        )
    return folder
