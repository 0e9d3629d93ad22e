"""Reads files that users write: settings, queries and feedback. Messages name the file and the problem."""

import tomllib
from pathlib import Path
from typing import Any

from anomalylmm.errors import ConfigurationError

MAX_BYTES = 16 << 20  # of one file
MAX_SHOWN = 120  # characters of a wrong value that a message quotes


def read_toml(path: Path) -> dict[str, Any]:
    """Reads a TOML file.

    Raises:
        ConfigurationError: The file is missing or malformed; the message names the line.
    """
    return parse_toml(read_own_file(path, "TOML").decode("utf-8", "surrogateescape"), path)


def read_own_file(path: Path, kind: str) -> bytes:
    """Reads a regular file; devices and pipes are rejected because they may never end.

    Raises:
        ConfigurationError: The file is missing, not a regular file, too large or unreadable.
    """
    try:
        if not path.exists():
            raise ConfigurationError(f"{path} does not exist; give the path of a {kind} file")
        if not path.is_file():
            raise ConfigurationError(f"{path} is not a file; give the path of a {kind} file")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ConfigurationError(f"{path} has {size:,} bytes, but the limit is {MAX_BYTES:,}; split it")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a name with a NUL byte raises ValueError
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"{str(path)[:200]} can't be read: {reason}; give the path of a {kind} file"
        ) from error


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """Reads the text of a TOML file.

    Raises:
        ConfigurationError: The text is malformed; the message names file and line.
    """
    try:
        text.encode()
        return tomllib.loads(text)
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise ConfigurationError(f"{path} is not valid TOML: line {line} is not UTF-8; correct that line") from error
    except RecursionError as error:
        raise ConfigurationError(f"{path} is not valid TOML: its tables are nested too deeply; simplify it") from error
    except ValueError as error:  # also raised for numbers with thousands of digits
        raise ConfigurationError(f"{path} is not valid TOML: {error}; correct that line") from error


def show_value(value: object) -> str:
    """Returns a value for use in a message; a long value is cut."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
