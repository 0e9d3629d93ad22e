"""Broken footage: what an index run makes of damaged files, compared with what plain PyAV and decord get of them."""

import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from anomalylmm.errors import AnomalyLMMError
from anomalylmm.models.video.frames import STARTING_SECONDS, ChildSession, VideoSource
from flows.index.indexing import IndexReport, index_archive
from flows.settings.model import Settings
from storage.disk.layout import StoreLayout
from storage.shards.manifest import VideoEntry, iter_shard_dirs, read_manifest
from storage.shards.quarantine import QuarantineEntry, read_quarantine
from tests.fakes import FakeComposition
from tests.faults.footage.clips import FPS
from tests.faults.footage.jobs import count_all, decord, pyav
from tests.faults.footage.kinds import KINDS, Specimen, make_kind
from tests.faults.ledger import Ledger

SAMPLE_FPS = 4.0
LIBRARIES = {"pyav": pyav, "decord": decord}
STALL_SECONDS = 45.0  # long, since a child that gets no turn on a busy machine is silent as well
HUNG_SECONDS = 2 * (STALL_SECONDS + STARTING_SECONDS) + 15.0  # it is replaced once; a margin
SECONDS_PER_FILE = 60.0  # of a kind's whole run, on a busy machine


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
            decoder=decode.decoder,
            still_share=None,
        )
        self.seconds: dict[str, float] = {}

    def open_session(self, path: Path, *, sample_fps: float) -> ChildSession:
        """Opens a video and times it until its session is closed."""
        began = time.monotonic()

        def note() -> None:
            self.seconds[str(path)] = time.monotonic() - began

        try:
            session = super().open_session(path, sample_fps=sample_fps)
        finally:
            note()
        close = session.close
        session.close = lambda: (note(), close())[1]  # type: ignore[method-assign]
        return session


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
    seconds: dict[str, float] = field(default_factory=dict)  # that each file kept the decoder
    plain: dict[str, dict[str, float]] = field(default_factory=dict)  # library to file to seconds that it decoded

    def decoded_seconds(self, name: str) -> float:
        """How much of a file was decoded."""
        return self.entries[name].num_frames / SAMPLE_FPS if name in self.entries else 0.0

    def plain_seconds(self, library: str, name: str) -> float:
        """How much of a file a library decoded by itself."""
        return self.plain.get(library, {}).get(name, 0.0)


def run(scratch: Path, *, short: bool) -> Ledger:
    """Makes the files, indexes them kind by kind, and compares."""
    outcomes = []
    for number, name in enumerate(KINDS):
        folder = scratch / f"archive{number}"
        folder.mkdir()
        outcomes.append(Outcome(kind=name, specimens=make_kind(name, folder, short=short)))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda number: _index(outcomes[number], scratch, number), range(len(outcomes))))
    _count_plain(outcomes, scratch, ["pyav"] if short else list(LIBRARIES))
    ledger = Ledger()
    for outcome in outcomes:
        judge(outcome, ledger)
        ledger.note(_compare(outcome))
    if os.geteuid() == 0:
        ledger.note("run as root, who may read everything: the file without permissions was readable")
    return ledger


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
        outcome.duplicates = frozenset(item.path for item in report.duplicates)
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


def _count_plain(outcomes: Sequence[Outcome], scratch: Path, libraries: Sequence[str]) -> None:
    wanted = [
        (outcome, specimen.name, scratch / f"archive{number}" / specimen.name)
        for number, outcome in enumerate(outcomes)
        for specimen in outcome.specimens
        if specimen.seconds and stat.S_ISREG((scratch / f"archive{number}" / specimen.name).stat().st_mode)
    ]
    for library in libraries:
        counts = count_all(scratch, LIBRARIES[library], [path for *_, path in wanted])
        for (outcome, name, _), num_frames in zip(wanted, counts, strict=True):
            outcome.plain.setdefault(library, {})[name] = num_frames / FPS


def _compare(outcome: Outcome) -> str:
    """What came of a kind's files, and how much was decoded; a sampled frame counts one sampling step."""
    num_in_part = sum(entry.status == "partial" for entry in outcome.entries.values())
    videos = [item for item in outcome.specimens if item.seconds and item.name not in outcome.duplicates]
    whole = sum(item.seconds for item in videos) or 1.0
    ours = sum(min(item.seconds, outcome.decoded_seconds(item.name)) for item in videos) / whole
    plain = {
        library: sum(min(item.seconds, outcome.plain_seconds(library, item.name)) for item in videos) / whole
        for library in outcome.plain
    }
    shares = [f"{ours:.0%} decoded", *(f"{share:.0%} by plain {library}" for library, share in plain.items())]
    counts = f"{num_in_part} in part, {len(outcome.quarantine)} refused"
    return f"{outcome.kind}: {', '.join([counts, *(shares if videos else [])])}"


def judge(outcome: Outcome, ledger: Ledger) -> None:
    """Counts the run of a kind and each of its files, with what was promised and not kept."""
    run_broken = [f"the run was ended by {outcome.crash}"] if outcome.crash else []
    run_broken += ["the run hangs"] if outcome.is_hung else []
    if run_broken:
        ledger.count(outcome.kind, *run_broken)
    for specimen in outcome.specimens:
        ledger.count(outcome.kind, *(f"{specimen.name!r} {line}" for line in _iter_broken(outcome, specimen)))


def _iter_broken(outcome: Outcome, specimen: Specimen) -> Iterator[str]:
    name = specimen.name
    if outcome.seconds.get(name, 0.0) > HUNG_SECONDS:
        yield f"took longer than {HUNG_SECONDS:.0f} s"
    if specimen.is_file and name not in {*outcome.entries, *outcome.quarantine, *outcome.duplicates}:
        yield "is neither in a shard nor in quarantine"
    ours, plain = outcome.decoded_seconds(name), outcome.plain_seconds("pyav", name)
    if name not in outcome.duplicates and ours < plain - 1 / SAMPLE_FPS - 1e-9:
        why = outcome.quarantine.get(name) or outcome.entries.get(name)
        said = why.reason if isinstance(why, QuarantineEntry) else why.message if why else ""
        yield f"gave {ours:.2f} s, plain pyav {plain:.2f} s; {said}"
