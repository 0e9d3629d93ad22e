"""What a benchmark has measured, kept so that an interrupted run goes on."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Measurements:
    """What was measured, kept in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def once(self, name: str, measure: Callable[[], Any]) -> Any:
        """What was measured under this name, now or before."""
        if name not in self._kept:
            self._kept[name] = measure()
            building = self._path.with_suffix(".new")
            building.write_text(json.dumps(self._kept, indent=1))
            building.replace(self._path)
            print(f"measured {name}", file=sys.stderr, flush=True)
        return self._kept[name]
