"""One search, now: the same three stages as a sweep, over the whole gallery, with a page of pictures."""

import getpass
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from anomalylmm.masking import check_text
from anomalylmm.records import CropRow, Query, RankedCandidate, SlotVerdict
from flows.coarse_search import encode_queries, find_candidates, load_images, scope_of
from flows.composition import Composition
from flows.pictures import data_url, draw_results
from flows.planning import utc_now
from flows.progress import Listener, Silence
from flows.query_file import QueryRow, build_query
from flows.report_page import Card, Fact, Page, Section, local_time, media_time, write_page
from flows.sweeping import open_gallery
from storage.gallery import Gallery
from storage.inbox import leave_search
from storage.layout import StoreLayout
from storage.records import SearchRecord

NO_FLOOR = -10.0  # a person who asks wants the best there is


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """What to look for, and where."""

    text: str
    cameras: tuple[str, ...] = ()
    start_utc: datetime | None = None
    stop_utc: datetime | None = None
    limit: int = 10
    judged: int = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One tracklet of the final ranking."""

    tracklet_id: str
    camera: str
    when: str
    video: str
    moment: str
    cosine: float
    z_score: float
    judged: bool
    accepted: bool
    score: float
    confidence: float
    reason: str
    slots: tuple[SlotVerdict, ...]
    picture: bytes = field(repr=False, default=b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchReport:
    """What a search found."""

    text: str
    cloze: str
    results: tuple[Result, ...]
    warnings: tuple[str, ...]
    num_crops: int
    num_candidates: int
    num_calls: int
    seconds: float
    page_path: str


def search_store(
    composition: Composition, layout: StoreLayout, request: SearchRequest, *, listener: Listener | None = None
) -> SearchReport:
    """Searches the gallery for what a sentence says, logs the search and writes its page.

    Raises:
        QueryError: The text has no word or is too long.
        StoreError: Nothing is indexed, or the store can't be written.
    """
    began, listener = time.monotonic(), listener or Silence()
    query = build_request_query(composition, request)
    gallery = open_gallery(composition, layout)
    warnings = list_warnings(composition, gallery, query, request)
    vectors = encode_queries(composition.encoder, composition.lexicon, [query])
    candidates = find_candidates(gallery, vectors, [query], [scope_of(query)])[0]
    listener.start("judge", len(candidates))
    loaded, best = load_images(gallery, candidates)
    budget = None if request.judged else 0
    found = composition.adjudicator.adjudicate(query, loaded, budget_calls=budget)
    listener.advance("judge", len(candidates))
    top = found.ranked[: request.limit]
    results = _build_results(composition, gallery, query, top, best)
    seconds = time.monotonic() - began
    _log(layout, request, len(results), seconds)
    report = SearchReport(
        text=request.text, cloze=query.cloze.masked, results=results, warnings=warnings, num_crops=gallery.num_crops,
        num_candidates=len(candidates), num_calls=found.num_calls, seconds=seconds, page_path="",
    )  # fmt: skip
    return _with_page(report, layout)


def build_request_query(composition: Composition, request: SearchRequest) -> Query:
    """Builds the query of a search.

    Raises:
        QueryError: The text has no word or is too long.
    """
    check_text(request.text)
    row = QueryRow(
        name="search", text=request.text, cameras=request.cameras, start=request.start_utc, stop=request.stop_utc,
        floor=NO_FLOOR, top_n=max(request.judged, request.limit),
    )  # fmt: skip
    return build_query(row, composition.lexicon)


def list_warnings(composition: Composition, gallery: Gallery, query: Query, request: SearchRequest) -> tuple[str, ...]:
    """Says what of the request can't be met: unknown words, nothing to mask, unknown cameras."""
    warnings = []
    unknown = composition.encoder.unknown_words(query.text)
    if unknown:
        warnings.append(f"the encoder does not know these words and can't look for them: {', '.join(unknown)}")
    if not query.cloze.slots:
        warnings.append("no action or color word was found in the text; only the whole sentence is judged")
    known = {shard.manifest.key.camera for shard in gallery.shards}
    missing = sorted(set(request.cameras) - known)
    if missing:
        warnings.append(f"no camera is named {', '.join(missing)}; known: {', '.join(sorted(known))}")
    return tuple(warnings)


def _build_results(
    composition: Composition,
    gallery: Gallery,
    query: Query,
    ranked: Sequence[RankedCandidate],
    best: dict[str, CropRow],
) -> tuple[Result, ...]:
    rows = [best[item.candidate.tracklet_id] for item in ranked]
    pictures = draw_results(composition.encoder, query, rows)
    return tuple(
        _build_result(gallery, item, row, jpeg) for item, row, jpeg in zip(ranked, rows, pictures, strict=True)
    )


def _build_result(gallery: Gallery, item: RankedCandidate, row: CropRow, jpeg: bytes) -> Result:
    candidate, verdict = item.candidate, item.verdict
    videos = gallery.shard(candidate.shard_id).manifest.videos
    zone = next(video.time_zone for video in videos if video.video_id == row.video_id)
    return Result(
        tracklet_id=candidate.tracklet_id,
        camera=row.camera,
        when=local_time(row.wall_clock_utc, zone),
        video=row.video_path,
        moment=media_time(row.pts_seconds),
        cosine=candidate.cosine,
        z_score=candidate.z_score,
        judged=verdict is not None,
        accepted=verdict.accepted if verdict else False,
        score=verdict.score if verdict else 0.0,
        confidence=verdict.confidence if verdict else 0.0,
        reason=verdict.reason if verdict else "not judged",
        slots=verdict.slots if verdict else (),
        picture=jpeg,
    )


def _log(layout: StoreLayout, request: SearchRequest, num_results: int, seconds: float) -> None:
    filters = {
        "cameras": ", ".join(request.cameras),
        "start_utc": str(request.start_utc or ""),
        "stop_utc": str(request.stop_utc or ""),
    }
    record = SearchRecord(
        text=request.text,
        who=_who(),
        created_utc=utc_now(),
        seconds=seconds,
        num_results=num_results,
        filters={name: value for name, value in filters.items() if value},
    )
    leave_search(layout, record)


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _with_page(report: SearchReport, layout: StoreLayout) -> SearchReport:
    cards = tuple(
        Card(
            where=result.camera, when=result.when, video=result.video, moment=result.moment,
            pictures=(data_url(result.picture),), judged=result.judged, accepted=result.accepted,
            confidence=result.confidence, cosine=result.cosine, z_score=result.z_score, reason=result.reason,
            slots=result.slots,
        )
        for result in report.results
    )  # fmt: skip
    page = Page(
        title="Search",
        subtitle=f"{utc_now():%Y-%m-%d %H:%M} UTC",
        facts=(
            Fact(name="crops searched", value=f"{report.num_crops:,}"),
            Fact(name="candidates", value=str(report.num_candidates)),
            Fact(name="questions to the judge", value=str(report.num_calls)),
            Fact(name="seconds", value=f"{report.seconds:.1f}"),
        ),
        sections=(Section(title=report.text, text=report.text, cloze=report.cloze, cards=cards),),
        warnings=report.warnings,
    )
    path: Path = write_page(page, layout, "search-latest")
    return replace(report, page_path=str(path))
