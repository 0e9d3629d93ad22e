"""How training computes: in bfloat16 where the processor has it, in float32 elsewhere (there bfloat16 is emulated)."""

from functools import lru_cache

import torch


@lru_cache(maxsize=1)
def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware; emulation is several times slower than float32."""
    flags = torch.cpu.get_capabilities()
    return bool(flags.get("avx512_bf16") or flags.get("amx_bf16"))


def mixed() -> torch.autocast:
    """The context in which forward passes of a training run."""
    return torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16())
