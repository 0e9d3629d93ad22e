"""Tables, slopes and a picture of what indexing took. Pure but for the picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.scale.report import slope

Row = Mapping[str, Any]
SERIES = {"length": ("Length of a video", "asked_seconds"), "cameras": ("Number of cameras", "cameras")}
SERIES_OF = {over: name for name, (_, over) in SERIES.items()}
COLUMNS = (
    ("cameras", "cameras"),
    ("video_seconds", "video s"),
    ("seconds", "s"),
    ("cpu_seconds", "CPU s"),
    ("per_video_hour", "s per video-hour"),
    ("crops", "crops embedded"),
    ("frames_detected", "frames detected"),
    ("peak_mib", "peak memory, MiB"),
    ("second_half_mib", "in the second half, MiB"),
)
GROWING = {
    "seconds": "seconds",
    "cpu_seconds": "CPU seconds",
    "peak_mib": "peak memory",
    "second_half_mib": "memory in the second half",
}
REFERENCE_SECONDS = 600


def write_markdown(rows: Sequence[Row]) -> str:
    """A table and the slopes of each series."""
    return "\n".join(_write_series(name, own) for name in SERIES if (own := select(rows, name)))


def select(rows: Sequence[Row], series: str) -> list[Row]:
    """The rows of one series, the smallest first."""
    over = SERIES[series][1]
    return sorted((row for row in rows if row["series"] == series), key=lambda row: float(row[over]))


def _write_series(series: str, rows: Sequence[Row]) -> str:
    title, over = SERIES[series]
    lines = [f"## {title}", _line([title for _, title in COLUMNS]), _line(["---"] * len(COLUMNS))]
    lines += [_line([_cell(row[name]) for name, _ in COLUMNS]) for row in rows]
    told = [*list_slopes(rows, over), *(compare_longest(rows) if series == "length" else [])]
    return "\n".join([*lines, "", *(f"- {text}" for text in told)]) + "\n"


def list_slopes(rows: Sequence[Row], over: str) -> list[str]:
    """How the figures grow, 1 being in proportion and 0 not at all; nothing of a single point."""
    if len({row[over] for row in rows}) < 2:
        return []
    slopes = [f"{text} {slope(rows, over, name):z.2f}" for name, text in GROWING.items()]
    return [f"slopes over {SERIES_OF[over]}: {', '.join(slopes)}"]


def compare_longest(rows: Sequence[Row]) -> list[str]:
    """Memory of the longest video over that of ten minutes, where both were measured."""
    base = next((row for row in rows if row["asked_seconds"] == REFERENCE_SECONDS), None)
    if base is None or rows[-1] is base:
        return []
    peak, half = (rows[-1][name] / base[name] for name in ("peak_mib", "second_half_mib"))
    return [f"memory of the longest over that of 10 minutes: {peak:.2f} (in the second half of the run {half:.2f})"]


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draws seconds and memory over length and over cameras."""
    from matplotlib.figure import Figure

    measured = {name: own for name in SERIES if (own := select(rows, name))}
    figure = Figure(figsize=(0.5 + 4.3 * len(measured), 7), layout="constrained")
    columns = figure.subplots(2, len(measured), squeeze=False).T
    for (above, below), (series, own) in zip(columns, measured.items(), strict=True):
        title, over = SERIES[series]
        _draw_lines(above, own, over, ("seconds", "cpu_seconds"))
        _draw_lines(below, own, over, ("peak_mib", "second_half_mib"))
        above.set(yscale="log", ylabel="seconds")
        below.set(
            ylabel="MiB",
            ylim=(0, 1.1 * max(row["peak_mib"] for row in own)),
            xlabel=title + (", s" if series == "length" else ""),
        )
    figure.savefig(path, dpi=110)


def _draw_lines(axes: Any, rows: Sequence[Row], over: str, names: Sequence[str]) -> None:
    for name in names:
        axes.plot([row[over] for row in rows], [row[name] for row in rows], "o-", label=GROWING[name])
    axes.set_xscale("log")
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=7, loc="lower right")


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
