"""Prints what a sweep found of a rendered archive's known anomalies: python -m benchmarks.demo STORE [TRUTH.JSON].

Without a truth file it is that of the bundled demo archive.
"""

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.rendered.scoring import EventScore, FoundHit, read_camera_seconds, read_truth, score_hits
from flows.settings.model import configs_folder
from storage.disk.layout import StoreLayout
from storage.hits.analyst import run_sql

HITS_SQL = """
select hit_id, query_name, video_path, start_seconds, stop_seconds, best_seconds, box_xyxy_px
from hits order by query_name, confidence desc
"""


def read_hits(store: Path) -> list[FoundHit]:
    """Reads the published hits with the action word of their query."""
    layout = StoreLayout(store)
    _, saved = run_sql(layout, "select query_name, cloze from queries order by created_utc")
    actions = {name: _action_of(json.loads(cloze)) for name, cloze in saved}
    _, rows = run_sql(layout, HITS_SQL)
    return [
        FoundHit(
            hit_id=str(row[0]),
            behavior=actions.get(str(row[1]), ""),
            video=str(row[2]),
            start_seconds=row[3],
            stop_seconds=row[4],
            best_seconds=row[5],
            box=tuple(row[6]),
        )
        for row in rows
    ]


def _action_of(cloze: dict[str, Any]) -> str:
    return next((slot["word"] for slot in cloze["slots"] if slot["kind"] == "action"), "")


def describe(score: EventScore, camera_seconds: float) -> str:
    """Writes the score as text."""
    lines = ["", f"known anomalies found: {len(score.found)} of {score.num_anomalies}"]
    for name, events in (("found", score.found), ("missed", score.missed)):
        lines += [
            f"  {name:<7} {event.behavior:<12} {event.camera:<8} {event.video} "
            f"{event.start_seconds:.0f}-{event.stop_seconds:.0f} s"
            for event in events
        ]
    lines.append(f"hits: {score.right} right, {score.confused} on an anomaly of another kind, {score.false} false")
    figures = score.figures(camera_seconds)
    more = ("false hits per camera-hour", "median delay, s", "median box overlap")
    lines.append(", ".join(f"{name}: {figures[name]}" for name in more))
    return "\n".join(lines)


def main() -> None:
    """Scores the store named by the first argument against the truth named by the second."""
    truth = Path(sys.argv[2]) if len(sys.argv) > 2 else configs_folder() / "demo_archive" / "truth.json"
    score = score_hits(read_truth(truth), read_hits(Path(sys.argv[1])))
    sys.stdout.write(describe(score, read_camera_seconds(truth)) + "\n")


if __name__ == "__main__":
    main()
