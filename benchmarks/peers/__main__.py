"""Indexes an archive by our pipeline and by the loop that people write, side by side: benchmarks/peers/run --help."""

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

SIDES = ("ours", "naive")
COLUMNS = ("side", "seconds", "per video-hour, s", "crops embedded", "peak memory, MiB", "anomalies seen", "all seen")


def tabulate(trials: Sequence[Trial], events: Sequence[Event], video_seconds: float) -> list[tuple[str, ...]]:
    """Gives the table's rows, medians over the runs."""
    anomalies = sum(event.anomaly for event in events)
    rows: list[tuple[str, ...]] = []
    for side, mine in _by_side(trials).items():
        seconds = statistics.median(trial.seconds for trial in mine)
        last = mine[-1]
        rows.append(
            (
                side,
                f"{seconds:.1f}",
                f"{seconds * 3600 / video_seconds:.0f}",
                str(last.num_embedded),
                f"{statistics.median(trial.peak_mib for trial in mine):.0f}",
                f"{last.anomalies_seen} of {anomalies}",
                f"{last.events_seen} of {len(events)}",
            )
        )
    return rows


def _by_side(trials: Sequence[Trial]) -> Mapping[str, list[Trial]]:
    return {side: [trial for trial in trials if trial.side == side] for side in SIDES}


def ratios_of(trials: Sequence[Trial]) -> list[float]:
    """Gives how many times faster ours was, pair by pair."""
    ours, naive = _by_side(trials).values()
    return [slow.seconds / fast.seconds for fast, slow in zip(ours, naive, strict=True)]


def _try_all(
    archive: Path, own: Path | None, events: Sequence[Event], runs: int, out: Path, *, resume: bool
) -> list[Trial]:
    """Runs the sides in turn, the first one alternating, and writes what there is after each."""
    known = json.loads(out.read_text(encoding="utf-8"))["trials"] if resume and out.exists() else []
    trials = [Trial(**row) for row in known]
    order = [side for number in range(runs) for side in (SIDES if number % 2 == 0 else SIDES[::-1])]
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
    parser.add_argument("--out", type=Path, default=Path("peers.json"), help="the picture is written beside it")
    parser.add_argument("--cameras", nargs="+", help="only these (default: all)")
    parser.add_argument("--resume", action="store_true", help="go on with the runs that --out holds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="peers-archive-") as scratch:
        archive = _take(options.archive, options.cameras, Path(scratch)) if options.cameras else options.archive
        truth = archive / "truth.json"
        events, video_seconds = read_truth(truth), read_camera_seconds(truth)
        trials = _try_all(archive, options.settings, events, options.runs, options.out, resume=options.resume)
    ratios = ratios_of(trials)
    content = {"trials": [asdict(trial) for trial in trials], "times faster": ratios}
    options.out.write_text(json.dumps(content, indent=1), encoding="utf-8")
    rows = tabulate(trials, events, video_seconds)
    print("\n".join("| " + " | ".join(line) + " |" for line in (COLUMNS, ("---",) * len(COLUMNS), *rows)))
    spread = f"{min(ratios):.1f} to {max(ratios):.1f}"
    print(f"\nours is {statistics.median(ratios):.1f} times as fast (median of {len(ratios)} pairs; {spread})")
    seconds = {side: [trial.seconds for trial in mine] for side, mine in _by_side(trials).items()}
    draw_bars(options.out.with_suffix(".png"), seconds, "seconds to index the archive")


if __name__ == "__main__":
    main()
