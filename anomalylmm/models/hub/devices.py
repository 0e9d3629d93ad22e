"""Chooses where and how precisely torch computes."""

import torch

from anomalylmm.errors import ConfigurationError

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def choose_device(name: str) -> torch.device:
    """Turns ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:1"`` into a device that is there.

    Raises:
        ConfigurationError: The name is unknown, or the device is not on this computer.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigurationError(f"device is {name!r}; use auto, cpu, cuda or cuda:<number>") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError(f"device is {name!r}, but torch sees no GPU here; use cpu or auto")
    return device


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """Turns ``"auto"`` or a name into a type: half precision on a GPU, float32 on a CPU (whose half is slow).

    Raises:
        ConfigurationError: The name is unknown.
    """
    if name == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    if name not in DTYPES:
        raise ConfigurationError(f"dtype is {name!r}; use auto or one of {', '.join(DTYPES)}")
    return DTYPES[name]
