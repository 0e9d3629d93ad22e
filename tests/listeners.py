"""A listener that keeps what it is told."""

from flows.runs.progress import Listener


class Notes(Listener):
    """Keeps the warnings, and the note of each step."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.advanced: list[str] = []

    def advance(self, stage: str, amount: float, note: str = "") -> None:
        """Keeps the note."""
        self.advanced.append(note)

    def warn(self, message: str) -> None:
        """Keeps the warning."""
        self.warnings.append(message)
