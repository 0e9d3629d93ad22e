"""What a part found, kept as a file, so that a run that was interrupted goes on with the next part."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.reliability.section import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One part's table, and when and how long it was tried."""

    part: str
    is_short: bool
    began_utc: datetime
    seconds: float
    section: Section

    def to_json(self) -> str:
        """Everything, as text."""
        return json.dumps({**asdict(self), "began_utc": self.began_utc.isoformat(timespec="seconds")}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Finding":
        """Reads what ``to_json`` wrote."""
        told = json.loads(text)
        section = {name: _as_tuples(value) for name, value in told["section"].items()}
        began = datetime.fromisoformat(told["began_utc"])
        return cls(**{**told, "began_utc": began, "section": Section(**section)})


def find_or_try(folder: Path | None, part: str, is_short: bool, work: Callable[[], Section]) -> Finding:
    """Gives what an earlier run of the part found, if it was of the same length, else tries it and keeps that."""
    path = _place(folder, part, is_short) if folder else None
    if path and path.exists():
        return Finding.from_json(path.read_text(encoding="utf-8"))
    began = datetime.now(UTC)
    section = work()
    seconds = (datetime.now(UTC) - began).total_seconds()
    finding = Finding(part=part, is_short=is_short, began_utc=began, seconds=seconds, section=section)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        building = path.with_suffix(".building")
        building.write_text(finding.to_json(), encoding="utf-8")
        building.replace(path)
    return finding


def read_kept(folder: Path, part: str) -> Finding | None:
    """Gives what is kept of a part, of a long run rather than of a short one; None where nothing is."""
    paths = [_place(folder, part, is_short) for is_short in (False, True)]
    return next((Finding.from_json(path.read_text(encoding="utf-8")) for path in paths if path.exists()), None)


def _place(folder: Path, part: str, is_short: bool) -> Path:
    return folder / f"{part}{'-short' if is_short else ''}.json"


def _as_tuples(value: object) -> object:
    return tuple(_as_tuples(item) for item in value) if isinstance(value, list) else value
