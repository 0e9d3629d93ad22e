"""Chooses where and how precisely torch computes."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from anomalylmm.errors import ConfigurationError

LOGGER = logging.getLogger(__name__)
Item = TypeVar("Item")
Made = TypeVar("Made")
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


def work_in_batches(items: Sequence[Item], size: int, work: Callable[[Sequence[Item]], Made]) -> list[Made]:
    """Calls ``work`` with pieces of at most ``size`` items, in order; a piece too large for a GPU's memory is halved.

    Raises:
        torch.OutOfMemoryError: There is too little memory for one item.
    """
    made, start = list[Made](), 0
    while start < len(items):
        piece = items[start : start + size]
        try:
            made.append(work(piece))
        except torch.OutOfMemoryError:
            if len(piece) == 1:
                raise
            size = len(piece) // 2
            torch.cuda.empty_cache()
            LOGGER.warning("the GPU has too little memory for batches of %d; they are halved", len(piece))
            continue
        start += len(piece)
    return made
