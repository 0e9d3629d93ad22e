"""Counts what was tried and lists the promises that were broken; it knows nothing of the kinds of fault."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Lock


class Ledger:
    """Trials by what was tried, the number of them that broke a promise, and each broken promise; threads share one."""

    def __init__(self) -> None:
        self.tried: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.broken: list[str] = []
        self.notes: list[str] = []
        self._lock = Lock()

    def count(self, what: str, *broken: str) -> None:
        """Counts one trial, with a line for every promise that it broke."""
        with self._lock:
            self.tried[what] += 1
            self.failed[what] += bool(broken)
            self.broken += [f"{what}: {line}" for line in broken]

    def note(self, text: str) -> None:
        """Adds what a reader of the numbers should know, for example that something was skipped."""
        with self._lock:
            self.notes.append(text)

    def markdown(self, title: str) -> str:
        """A short table, the notes and every broken promise in full."""
        rows = [*((name, self.tried[name], self.failed[name]) for name in self.tried)]
        rows.append(("all", self.tried.total(), self.failed.total()))
        lines = [f"## {title}", "| what | tried | kept | broken |", "| --- | --- | --- | --- |"]
        lines += [f"| {name} | {tried} | {tried - failed} | {failed} |" for name, tried, failed in rows]
        lines += ["", *(f"- {note}" for note in self.notes)] if self.notes else []
        lines += ["", *(f"- **broken:** {_in_one_line(text)}" for text in self.broken)] if self.broken else []
        return "\n".join(lines) + "\n"

    def to_json(self) -> str:
        """Everything, as text."""
        return json.dumps(
            {"tried": self.tried, "failed": self.failed, "broken": self.broken, "notes": self.notes}, indent=1
        )

    @classmethod
    def from_json(cls, text: str) -> "Ledger":
        """Reads what ``to_json`` wrote."""
        content, ledger = json.loads(text), cls()
        ledger.tried, ledger.failed = Counter(content["tried"]), Counter(content["failed"])
        ledger.broken, ledger.notes = content["broken"], content["notes"]
        return ledger


def find_or_try(folder: Path | None, kind: str, is_short: bool, work: Callable[[], Ledger]) -> Ledger:
    """Gives what an earlier run of the same length kept in the folder, else tries the kind and keeps the result."""
    path = place_of(folder, kind, is_short) if folder else None
    if path and path.exists():
        return Ledger.from_json(path.read_text(encoding="utf-8"))
    ledger = work()
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        building = path.with_suffix(".building")
        building.write_text(ledger.to_json(), encoding="utf-8")
        building.replace(path)
    return ledger


def place_of(folder: Path, kind: str, is_short: bool) -> Path:
    """Where the result of a kind is kept."""
    return folder / f"{kind}{'-short' if is_short else ''}.json"


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
