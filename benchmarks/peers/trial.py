"""One run of one side of an indexing benchmark, in a fresh process on a fresh store."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.seen import Look, count_seen, share_seen
from benchmarks.rendered.scoring import Event
from benchmarks.watching import run_module


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run of one side."""

    side: str
    seconds: float  # of indexing, models loaded included
    whole_seconds: float  # with the start of the process
    peak_mib: float  # of the process and its children together
    num_embedded: int
    anomalies_seen: int
    events_seen: int
    cpu_seconds: float
    persons_seen: float  # share of the seconds of all events in which their person was embedded
    frames_sampled: int = 0
    frames_detected: int = 0


def try_side(side: str, archive: Path, own: Path | None, events: Sequence[Event]) -> Trial:
    """Runs one side in a fresh process on a fresh store."""
    with tempfile.TemporaryDirectory(prefix="peers-") as scratch:
        arguments = [side, str(archive), f"{scratch}/store", *([str(own)] if own else [])]
        watched = run_module("benchmarks.peers.side", arguments)
    told = watched.told
    looks = [Look(video=row["video"], pts_seconds=row["pts_seconds"], box=tuple(row["box"])) for row in told["looks"]]
    anomalies, everything = count_seen(events, looks)
    return Trial(
        side=side,
        seconds=told["seconds"],
        whole_seconds=watched.seconds,
        peak_mib=watched.peak_mib(),
        num_embedded=len(looks),
        anomalies_seen=anomalies,
        events_seen=everything,
        cpu_seconds=told["cpu_seconds"],
        persons_seen=share_seen(events, looks),
        frames_sampled=told.get("frames", 0),
        frames_detected=told.get("frames_detected", 0),
    )
