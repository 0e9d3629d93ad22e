"""Draws an evaluation's figures as PNG: the ablation with its intervals, and mAP over the questions to the judge."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, GRAY, GREEN = "#2e6da4", "#888888", "#1e8449"
DPI = 110
Row = Mapping[str, Any]  # a variant of the report's document


def draw_ablation(rows: Sequence[Row], title: str) -> bytes:
    """Draws R@1 of each variant, and its paired difference from the coarse order, with 95 % intervals."""
    from matplotlib.figure import Figure

    picture = Figure(figsize=(11, 1.8 + 0.34 * len(rows)), layout="constrained")
    left, right = picture.subplots(1, 2, sharey=True)
    _draw_intervals(left, [row["intervals"]["r1"] for row in rows], BLUE)
    left.set_yticks(range(len(rows)), [row["name"] for row in rows])
    left.invert_yaxis()
    left.set_xlabel("R@1, 95 % interval")
    none = {"mean": 0.0, "low": 0.0, "high": 0.0}
    _draw_intervals(right, [row["difference_from_coarse"].get("r1", none) for row in rows], GREEN)
    right.axvline(0.0, color=GRAY, linewidth=1)
    right.set_xlabel("difference in R@1 from coarse, paired bootstrap, 95 % interval")
    picture.suptitle(title)
    return _encode(picture)


def _draw_intervals(axes: "Axes", intervals: Sequence[Mapping[str, float]], color: str) -> None:
    for place, interval in enumerate(intervals):
        axes.plot([interval["low"], interval["high"]], [place, place], color=color, linewidth=2)
        axes.plot([interval["mean"]], [place], color=color, marker="o")
    axes.grid(axis="x", alpha=0.3)


def draw_cost(rows: Sequence[Row], title: str) -> bytes:
    """Draws mAP over the number of questions per query."""
    from matplotlib.figure import Figure

    picture = Figure(figsize=(8, 5), layout="constrained")
    axes = picture.subplots()
    for row in rows:
        if row["measures"]:
            at = (row["cost"]["questions"], row["measures"]["map"])
            axes.plot([at[0]], [at[1]], marker="o", color=BLUE)
            axes.annotate(row["name"], at, xytext=(4, 4), textcoords="offset points", fontsize=8)
    axes.set_xlabel("questions to the judge per query")
    axes.set_ylabel("mAP")
    axes.grid(alpha=0.3)
    axes.set_title(title)
    return _encode(picture)


def _encode(picture: "Figure") -> bytes:
    content = io.BytesIO()
    picture.savefig(content, format="png", dpi=DPI)
    return content.getvalue()
