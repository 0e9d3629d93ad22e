"""Indexes an archive by our pipeline and by the loops that people write, side by side: benchmarks/peers/run --help.

tuned: as many frames a second as we look at, YOLO.track in batches by OpenVINO. same_models: a plain loop over the same
frames with our own models. every_frame: YOLO.track on every frame.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.peers.plots import draw_bars
from benchmarks.peers.trial import Trial, try_side
from benchmarks.rendered.scoring import Event, read_camera_seconds, read_truth

OURS = "ours"
SIDES = (OURS, "tuned", "same_models", "every_frame")
USUAL = SIDES[:3]  # those that look at as many frames as we do
COLUMNS = (
    "side",
    "seconds",
    "CPU s",
    "CPU s a video-hour",
    "crops embedded",
    "peak memory, MiB",
    "anomalies seen",
    "all events seen",
    "seconds of persons seen",
)


def tabulate(trials: Sequence[Trial], events: Sequence[Event], video_seconds: float) -> list[tuple[str, ...]]:
    """Gives the table's rows, medians over the runs."""
    anomalies = sum(event.anomaly for event in events)
    rows: list[tuple[str, ...]] = []
    for side, mine in _by_side(trials).items():
        seconds, cpu_seconds = (
            statistics.median(getattr(trial, name) for trial in mine) for name in ("seconds", "cpu_seconds")
        )
        last = mine[-1]
        rows.append(
            (
                side,
                f"{seconds:.1f}",
                f"{cpu_seconds:.1f}",
                f"{cpu_seconds * 3600 / video_seconds:.0f}",
                str(last.num_embedded),
                f"{statistics.median(trial.peak_mib for trial in mine):.0f}",
                f"{last.anomalies_seen} of {anomalies}",
                f"{last.events_seen} of {len(events)}",
                f"{last.persons_seen:.0%}",
            )
        )
    return rows


def _by_side(trials: Sequence[Trial]) -> Mapping[str, list[Trial]]:
    mine = {side: [trial for trial in trials if trial.side == side] for side in SIDES}
    return {side: found for side, found in mine.items() if found}


def ratios_of(trials: Sequence[Trial], field: str = "seconds") -> dict[str, list[float]]:
    """Gives for each other side how many times as much of a field it took, round by round."""
    ours, *_ = (sides := _by_side(trials)).values()
    return {
        side: [getattr(slow, field) / getattr(fast, field) for fast, slow in zip(ours, mine, strict=False)]
        for side, mine in sides.items()
        if side != OURS
    }


def _try_all(
    archive: Path,
    own: Path | None,
    events: Sequence[Event],
    sides: Sequence[str],
    runs: int,
    out: Path,
    *,
    resume: bool,
) -> list[Trial]:
    """Runs the sides in turn, the first one alternating, and writes what there is after each."""
    known = json.loads(out.read_text(encoding="utf-8"))["trials"] if resume and out.exists() else []
    trials = [Trial(**row) for row in known]
    order = [side for number in range(runs) for side in (sides if number % 2 == 0 else sides[::-1])]
    for side in order[len(trials) :]:
        trials.append(try_side(side, archive, own, events))
        out.write_text(json.dumps({"trials": [asdict(trial) for trial in trials]}, indent=1), encoding="utf-8")
        told = f"{side}: {trials[-1].seconds:.1f} s, {trials[-1].num_embedded} embedded"
        print(told, file=sys.stderr, flush=True)
    return trials


def _take(archive: Path, cameras: Sequence[str], target: Path) -> Path:
    """Copies some cameras of an archive with their part of the truth."""
    truth = json.loads((archive / "truth.json").read_text(encoding="utf-8"))
    for name in ("cameras", "events"):
        truth[name] = [row for row in truth[name] if row["camera"] in cameras]
    for camera in cameras:
        shutil.copytree(archive / camera, target / camera)
    (target / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    return target


def main() -> None:
    """Runs both sides in turn and prints a Markdown table; writes JSON and a picture."""
    parser = argparse.ArgumentParser(prog="benchmarks/peers/run", description=__doc__)
    parser.add_argument("--archive", type=Path, default=Path("configs/demo_archive"), help="with its truth.json")
    parser.add_argument("--settings", type=Path, default=Path("configs/demo_archive/settings.toml"))
    parser.add_argument("--runs", type=int, default=5, help="of each side, in turn (default 5)")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=USUAL, help=f"default: {' '.join(USUAL)}")
    parser.add_argument("--out", type=Path, default=Path("peers.json"), help="the picture is written beside it")
    parser.add_argument("--cameras", nargs="+", help="only these (default: all)")
    parser.add_argument("--resume", action="store_true", help="go on with the runs that --out holds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="peers-archive-") as scratch:
        archive = _take(options.archive, options.cameras, Path(scratch)) if options.cameras else options.archive
        truth = archive / "truth.json"
        events, video_seconds = read_truth(truth), read_camera_seconds(truth)
        sides = [side for side in SIDES if side in {OURS, *options.sides}]
        trials = _try_all(archive, options.settings, events, sides, options.runs, options.out, resume=options.resume)
    ratios = {field: ratios_of(trials, field) for field in ("seconds", "cpu_seconds")}
    content = {"trials": [asdict(trial) for trial in trials], "times faster": ratios}
    options.out.write_text(json.dumps(content, indent=1), encoding="utf-8")
    rows = tabulate(trials, events, video_seconds)
    print("\n".join("| " + " | ".join(line) + " |" for line in (COLUMNS, ("---",) * len(COLUMNS), *rows)))
    for field, by_side in ratios.items():
        for side, values in by_side.items():
            spread = f"median of {len(values)} rounds; {min(values):.1f} to {max(values):.1f}"
            print(f"\n{side} takes {statistics.median(values):.1f} times our {field} ({spread})")
    seconds = {side: [trial.seconds for trial in mine] for side, mine in _by_side(trials).items()}
    draw_bars(options.out.with_suffix(".png"), seconds, "seconds to index the archive")


if __name__ == "__main__":
    main()
