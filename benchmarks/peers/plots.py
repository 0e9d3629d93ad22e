"""One picture: bars of medians with every run as a point."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path


def draw_bars(path: Path, values: Mapping[str, Sequence[float]], label: str) -> None:
    """Draws a bar a name."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 1 + 0.6 * len(values)), layout="constrained")
    names = list(values)
    axes.barh(names, [statistics.median(values[name]) for name in names], color="#7a9cc6")
    for place, name in enumerate(names):
        axes.plot(values[name], [place] * len(values[name]), "o", color="#20344d", markersize=3)
    axes.set_xlabel(label)
    axes.invert_yaxis()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
