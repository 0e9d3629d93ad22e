"""Reads which hits an earlier export had to leave without a clip, because their videos could not be reached."""

import json
import zipfile
from pathlib import Path

from anomalylmm.errors import ConfigurationError
from flows.export.files import MANIFEST, PUT_OFF

_NO_EXPORT = (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile)  # what strange files raise


def read_put_off(export: Path) -> tuple[str, ...]:
    """Reads the ids of these hits from an export.

    Args:
        export: Its folder or zip file.

    Raises:
        ConfigurationError: It is no export, or no clip is missing for this reason.
    """
    try:
        hits = tuple(str(hit_id) for hit_id in json.loads(_read_manifest(export)).get(PUT_OFF, ()))
    except _NO_EXPORT as error:
        raise ConfigurationError(
            f"{export} is no export that can be read ({error}); name the folder or zip file of an earlier export"
        ) from error
    if not hits:
        raise ConfigurationError(
            f"{export} put no hit off, because all videos could be reached; there is nothing to do"
        )
    return hits


def _read_manifest(export: Path) -> bytes:
    if export.is_dir():
        return (export / MANIFEST).read_bytes()
    with zipfile.ZipFile(export) as packed:
        return packed.read(MANIFEST)
