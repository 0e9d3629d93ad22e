"""Measures a profile on labeled clips: indexes them, sweeps the saved queries, scores the hits, writes the report."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from anomalylmm.errors import ArchiveError
from anomalylmm.measure.clip_scores import ClipHit, ClipScores, score_clips
from anomalylmm.records import Query
from flows.clock import utc_now
from flows.composition import Composition
from flows.evaluate.clips.labels import ClipLabels, read_labels
from flows.evaluate.clips.report import SHEET, draw_hit_sheet, write_clip_markdown
from flows.index.indexing import IndexReport, index_archive
from flows.runs.progress import Listener, Silence
from flows.sweep.query_file import default_query_file, read_queries
from flows.sweep.sweeping import sweep_store
from storage.disk.files import guarded, replace_file
from storage.disk.layout import StoreLayout
from storage.hits.analyst import run_sql

DOCUMENT, MARKDOWN = "clips.json", "clips.md"
HITS_SQL = """
SELECT hit_id, query_name, video_path, start_seconds, stop_seconds, confidence, picture_path FROM hits
WHERE pipeline = ? AND list_contains(?::VARCHAR[], query_version) AND list_contains(?::VARCHAR[], video_path)
ORDER BY confidence DESC, hit_id
"""
CLIPS_SQL = """
SELECT path, max(seconds_decoded), max((SELECT count(*) FROM tracklets WHERE tracklets.video_id = videos.video_id
  AND tracklets.pipeline = videos.pipeline))
FROM videos WHERE pipeline = ? GROUP BY path
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRequest:
    """The clips and queries to measure, and the folder of the report."""

    folder: Path
    out: Path
    labels: Path | None = None  # None: labels.csv in the folder
    queries: Path | None = None  # None: the shipped queries
    store: Path | None = None  # None: a temporary store
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipReport:
    """The result of a measurement on clips."""

    document: dict[str, Any] = field(repr=False)
    folder: Path


def evaluate_clips(composition: Composition, request: ClipRequest, *, listener: Listener | None = None) -> ClipReport:
    """Measures the profile on labeled clips and writes ``clips.json``, ``clips.md`` and a sheet of the hits.

    Raises:
        ArchiveError: The folder or a clip is missing, or no clip can be read.
        ConfigurationError: The labels or the queries are wrong; the message names the line.
        StoreError: The store or the report's folder can't be written.
    """
    began, listener = time.monotonic(), listener or Silence()
    labels = read_labels(request.folder, composition.lexicon, labels=request.labels, only=request.only)
    queries_file = request.queries or default_query_file()
    queries = [query for query in read_queries(queries_file, composition.lexicon) if query.enabled]
    with _open_store(request.store) as layout:
        indexed = index_archive(
            composition,
            layout,
            request.folder,
            only=frozenset(labels.files),
            erased=request.store is None,
            listener=listener,
        )
        _check_readable(indexed)
        swept = sweep_store(composition, layout, queries_file, archive=request.folder, listener=listener)
        pipeline = composition.pipeline.digest
        hits, pictures = _read_hits(layout, pipeline, queries, labels.files)
        clips = {path: (float(seconds), number) for path, seconds, number in run_sql(layout, CLIPS_SQL, [pipeline])[1]}
    seconds = {file: clips[file][0] for file in labels.files if file in clips}
    scores = score_clips(labels.events, hits, {query.name: _behaviors_of(query) for query in queries}, seconds)
    warnings = _list_warnings(labels, queries, indexed, scores, seconds)
    for warning in warnings:
        listener.warn(warning)
    document = {
        **_describe_scores(composition, request, scores),
        "clips_without_person": [file for file in seconds if not clips[file][1]],
        "unreadable": [asdict(item) for item in indexed.unreadable],
        "warnings": [*warnings, *swept.warnings],
        "seconds": round(time.monotonic() - began, 1),
    }
    _write(request.out, document, draw_hit_sheet(scores, pictures))
    return ClipReport(document=document, folder=request.out)


def _behaviors_of(query: Query) -> frozenset[str]:
    """Behaviors that a query asks for, in the lexicon's words."""
    return frozenset(slot.word for slot in query.cloze.slots if slot.kind == "action")


@contextmanager
def _open_store(store: Path | None) -> Iterator[StoreLayout]:
    """Opens the given store, or a temporary one."""
    if store is not None:
        yield StoreLayout(store)
        return
    with TemporaryDirectory(prefix="anomalylmm-clips-", ignore_cleanup_errors=True) as folder:
        yield StoreLayout(Path(folder))


def _check_readable(indexed: IndexReport) -> None:
    if indexed.unreadable and not indexed.known and not indexed.total("num_videos"):
        first = indexed.unreadable[0]
        raise ArchiveError(f"no clip could be read; {first.path}: {first.reason}")


def _read_hits(
    layout: StoreLayout, pipeline: str, queries: Sequence[Query], files: Sequence[str]
) -> tuple[list[ClipHit], dict[str, bytes]]:
    """Reads the hits of the queries in the clips, and their pictures by hit id."""
    _, rows = run_sql(layout, HITS_SQL, [pipeline, [query.version for query in queries], list(files)])
    hits = [
        ClipHit(hit_id=row[0], query=row[1], file=row[2], start_seconds=row[3], stop_seconds=row[4], confidence=row[5])
        for row in rows
    ]
    pictures = {row[0]: layout.reports / row[6] for row in rows}
    return hits, {hit_id: path.read_bytes() for hit_id, path in pictures.items() if path.exists()}


def _list_warnings(
    labels: ClipLabels,
    queries: Sequence[Query],
    indexed: IndexReport,
    scores: ClipScores,
    seconds: Mapping[str, float],
) -> list[str]:
    """Lists what is not measured although the user may expect it."""
    limited = [query.name for query in queries if query.cameras or query.start_utc or query.stop_utc]
    limited += [query.name for query in queries if query.daily_start and query.name not in limited]
    twins = [item.path for item in indexed.duplicates]
    unread = [item.path for item in indexed.unreadable]
    left_out = {
        "behaviors that the lexicon does not know, left out": labels.unknown,
        "labeled, but no enabled query asks for it": sorted({event.behavior for event in scores.unasked}),
        "queries without a behavior, left out": [query.name for query in queries if not _behaviors_of(query)],
        "queries limited to cameras or times, which may exclude clips": limited,
        "clips that could not be read, or not completely": unread,
        "clips with the same content as another, left out": twins,
        "clips that are not in the store (erased, too old, or links out of the folder)": [
            file for file in labels.files if file not in {*seconds, *twins, *unread}
        ],
    }
    return [f"{text}: {', '.join(names)}" for text, names in left_out.items() if names]


def _describe_scores(composition: Composition, request: ClipRequest, scores: ClipScores) -> dict[str, Any]:
    found = set(scores.found)
    return {
        "folder": request.folder.name,
        "only": list(request.only),
        "profile": composition.settings.profile,
        "models": {**composition.model_ids(), "judge": composition.judge.judge_id},
        "created_utc": utc_now().isoformat(timespec="seconds"),
        "figures": scores.figures(),
        "queries": [asdict(row) for row in scores.queries],
        "events": [{**asdict(event), "found": event in found} for event in (*scores.found, *scores.missed)],
        "hits": [{**asdict(hit), "verdict": verdict} for hit, verdict in scores.verdicts],
        "normal_clips_flagged": [file for file in scores.normal if file in scores.flagged],
    }


def _write(folder: Path, document: dict[str, Any], sheet: bytes) -> None:
    with guarded("write", folder):
        folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    files = {DOCUMENT: text.encode(), MARKDOWN: write_clip_markdown(document).encode(), SHEET: sheet}
    for name, content in files.items():
        replace_file(folder / name, content, scratch=folder)
