"""What Prefect costs beside the work it starts: python -m benchmarks.prefect_share --runs 5.

The flow and the plain function index the same archive again and again, in turn: once with everything known already,
which leaves the fixed cost of a run, and once into a fresh store, which adds that of a task a unit. Both with the same
models in one process, against Prefect's own test server.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from prefect.testing.utilities import prefect_test_harness

from flows.index.flow import index_archive as index_flow
from flows.index.indexing import index_archive
from flows.settings.forms import IndexForm
from storage.disk.layout import StoreLayout

CASES = ("nothing new", "all new")


def measure(archive: Path, settings: Path, store: Path, runs: int) -> dict[str, dict[str, list[float]]]:
    """Times the plain function and the flow in both cases, in turn; the first round does not count."""
    form = IndexForm(archive=str(archive), store=str(store), settings_file=str(settings))
    composition, layout = form.compose(), StoreLayout(store)
    sides: Mapping[str, Callable[[], object]] = {
        "plain": lambda: index_archive(composition, layout, archive),
        "flow": lambda: index_flow(form, return_state=True),
    }
    seconds: dict[str, dict[str, list[float]]] = {case: {side: [] for side in sides} for case in CASES}
    for number in range(runs + 1):
        for case in CASES:
            for side, run in sides.items():
                if case == "all new":
                    shutil.rmtree(store, ignore_errors=True)
                began = time.perf_counter()
                run()
                if number:
                    seconds[case][side].append(time.perf_counter() - began)
    return seconds


def main() -> None:
    """Measures and prints; writes JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prefect_share", description=__doc__)
    parser.add_argument("--archive", type=Path, default=Path("configs/demo_archive"))
    parser.add_argument("--settings", type=Path, default=Path("configs/demo_archive/settings.toml"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--night-hours", type=float, default=4.0, help="of work, for the share of a night")
    parser.add_argument("--units", type=int, default=20, help="cameras of that night")
    parser.add_argument("--out", type=Path, default=Path("prefect.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="prefect-share-") as scratch, prefect_test_harness(240):
        seconds = measure(options.archive.resolve(), options.settings.resolve(), Path(scratch) / "store", options.runs)
    extra = {case: statistics.median(map(float.__sub__, mine["flow"], mine["plain"])) for case, mine in seconds.items()}
    for case, mine in seconds.items():
        medians = {side: round(statistics.median(values), 2) for side, values in mine.items()}
        print(f"{case}: {medians} s, the flow adds {extra[case]:.2f} s")
    night = extra["nothing new"] + options.units * max(extra.values()) / max(1, _units_of(options.archive))
    share = night / (options.night_hours * 3600)
    print(f"a night of {options.night_hours:g} hours and {options.units} units: {night:.1f} s, {100 * share:.2f} %")
    options.out.write_text(json.dumps({"seconds": seconds, "extra": extra, "share": share}, indent=1), encoding="utf-8")


def _units_of(archive: Path) -> int:
    """Counts camera-days, each of which is a unit."""
    return len({path.parent for path in archive.rglob("*.mp4")})


if __name__ == "__main__":
    main()
