"""Tells a program of the operator's what a run found or how it ended; whatever that does, the run is not changed.

The program is a list of words, never a shell's line, and gets one JSON document on its standard input: words of
queries, files and models are data in it.
"""

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Literal

from anomalylmm.errors import AnomalyLMMError, ConfigurationError, QueryError
from flows.export.exporting import ExportReport
from flows.index.indexing import IndexReport
from flows.index.planning import utc_now
from flows.runs.progress import Listener
from flows.search.searching import SearchReport
from flows.settings.sections import NotifySettings
from flows.sweep.outcome import SweepReport
from storage.disk.layout import StoreLayout
from storage.hits.rows import HitRecord

Work = Literal["index", "sweep", "search", "export", "erase"]
MAX_CHARACTERS = 300  # of what the program writes, in a warning
MAX_UNREADABLE = 100  # videos or problems named in one document
OF_WHO_ASKS = (QueryError, ConfigurationError)  # their own mistakes, which they are told of


def tell_sweep(settings: NotifySettings, layout: StoreLayout, report: SweepReport, listener: Listener) -> None:
    """Tells of a sweep that found hits or could not read everything, where that is wanted."""
    events = [("hits", report.num_hits > 0), ("degraded", report.state == "Degraded")]
    found = {
        "sweep_id": report.sweep_id,
        "num_hits": report.num_hits,
        "num_incidents": report.num_incidents,
        "warnings": list(report.warnings),
        "report": report.report_path,
        "hits": [_describe_hit(layout, hit) for hit in report.top_hits],
    }
    _tell(settings, layout, "sweep", report.state, _wanted(settings, events), found, listener)


def tell_index(settings: NotifySettings, layout: StoreLayout, report: IndexReport, listener: Listener) -> None:
    """Tells of an index run that could not read everything, where that is wanted."""
    unreadable = [{"path": item.path, "reason": item.reason, "coverage": item.coverage} for item in report.unreadable]
    found = {
        "num_videos": int(report.total("num_videos")),
        "num_unreadable": len(unreadable),
        "unreadable": unreadable[:MAX_UNREADABLE],
    }
    events = _wanted(settings, [("degraded", report.state == "Degraded")])
    _tell(settings, layout, "index", report.state, events, found, listener)


def tell_search(settings: NotifySettings, layout: StoreLayout, report: SearchReport, listener: Listener) -> None:
    """Tells of a search that was not judged to the end, and of what it found where that is wanted too."""
    accepted = [result for result in report.results if result.accepted]
    names = ("tracklet_id", "camera", "when", "video", "moment", "confidence", "reason")
    found = {
        "text": report.text,
        "num_results": len(report.results),
        "num_accepted": len(accepted),
        "warnings": list(report.warnings),
        "report": report.page_path,
        "results": [{name: getattr(result, name) for name in names} for result in accepted],
    }
    events = [("search_hits", bool(accepted)), ("degraded", report.state == "Degraded")]
    _tell(settings, layout, "search", report.state, _wanted(settings, events), found, listener)


def tell_export(settings: NotifySettings, layout: StoreLayout, report: ExportReport, listener: Listener) -> None:
    """Tells of an export that lacks something, where that is wanted."""
    problems = [asdict(problem) for problem in report.problems[:MAX_UNREADABLE]]
    counts = {"num_hits": report.num_hits, "num_clips": report.num_clips, "num_problems": len(report.problems)}
    found = {"output": report.output, **counts, "problems": problems}
    events = _wanted(settings, [("degraded", report.state == "Degraded")])
    _tell(settings, layout, "export", report.state, events, found, listener)


@contextmanager
def telling_failure(
    settings: NotifySettings,
    layout: StoreLayout,
    work: Work,
    listener: Listener,
    *,
    but: tuple[type[Exception], ...] = (),
) -> Iterator[None]:
    """Tells where the work in the block fails, then lets the error go on; who interrupts it knows already.

    Errors of the kinds in ``but`` are not told.
    """
    try:
        yield
    except but:
        raise
    except Exception as error:
        message = str(error) if isinstance(error, AnomalyLMMError) else f"{type(error).__name__}: {error}"
        events = _wanted(settings, [("failed", True)])
        _tell(settings, layout, work, "Failed", events, {"message": message}, listener)
        raise


def _wanted(settings: NotifySettings, events: Iterable[tuple[str, bool]]) -> list[str]:
    return [name for name, happened in events if happened and name in settings.on]


def _tell(
    settings: NotifySettings,
    layout: StoreLayout,
    work: Work,
    state: str,
    events: list[str],
    found: Mapping[str, Any],
    listener: Listener,
) -> None:
    if settings.command and events:
        document = {
            "events": events,
            "work": work,
            "state": state,
            "store": str(layout.root),
            "time_utc": utc_now().isoformat(timespec="seconds"),
            **found,
        }
        problem = run_command(settings, document)
        if problem:
            listener.warn(f"the notification was not delivered: {problem}")


def run_command(settings: NotifySettings, document: Mapping[str, Any]) -> str:
    """Runs the program with the document on its standard input; gives what went wrong, or nothing."""
    content = json.dumps(document, default=str).encode()  # ASCII, so that no file name can break it
    program = settings.command[0]
    try:
        ran = subprocess.run(
            list(settings.command), input=content, capture_output=True, timeout=settings.timeout_seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return f"{program} was ended, since it took more than {settings.timeout_seconds:g} s"
    except (OSError, ValueError) as error:
        return f"{program} can't be run: {error}; mend [notify] command in the settings"
    if ran.returncode == 0:
        return ""
    said = ran.stderr.decode(errors="replace").strip()[-MAX_CHARACTERS:]
    return f"{program} ended with {ran.returncode}" + (f": {said}" if said else "")


def _describe_hit(layout: StoreLayout, hit: HitRecord) -> dict[str, Any]:
    return {
        "hit_id": hit.hit_id,
        "query": hit.query_name,
        "camera": hit.camera,
        "best_utc": hit.best_utc.isoformat(),
        "time_zone": hit.time_zone,
        "video": hit.video_path,
        "best_seconds": hit.best_seconds,
        "confidence": hit.confidence,
        "reason": hit.reason,
        "picture": str(layout.reports / hit.picture_path),
    }
