"""What a setting costs and what it loses, beside the profile as it is: python -m benchmarks.tradeoffs --help.

Every row is an index of the same archive in a fresh process on a fresh store, loading included, the rows in turn.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.peers.plots import draw_bars
from benchmarks.peers.trial import Trial, try_side
from benchmarks.rendered.scoring import read_camera_seconds, read_truth

ROWS: Mapping[str, str] = {
    "the profile": "",
    "still spans decoded": "[decode]\nskip_still = false",
    "glances every 4 s": "[gate]\nmax_empty_seconds = 4.0",
    "no gate": "[gate]\nenabled = false",
    "2 frames a second": "[decode]\nsample_fps = 2.0",
    "5 frames a second": "[decode]\nsample_fps = 5.0",
    "no zoom": "[detector]\nzoom = false",
    "detector at 640 pixels": "[detector]\nimage_size = 640",
    "detector at 320 pixels": "[detector]\nimage_size = 320",
    "models by ONNX Runtime": '[detector]\nruntime = "onnxruntime"\n\n[pose]\nruntime = "onnxruntime"',
    "no joints": '[pose]\nfamily = "none"',
    "boxes not grown for linking": "[tracker]\nreach = 0.0",
    "two crops a second": "[tracklets]\nseconds_per_crop = 0.5",
    "a crop every 2 s": "[tracklets]\nseconds_per_crop = 2.0",
}
COLUMNS = (
    "setting",
    "seconds",
    "CPU s",
    "frames sampled",
    "of them detected",
    "crops",
    "peak MiB",
    "anomalies seen",
    "all seen",
)


def main() -> None:
    """Tries the settings in turn and prints a Markdown table; writes JSON and a picture."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tradeoffs",
        description=__doc__,
        epilog="example: python -m benchmarks.tradeoffs --archive DIR --runs 3 --out tradeoffs.json",
    )
    parser.add_argument("--archive", type=Path, default=Path("configs/demo_archive"), help="with its truth.json")
    parser.add_argument("--settings", type=Path, default=Path("configs/demo_archive/settings.toml"))
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS), help="only these")
    parser.add_argument("--runs", type=int, default=3, help="of each row, in turn (default 3)")
    parser.add_argument("--out", type=Path, default=Path("tradeoffs.json"), help="the picture is written beside it")
    options = parser.parse_args()
    trials = try_rows(options.archive, options.settings.read_text(encoding="utf-8"), options.rows, options.runs)
    content = {name: [asdict(trial) for trial in mine] for name, mine in trials.items()}
    options.out.write_text(json.dumps(content, indent=1), encoding="utf-8")
    truth = options.archive / "truth.json"
    events = read_truth(truth)
    rows = [tabulate(name, mine, sum(event.anomaly for event in events), len(events)) for name, mine in trials.items()]
    print("\n".join("| " + " | ".join(line) + " |" for line in (COLUMNS, ("---",) * len(COLUMNS), *rows)))
    print(f"\n{read_camera_seconds(truth):.0f} s of video")
    seconds = {name: [trial.seconds for trial in mine] for name, mine in trials.items()}
    draw_bars(options.out.with_suffix(".png"), seconds, "seconds to index the archive")


def try_rows(archive: Path, own: str, rows: Sequence[str], runs: int) -> dict[str, list[Trial]]:
    """Runs every row so many times, all rows of a round before the next round."""
    events = read_truth(archive / "truth.json")
    trials: dict[str, list[Trial]] = {name: [] for name in rows}
    with tempfile.TemporaryDirectory(prefix="tradeoffs-") as folder:
        for number in range(runs):
            for name, mine in trials.items():
                settings = Path(folder, "settings.toml")
                settings.write_text(f"{ROWS[name]}\n\n{own}", encoding="utf-8")
                mine.append(try_side("ours", archive, settings, events))
                print(f"round {number + 1}, {name}: {mine[-1].seconds:.1f} s", file=sys.stderr, flush=True)
    return trials


def tabulate(name: str, mine: Sequence[Trial], num_anomalies: int, num_events: int) -> tuple[str, ...]:
    """Gives the row of the table, medians over the runs."""
    last = mine[-1]
    return (
        name,
        f"{statistics.median(trial.seconds for trial in mine):.1f}",
        f"{statistics.median(trial.cpu_seconds for trial in mine):.1f}",
        str(last.frames_sampled),
        str(last.frames_detected),
        str(last.num_embedded),
        f"{statistics.median(trial.peak_mib for trial in mine):,.0f}",
        f"{last.anomalies_seen} of {num_anomalies}",
        f"{last.events_seen} of {num_events}",
    )


if __name__ == "__main__":
    main()
