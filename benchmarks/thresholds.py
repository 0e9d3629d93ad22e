"""What floors and accept thresholds are worth on an archive with known events: python -m benchmarks.thresholds --help.

The store's queries must have been swept with a low floor and accept = 0, so that every candidate is a hit; higher
thresholds are then tried on what the sweep wrote. accept = 0 is the coarse search alone: what re-ranking adds shows
beside it.
"""

import argparse
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.demo import read_hits
from benchmarks.rendered.scoring import Event, FoundHit, read_camera_seconds, read_truth, score_hits
from storage.disk.layout import StoreLayout
from storage.hits.analyst import run_sql

FLOORS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0)
ACCEPTS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
COLUMNS = ("floor", "accept", "found", "right", "other kind", "false", "false per camera-hour")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """A hit and what thresholds look at."""

    hit: FoundHit
    z_score: float
    confidence: float


def read_weighed(store: Path) -> list[Weighed]:
    """Reads the published hits with z-score and confidence."""
    _, rows = run_sql(StoreLayout(store), "select hit_id, z_score, confidence from hits")
    known = {str(hit_id): (float(z_score), float(confidence)) for hit_id, z_score, confidence in rows}
    return [Weighed(hit=hit, z_score=known[hit.hit_id][0], confidence=known[hit.hit_id][1]) for hit in read_hits(store)]


def try_thresholds(
    events: Sequence[Event], hits: Sequence[Weighed], floor: float, accept: float, camera_seconds: float
) -> tuple[float, ...]:
    """Scores the hits that pass both thresholds; one row of the table."""
    kept = [item.hit for item in hits if item.z_score >= floor and item.confidence >= accept]
    score = score_hits(events, kept)
    hourly = round(score.false_per_camera_hour(camera_seconds), 1)
    return floor, accept, len(score.found), score.right, score.confused, score.false, hourly


def main() -> None:
    """Prints the table and writes it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.thresholds", description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("truth", type=Path, help="truth.json of the archive")
    parser.add_argument("--out", type=Path, default=Path("thresholds.json"))
    options = parser.parse_args()
    events, hits = read_truth(options.truth), read_weighed(options.store)
    seconds = read_camera_seconds(options.truth)
    rows = [
        try_thresholds(events, hits, floor, accept, seconds) for floor, accept in itertools.product(FLOORS, ACCEPTS)
    ]
    anomalies = sum(event.anomaly for event in events)
    options.out.write_text(json.dumps({"columns": COLUMNS, "rows": rows, "anomalies": anomalies}), encoding="utf-8")
    print("\n".join("| " + " | ".join(map(str, row)) + " |" for row in (COLUMNS, ("---",) * len(COLUMNS), *rows)))
    print(f"\n{anomalies} anomalies, {seconds:.0f} s of video")


if __name__ == "__main__":
    main()
