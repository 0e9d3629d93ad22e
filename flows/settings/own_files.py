"""Files that people write for us, settings, queries and feedback: read whole, refused clearly."""

import tomllib
from pathlib import Path
from typing import Any

from anomalylmm.errors import ConfigurationError

MAX_BYTES = 16 << 20  # of a file that a person writes
MAX_SHOWN = 120  # characters of a wrong value that a message repeats


def read_toml(path: Path) -> dict[str, Any]:
    """Reads a TOML file.

    Raises:
        ConfigurationError: It is missing or malformed; the message names file and line.
    """
    return parse_toml(read_own_file(path, "TOML").decode("utf-8", "surrogateescape"), path)


def read_own_file(path: Path, kind: str) -> bytes:
    """Reads a file that a person wrote; a device or a pipe, which may have no end, is not begun.

    Raises:
        ConfigurationError: It is missing, no file, too large or can't be read.
    """
    try:
        if not path.exists():
            raise ConfigurationError(f"{path} does not exist; name an existing {kind} file")
        if not path.is_file():
            raise ConfigurationError(f"{path} is no file; name a {kind} file")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ConfigurationError(f"{path} has {size:,} bytes, at most {MAX_BYTES:,} are read; divide it")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"{str(path)[:200]} can't be read: {reason}; name a {kind} file") from error


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """Reads the text of a TOML file.

    Raises:
        ConfigurationError: It is malformed; the message names file and line.
    """
    try:
        text.encode()
        return tomllib.loads(text)
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise ConfigurationError(f"{path} is not valid TOML: line {line} is not UTF-8; mend that line") from error
    except RecursionError as error:
        raise ConfigurationError(f"{path} is not valid TOML: its tables are nested too deeply; mend it") from error
    except ValueError as error:  # TOMLDecodeError is one; so is a number of thousands of digits
        raise ConfigurationError(f"{path} is not valid TOML: {error}; mend that line") from error


def show_value(value: object) -> str:
    """Repeats a wrong value in a message, not all of it where it is long."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
