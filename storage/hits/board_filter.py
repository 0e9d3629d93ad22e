"""Which incidents a page shows and in which order, as SQL conditions whose values are bound."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

Facet = Literal["query", "camera", "state"]
Order = Literal["newest", "confident"]


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the order: the value that orders, and the incident that has it."""

    value: str
    incident_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardFilter:
    """All that is given must hold; days and hours are those of the camera's clock."""

    queries: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    first_day: date | None = None
    last_day: date | None = None
    first_hour: int | None = None
    last_hour: int | None = None  # inclusive; earlier than the first: over midnight
    min_confidence: float = 0.0
    order: Order = "newest"
    is_reversed: bool = False

    def reversed(self) -> "BoardFilter":
        """The same incidents in the opposite order."""
        return replace(self, is_reversed=not self.is_reversed)

    def where(self, *, without: Facet | None = None) -> tuple[str, list[Any]]:
        """A condition and its values; one facet may be left out."""
        conditions: list[str] = ["confidence >= ?"]
        bound: list[Any] = [self.min_confidence]
        chosen_by = {"query": self.queries, "camera": self.cameras, "state": self.states}
        for facet, chosen in chosen_by.items():
            column = "query_name" if facet == "query" else facet
            if chosen and facet != without:
                conditions.append(f"list_contains(?::VARCHAR[], {column})")
                bound.append(list(chosen))
        if self.first_day:
            conditions.append("local_start::DATE >= ?")
            bound.append(self.first_day)
        if self.last_day:
            conditions.append("local_start::DATE <= ?")
            bound.append(self.last_day)
        if self.first_hour is not None or self.last_hour is not None:
            first, last = self.first_hour or 0, 23 if self.last_hour is None else self.last_hour
            joined = "AND" if first <= last else "OR"
            conditions.append(f"(hour(local_start) >= ? {joined} hour(local_start) <= ?)")
            bound += [first, last]
        return " AND ".join(conditions), bound


ALL = BoardFilter()
