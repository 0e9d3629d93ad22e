"""How training computes: in bfloat16 on a GPU and where the processor has it, else in float32.

Processors without bfloat16 emulate it slowly.
"""

from functools import lru_cache

import torch


@lru_cache(maxsize=1)
def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware; emulation is several times slower than float32."""
    flags = torch.cpu.get_capabilities()
    return bool(flags.get("avx512_bf16") or flags.get("amx_bf16"))


def mixed(device: str = "cpu") -> torch.autocast:
    """The context in which forward passes of a training run on `device` ("cpu", "cuda" or "cuda:1")."""
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=kind != "cpu" or has_bfloat16())
