"""Notes each run's figures in the store, however it ends; what can't be noted is warned of and changes no work."""

import resource
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from anomalylmm.errors import StoreBusyError, StoreError
from flows.composition import Composition
from flows.index.planning import utc_now
from flows.runs.progress import Listener
from storage.disk.layout import StoreLayout
from storage.hits.runs import OpenRun, RunKind, RunRecord, RunState, new_run
from storage.upkeep.erasure import ErasureReport

if TYPE_CHECKING:
    from flows.export.exporting import ExportReport
    from flows.index.indexing import IndexReport
    from flows.search.searching import SearchReport
    from flows.sweep.outcome import SweepReport

KIB_PER_MIB = 1024.0  # Linux gives the peak in KiB


class Recording:
    """One run's figures while it works."""

    def __init__(self, record: RunRecord, listener: Listener) -> None:
        self.record = record
        self._listener, self._began = listener, time.monotonic()
        self._open: OpenRun | None = None
        self._stages: dict[str, float] = {}

    def begin(self, layout: StoreLayout) -> None:
        """Notes that it begins."""
        try:
            self._open = OpenRun(layout, self.record)
        except StoreError as error:
            self._listener.warn(f"the figures of this run can't be noted: {error}")

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the time that the block takes to a stage."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._stages[name] = self._stages.get(name, 0.0) + time.monotonic() - began

    def end(self, state: RunState, **figures: Any) -> RunRecord:
        """Notes how it ended; gives the whole record."""
        stages = {**self._stages, **figures.pop("stage_seconds", {})}
        self.record = replace(
            self.record,
            state=state,
            ended_utc=utc_now(),
            seconds=time.monotonic() - self._began,
            stage_seconds={name: round(seconds, 3) for name, seconds in stages.items()},
            peak_memory_mib=_peak_mib(resource.RUSAGE_SELF),
            peak_child_memory_mib=_peak_mib(resource.RUSAGE_CHILDREN),
            **figures,
        )
        if self._open is not None:
            note, self._open = self._open, None
            try:
                note.end(self.record)
            except StoreError as error:
                self._listener.warn(f"the figures of this run can't be noted: {error}")
        return self.record

    def withdraw(self) -> None:
        """Takes the note back, of work that did not begin."""
        if self._open is not None:
            note, self._open = self._open, None
            with suppress(StoreError):
                note.withdraw()

    @property
    def is_ended(self) -> bool:
        """Whether its end is noted."""
        return self.record.state != "Running"


@contextmanager
def recording(
    layout: StoreLayout, kind: RunKind, listener: Listener, composition: Composition | None = None
) -> Iterator[Recording]:
    """Notes a run of the block; one that fails is noted with the kind of its error, whose text may name a video.

    One that finds another writer at work has not begun.
    """
    names = {"profile": composition.settings.profile, "pipeline": composition.pipeline.digest} if composition else {}
    run = Recording(new_run(kind, **names), listener)
    run.begin(layout)
    try:
        yield run
        if not run.is_ended:
            run.end("Completed")
    except StoreBusyError:
        run.withdraw()
        raise
    except BaseException as error:  # an interrupted run ends, too; it is raised again
        if not run.is_ended:
            run.end("Failed" if isinstance(error, Exception) else "Ended early", reasons=(type(error).__name__,))
        raise


def index_figures(report: "IndexReport") -> dict[str, Any]:
    """The figures of an index run."""
    counts = [unit.counts for unit in report.units]
    promised = report.total("promised_seconds")
    in_part = sum(item.coverage > 0 for item in report.unreadable)
    return {
        "state": report.state,
        "reasons": _count({"videos not read": len(report.unreadable) - in_part, "videos read in part": in_part}),
        "num_videos": int(report.total("num_videos")),
        "num_unreadable": len(report.unreadable),
        "num_quarantined": report.quarantined,
        "frames_sampled": sum(item.frames for item in counts),
        "frames_detected": sum(item.frames_detected for item in counts),
        "num_tracklets": int(report.total("num_tracklets")),
        "num_crops": int(report.total("num_crops")),
        "coverage": min(1.0, report.total("video_seconds") / promised) if promised else None,
        "num_shards": sum(bool(unit.shard_id) for unit in report.units),
        "stage_seconds": {
            name: sum(getattr(item, f"{name}_seconds") for item in counts)
            for name in ("decode", "detect", "track", "encode", "publish")
        },
    }


def sweep_figures(report: "SweepReport") -> dict[str, Any]:
    """The figures of a sweep."""
    return {
        "state": report.state,
        "sweep_id": report.sweep_id,
        "reasons": _count({"candidates not judged": report.num_open, "shards not read": report.num_damaged}),
        "num_candidates": sum(tally.num_candidates for tally in report.queries),
        "num_judged": sum(tally.num_judged for tally in report.queries),
        "num_calls": report.num_calls,
        "num_cached": report.num_cached,
        "num_hits": report.num_hits,
    }


def search_figures(report: "SearchReport", num_shards: int) -> dict[str, Any]:
    """The figures of a search."""
    return {
        "state": report.state,
        "reasons": _count({"candidates not judged": report.num_open}),
        "num_shards": num_shards,
        "num_candidates": report.num_candidates,
        "num_judged": report.num_judged,
        "num_calls": report.num_calls,
        "num_cached": report.num_cached,
        "num_hits": sum(result.accepted for result in report.results),
    }


def export_figures(report: "ExportReport") -> dict[str, Any]:
    """The figures of an export."""
    reasons = _count({"pieces missing": len(report.problems)})
    return {"state": report.state, "reasons": reasons, "num_hits": report.num_hits}


def erasure_figures(report: ErasureReport) -> dict[str, Any]:
    """The figures of an erasure: what went."""
    shards = [shard for erasure in report.erasures for shard in erasure.shards]
    return {
        "state": "Degraded" if report.unknown else "Completed",
        "reasons": _count({"shards not looked into": len(report.unknown)}),
        "num_videos": sum(len(erasure.video_ids) for erasure in report.erasures),
        "num_shards": len(shards),
        "num_crops": sum(shard.num_crops for shard in shards),
        "num_hits": report.total("num_hits"),
    }


def _count(numbers: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(f"{number} {what}" for what, number in numbers.items() if number)


def _peak_mib(who: int) -> float:
    return round(resource.getrusage(who).ru_maxrss / KIB_PER_MIB, 1)
