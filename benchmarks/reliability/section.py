"""What one part of the fault injection reports; it knows nothing of the parts."""

from collections.abc import Sequence
from dataclasses import dataclass, field

Cell = str | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A table of what was tried, and every fault that was found."""

    title: str
    intro: str  # what was done, in a sentence or two
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    faults: tuple[str, ...] = ()  # a line each; none means that every promise held
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.title}: a row has {len(row)} cells, expected {len(self.columns)}: {row}")

    def markdown(self) -> str:
        """The section as Markdown."""
        lines = [f"## {self.title}", self.intro, "", _line(self.columns), _line(["---"] * len(self.columns))]
        lines += [_line(row) for row in self.rows]
        lines += ["", *(f"- {note}" for note in self.notes)] if self.notes else []
        lines += ["", *(f"- **fault:** {fault}" for fault in self.faults)] if self.faults else ["", "No fault."]
        return "\n".join(lines) + "\n"


def _line(cells: Sequence[Cell]) -> str:
    return "| " + " | ".join(_escape(cell) for cell in cells) + " |"


def _escape(cell: Cell) -> str:
    text = f"{cell:.3g}" if isinstance(cell, float) else str(cell)
    for character in "\\`*_{}[]<>|":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", " ")
