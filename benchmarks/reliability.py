"""How often hits of a given confidence are right, on an archive with known events: python -m benchmarks.reliability.

The store's queries must have been swept with accept = 0, so that every judged candidate is a hit.
"""

import argparse
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.rendered.scoring import Event, read_truth, score_hits
from benchmarks.thresholds import Weighed, read_weighed

EDGES = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
Z90 = 1.645


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The hits whose confidence lies between two edges."""

    low: float
    high: float
    hits: int
    confidence: float  # mean
    right: float  # share of the hits
    akin: float  # share on an anomaly of another kind
    interval90: tuple[float, float]  # of the right share (Wilson)


def measure_bands(events: Sequence[Event], hits: Iterable[Weighed]) -> list[Band]:
    """Returns the bands that hold hits, from low to high; the last edge belongs to the last band."""
    scored = [(item.confidence, score_hits(events, [item.hit])) for item in hits]
    bands = []
    for low, high in pairwise(EDGES):
        inside = [(c, score) for c, score in scored if low <= c < high or (high == EDGES[-1] and c == high)]
        if inside:
            right = sum(score.right for _, score in inside)
            bands.append(
                Band(
                    low=low,
                    high=high,
                    hits=len(inside),
                    confidence=sum(c for c, _ in inside) / len(inside),
                    right=right / len(inside),
                    akin=sum(score.confused for _, score in inside) / len(inside),
                    interval90=wilson(right, len(inside)),
                )
            )
    return bands


def wilson(right: int, number: int) -> tuple[float, float]:
    """The 90 % interval of a share (E. B. Wilson, JASA 22, 1927)."""
    share, square = right / number, Z90**2
    center = (share + square / (2 * number)) / (1 + square / number)
    reach = Z90 * math.sqrt(share * (1 - share) / number + square / (4 * number**2)) / (1 + square / number)
    return max(0.0, center - reach), min(1.0, center + reach)


def expected_error(bands: Sequence[Band]) -> float:
    """The mean distance between confidence and right share, weighted by hits (expected calibration error)."""
    return sum(band.hits * abs(band.confidence - band.right) for band in bands) / sum(band.hits for band in bands)


def draw(bands: Sequence[Band], path: Path) -> None:
    """Draws right share over confidence, with intervals and the number of hits."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    x, y = [band.confidence for band in bands], [band.right for band in bands]
    reach = [[b.right - b.interval90[0] for b in bands], [b.interval90[1] - b.right for b in bands]]
    axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1)
    axes.errorbar(x, y, yerr=reach, fmt="o-", color="#1f5fa8", capsize=3)
    for band in bands:
        axes.annotate(str(band.hits), (band.confidence, band.right), xytext=(4, -12), textcoords="offset points")
    axes.set(xlabel="confidence", ylabel="share of right hits", xlim=(0, 1), ylim=(0, 1.03))
    figure.savefig(path, dpi=100)


def main() -> None:
    """Prints the table; writes JSON and a plot where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("truth", type=Path, help="truth.json of the archive")
    parser.add_argument("--out", type=Path, help="file for the bands as JSON")
    parser.add_argument("--plot", type=Path, help="file for the plot, such as reliability.png")
    options = parser.parse_args()
    bands = measure_bands(read_truth(options.truth), read_weighed(options.store))
    if not bands:
        parser.error(f"{options.store} has no hits; sweep its queries with accept = 0 first")
    print("| confidence | hits | mean | right | 90 % interval | on another kind |\n|---|---|---|---|---|---|")
    for b in bands:
        interval = f"{b.interval90[0]:.2f}-{b.interval90[1]:.2f}"
        print(f"| {b.low}-{b.high} | {b.hits} | {b.confidence:.2f} | {b.right:.2f} | {interval} | {b.akin:.2f} |")
    print(f"\nexpected calibration error: {expected_error(bands):.2f}")
    if options.out:
        options.out.write_text(json.dumps([asdict(band) for band in bands]), encoding="utf-8")
    if options.plot:
        draw(bands, options.plot)


if __name__ == "__main__":
    main()
