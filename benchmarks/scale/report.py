"""Slopes, a table and a plot of what was measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Row = Mapping[str, Any]
COLUMNS = (
    ("state", "state"),
    ("dimension", "dimension"),
    ("crops", "crops"),
    ("queries", "queries"),
    ("seconds", "s"),
    ("cpu_seconds", "CPU s"),
    ("own_mib", "own MiB"),
    ("mapped_mib", "mapped MiB"),
    ("resident_mib", "resident MiB"),
    ("gallery_open_seconds", "gallery open s"),
    ("recall", "recall@100"),
)


def slope(rows: Sequence[Row], over: str, value: str = "cpu_seconds") -> float:
    """How a value grows: 1 is in proportion, 0 not at all (least squares of the logarithms)."""
    xs, ys = (np.log10([row[name] for row in rows]) for name in (over, value))
    return float(np.polyfit(xs, ys, 1)[0]) if len(set(xs.tolist())) > 1 else float("nan")


def write_markdown(rows: Sequence[Row]) -> str:
    """The rows as a table, and the slopes of each series."""
    lines = ["| " + " | ".join(title for _, title in COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(_cell(name, row.get(name)) for name, _ in COLUMNS) + " |" for row in rows]
    return "\n".join([*lines, "", *(f"- {line}" for line in list_slopes(rows))]) + "\n"


def list_slopes(rows: Sequence[Row]) -> list[str]:
    """Growth over crops for each number of queries, and over queries for each number of crops."""
    lines = []
    for over, fixed in (("crops", "queries"), ("queries", "crops")):
        keys = sorted({(row["state"], row["dimension"], row[fixed]) for row in rows})
        for state, dimension, number in keys:
            own = [row for row in rows if (row["state"], row["dimension"], row[fixed]) == (state, dimension, number)]
            if len(own) > 2:
                lines.append(
                    f"{state}, {dimension} dimensions, {number:,} {fixed}: over {over} CPU seconds grow with slope "
                    f"{slope(own, over):.2f}, resident memory with {slope(own, over, 'resident_mib'):.2f}"
                )
    return lines


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draws CPU seconds over crops and over queries."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, over, fixed in zip(figure.subplots(1, 2), ("crops", "queries"), ("queries", "crops"), strict=True):
        for state, dimension, number in sorted({(row["state"], row["dimension"], row[fixed]) for row in rows}):
            own = [row for row in rows if (row["state"], row["dimension"], row[fixed]) == (state, dimension, number)]
            if len(own) > 1:
                own.sort(key=lambda row: row[over])
                label = f"{state}, {dimension}-d, {number:,} {fixed}"
                axes.loglog([row[over] for row in own], [row["cpu_seconds"] for row in own], "o-", label=label)
        axes.set_xlabel(over)
        axes.set_ylabel("CPU seconds of a search")
        axes.grid(alpha=0.3, which="both")
        if axes.lines:
            axes.legend(fontsize=7)
    figure.savefig(path, dpi=110)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "recall":
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value) if isinstance(value, str) else f"{value:.3g}"
