"""Broken footage: what an index run makes of damaged files, beside what plain decord and plain PyAV get of them."""

import os
import re
import stat
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from anomalylmm.errors import AnomalyLMMError
from anomalylmm.models.video.frames import STARTING_SECONDS, ChildSession, VideoSource
from benchmarks.reliability.footage_clips import FPS
from benchmarks.reliability.footage_kinds import KINDS, Specimen, make_kind
from benchmarks.reliability.footage_plain import Try, count_all
from benchmarks.reliability.section import Section
from flows.index.indexing import IndexReport, index_archive
from flows.settings.model import Settings
from storage.disk.layout import StoreLayout
from storage.gallery.opening import iter_shard_dirs
from storage.shards.manifest import VideoEntry, read_manifest
from storage.shards.quarantine import QuarantineEntry, read_quarantine
from tests.fakes import FakeComposition

_FOLDER = re.compile(r"/\S*/archive\d+/")
SAMPLE_FPS = 4.0
STALL_SECONDS = 45.0  # long, since a child that gets no turn on a busy machine is silent as well
HUNG_SECONDS = 2 * (STALL_SECONDS + STARTING_SECONDS) + 15.0  # it is replaced once; a margin
SECONDS_PER_FILE = 60.0  # of a kind's whole run, on a busy machine
COLUMNS = (
    "damage",
    "files",
    "crashed the run",
    "hung",
    "unaccounted",
    "in part",
    "refused",
    "share decoded",
    "share, plain decord",
    "share, plain PyAV",
    "slowest, s",
    "a reason given",
)


class TimedSource(VideoSource):
    """The program's own source, which notes how long each file kept it."""

    def __init__(self) -> None:
        decode = Settings().decode
        super().__init__(
            batch_frames=4,
            stall_seconds=STALL_SECONDS,
            memory_limit_bytes=decode.memory_mib << 20,
            max_seconds=decode.minutes_per_video * 60,
            max_width_px=decode.max_width,
        )
        self.seconds: dict[str, float] = {}

    def open_session(self, path: Path, *, sample_fps: float) -> ChildSession:
        """Opens a video and times it until its session is closed."""
        began = time.monotonic()
        note = _Note(self.seconds, str(path), began)
        try:
            session = super().open_session(path, sample_fps=sample_fps)
        finally:
            note()
        close = session.close
        session.close = lambda: (note(), close())[1]  # type: ignore[method-assign]
        return session


@dataclass(frozen=True, slots=True)
class _Note:
    seconds: dict[str, float]
    path: str
    began: float

    def __call__(self) -> None:
        self.seconds[self.path] = time.monotonic() - self.began


class Rig(FakeComposition):
    """Stand-in models behind the program's own decoder with its own limits."""

    @cached_property
    def source(self) -> Any:
        """The timed source."""
        return TimedSource()


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of one kind's index run."""

    kind: str
    specimens: list[Specimen]
    crash: str = ""
    is_hung: bool = False
    entries: dict[str, VideoEntry] = field(default_factory=dict)
    quarantine: dict[str, QuarantineEntry] = field(default_factory=dict)
    duplicates: frozenset[str] = frozenset()
    seconds: dict[str, float] = field(default_factory=dict)
    plain: dict[str, dict[str, Try]] = field(default_factory=dict)


def run(scratch: Path, *, short: bool) -> Section:
    """Makes the files, indexes them kind by kind, and compares."""
    outcomes = []
    for number, name in enumerate(KINDS):
        folder = scratch / f"archive{number}"
        folder.mkdir()
        outcomes.append(Outcome(kind=name, specimens=make_kind(name, folder, short=short)))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda number: _index(outcomes[number], scratch, number), range(len(outcomes))))
    _count_plain(outcomes, scratch)
    notes = ["a share counts one sampling step a sampled frame, and one frame a frame of the plain libraries"]
    if os.geteuid() == 0:
        notes.append("run as root, who may read everything: the file without permissions was readable")
    return Section(
        title="Broken footage",
        intro=f"{sum(len(outcome.specimens) for outcome in outcomes)} damaged files, made from clips encoded on the "
        f"spot and sampled at {SAMPLE_FPS:g} frames a second.",
        columns=COLUMNS,
        rows=tuple(_row(outcome) for outcome in outcomes),
        faults=tuple(fault for outcome in outcomes for fault in _faults(outcome)),
        notes=tuple(notes),
    )


def _index(outcome: Outcome, scratch: Path, number: int) -> None:
    """Indexes one kind's folder in a thread that is left behind if it hangs."""
    archive, layout = scratch / f"archive{number}", StoreLayout(scratch / f"store{number}")
    rig = Rig(Settings.model_validate({"decode": {"sample_fps": SAMPLE_FPS}}))
    limit = HUNG_SECONDS + SECONDS_PER_FILE * len(outcome.specimens)
    report, error, outcome.is_hung = _guarded(lambda: index_archive(rig, layout, archive), limit)
    if error is not None:
        known = "" if not isinstance(error, AnomalyLMMError) else ", which ended the run"
        outcome.crash = f"{type(error).__name__}: {error}{known}"
    if report is not None:
        outcome.duplicates = frozenset(path for path, _ in report.duplicates)
    manifests = [read_manifest(directory) for directory in iter_shard_dirs(layout)]
    outcome.entries = {video.path: video for manifest in manifests for video in manifest.videos}
    outcome.quarantine = {entry.path: entry for entry in read_quarantine(layout)}
    outcome.seconds = {Path(path).relative_to(archive).as_posix(): took for path, took in rig.source.seconds.items()}


def _guarded(call: Callable[[], IndexReport], limit: float) -> tuple[IndexReport | None, Exception | None, bool]:
    """Calls with a time limit; gives the result, the error, and whether it hung."""
    kept: list[IndexReport] = []
    errors: list[Exception] = []

    def work() -> None:
        try:
            kept.append(call())
        except Exception as error:  # noqa: BLE001 - whatever escapes is what this is to find
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(limit)
    return (kept or [None])[0], (errors or [None])[0], thread.is_alive()


def _count_plain(outcomes: Sequence[Outcome], scratch: Path) -> None:
    wanted = [
        (outcome, specimen.name, scratch / f"archive{number}" / specimen.name)
        for number, outcome in enumerate(outcomes)
        for specimen in outcome.specimens
        if specimen.seconds and stat.S_ISREG((scratch / f"archive{number}" / specimen.name).stat().st_mode)
    ]
    for (outcome, name, _), tries in zip(wanted, count_all([path for *_, path in wanted]), strict=True):
        outcome.plain[name] = tries


def _row(outcome: Outcome) -> tuple[str | int | float, ...]:
    videos = [item for item in outcome.specimens if item.seconds and item.name not in outcome.duplicates]
    whole = sum(specimen.seconds for specimen in videos) or 1.0
    ours = sum(min(specimen.seconds, _decoded(outcome, specimen.name)) for specimen in videos)
    plain = [
        sum(min(item.seconds, _plain_seconds(outcome, item.name, library)) for item in videos) / whole
        for library in ("decord", "pyav")
    ]
    reasons = sorted(entry.reason for entry in outcome.quarantine.values())
    return (
        outcome.kind,
        len(outcome.specimens),
        int(bool(outcome.crash)),
        int(outcome.is_hung) + len(_slow(outcome)),
        len(_unaccounted(outcome)),
        sum(entry.status == "partial" for entry in outcome.entries.values()),
        len(outcome.quarantine),
        *(f"{share:.0%}" if videos else "" for share in (ours / whole, *plain)),
        max(outcome.seconds.values(), default=0.0),
        _shorten(reasons[0]) if reasons else "",
    )


def _shorten(reason: str) -> str:
    plain = _FOLDER.sub("", reason)  # where the archive lies is of no interest, and differs
    return (plain.rsplit("can't be decoded: ", maxsplit=1)[-1]).split("; check", maxsplit=1)[0][-120:]


def _decoded(outcome: Outcome, name: str) -> float:
    return outcome.entries[name].num_frames / SAMPLE_FPS if name in outcome.entries else 0.0


def _plain_seconds(outcome: Outcome, name: str, library: str) -> float:
    return outcome.plain[name][library].num_frames / FPS if name in outcome.plain else 0.0


def _slow(outcome: Outcome) -> list[str]:
    return [name for name, seconds in outcome.seconds.items() if seconds > HUNG_SECONDS]


def _unaccounted(outcome: Outcome) -> list[str]:
    accounted = {*outcome.entries, *outcome.quarantine, *outcome.duplicates}
    return [item.name for item in outcome.specimens if item.is_file and item.name not in accounted]


def _faults(outcome: Outcome) -> list[str]:
    faults = [f"{outcome.kind}: the run was ended by {outcome.crash}"] if outcome.crash else []
    faults += [f"{outcome.kind}: the run hangs"] if outcome.is_hung else []
    faults += [f"{outcome.kind}: {name!r} took longer than {HUNG_SECONDS:.0f} s" for name in _slow(outcome)]
    faults += [f"{outcome.kind}: {name!r} is neither in a shard nor in quarantine" for name in _unaccounted(outcome)]
    for specimen in outcome.specimens:
        ours, plain = _decoded(outcome, specimen.name), _plain_seconds(outcome, specimen.name, "pyav")
        if specimen.name not in outcome.duplicates and ours < plain - 1 / SAMPLE_FPS - 1e-9:
            why = outcome.quarantine.get(specimen.name) or outcome.entries.get(specimen.name)
            said = why.reason if isinstance(why, QuarantineEntry) else why.message if why else ""
            faults.append(f"{outcome.kind}: {specimen.name!r} gave {ours:.2f} s, plain PyAV {plain:.2f} s; {said}")
    return faults
