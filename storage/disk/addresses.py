"""Archives by address, such as ``s3://bucket/prefix``: they are kept as paths, which write the address with one slash.

So camera, time and place of a video are read from an address as from a folder. What opens files asks ``is_address``.
"""

import re
from pathlib import Path

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):/+(.*)", re.DOTALL)  # two letters at least
_OF_THIS_MACHINE = ("file", "local")


def is_address(path: Path) -> bool:
    """Whether a path stands for an address: ``Path("s3://bucket/prefix")`` does."""
    return _SCHEME.match(str(path)) is not None


def to_address(path: Path) -> str:
    """The address or path as its user writes it: ``s3://bucket/prefix`` for ``s3:/bucket/prefix``."""
    found = _SCHEME.match(str(path))
    if found is None:
        return str(path)
    scheme, rest = found.groups()
    return f"{scheme}://{'/' if scheme in _OF_THIS_MACHINE else ''}{rest}"
