"""The outcome of each query under each variant, and the file that stores outcomes while an evaluation runs."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

KEPT_PLACES = 10  # of the final order, for answers and failure sheets


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of one query under one variant."""

    ranks: tuple[int, ...]  # 0-based, of the positives
    first: tuple[int, ...]  # positions of the best pictures, best first
    num_questions: int = 0  # that the judge would be asked without any cache
    num_asked: int = 0  # that it was asked in this run
    num_judged: int = 0  # candidates
    num_failed: int = 0  # candidates without a usable answer of the judge
    seconds: float = 0.0  # of the judge and the focus crops; cached answers count with their first cost
    tokens: float = 0.0  # that the judge read and wrote, counted likewise
    notes: tuple[str, ...] = ()  # settings that could not be applied


_OUTCOMES = TypeAdapter(dict[str, Outcome])


class ProgressFile:
    """A file with one line per finished query; a line that a killed process did not finish is not read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, dict[str, Outcome]]:
        """Reads the finished queries, and cuts off an unfinished last line."""
        if not self.path.is_file():
            return {}
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            with self.path.open("r+b") as file:
                file.truncate(len(whole))
        rows = [json.loads(line) for line in whole.decode().splitlines()]
        return {row["query"]: _OUTCOMES.validate_python(row["outcomes"]) for row in rows}

    def add(self, query_id: str, outcomes: Mapping[str, Outcome]) -> None:
        """Adds a finished query."""
        row = {"query": query_id, "outcomes": {name: asdict(item) for name, item in outcomes.items()}}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
