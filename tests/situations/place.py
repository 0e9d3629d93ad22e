"""A folder with an archive, a store and the commands of one checkout of the project."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a situation showed, in a few words, and whether a user would expect it."""

    text: str
    right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a situation works. ``code`` is a checkout of the project, so that older code can be compared."""

    folder: Path
    code: Path

    @property
    def archive(self) -> Path:
        """The archive; made when first asked for."""
        path = self.folder / "archive"
        path.mkdir(exist_ok=True)
        return path

    @property
    def store(self) -> Path:
        """The store's folder; the commands make it."""
        return self.folder / "store"

    def run(self, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs one command (``index``, ``sql``, ...) in the folder; never raises for its exit code.

        Raises:
            subprocess.TimeoutExpired: It took more than ``COMMAND_SECONDS``.
        """
        return subprocess.run(
            [sys.executable, "-m", "flows.cli", *map(str, arguments)],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(self.code)} | environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Returns the rows of a query on the store; empty if the command fails."""
        done = self.run("sql", sql, "--store", self.store, "--json")
        return json.loads(done.stdout) if done.returncode == 0 else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One situation: what a user expects, and the function that tries it."""

    expected: str
    examine: Callable[[Place], Observed]

    @property
    def name(self) -> str:
        """The function's name in words."""
        return self.examine.__name__.replace("_", " ")


def situation(expected: str) -> Callable[[Callable[[Place], Observed]], Situation]:
    """Makes a function a situation; ``expected`` is one sentence of what a user expects."""
    return lambda examine: Situation(expected=expected, examine=examine)
