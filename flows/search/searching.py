"""Runs one search on the whole gallery, with the same three stages as a sweep, and writes a page."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from anomalylmm.errors import QueryError, StoreError
from anomalylmm.query.masking import check_text
from anomalylmm.records import Candidate, Cloze, CropRow, Floats, Query, RankedCandidate, shared_fields
from anomalylmm.rerank.gate import Hints
from anomalylmm.rerank.stages import Adjudication
from flows.archives.asking import hurried
from flows.clock import utc_now
from flows.composition import Composition
from flows.moments.fetching import describe_missing, fetch_moments, lacks_moment
from flows.report.page import Card, Page, Section, local_time, media_time, write_page
from flows.report.pictures import data_url, draw_results
from flows.runs.progress import Listener, Silence
from flows.runs.recording import Recording, recording
from flows.runs.user import current_user
from flows.search.outcome import Result, SearchReport, SearchRequest
from flows.search.reference import Reference, join_text_and_picture, read_reference
from flows.sweep.coarse_search import (
    build_hints,
    encode_views,
    find_candidates,
    load_images,
    mean_views,
    scope_of,
    time_zone_of,
)
from flows.sweep.query_file import QueryRow, build_query, choose_mask_way, mask_row
from flows.sweep.sweeping import open_gallery, say_without_slots, warn_of_wording
from storage.disk.layout import StoreLayout
from storage.gallery.gallery import Gallery
from storage.hits.inbox import leave_search
from storage.hits.rows import SearchRecord
from storage.upkeep.erasure_log import ErasureStamp, erasure_stamp

NO_FLOOR = -10.0  # a search returns the best results, however weak
LIKENESS = "a person"  # text for the patch map when the request has none
NO_TEXT = "no text was given, so the judge was not asked and the results are in coarse order"


def search_store(
    composition: Composition,
    layout: StoreLayout,
    request: SearchRequest,
    *,
    listener: Listener | None = None,
    open_now: Callable[[], Gallery] | None = None,
) -> SearchReport:
    """Searches the gallery for a sentence or a picture, logs the search and writes its page.

    The gallery is newly opened unless ``open_now`` gives one.

    Raises:
        QueryError: The text has no word or is too long, the picture or moment can't be read, or neither is given.
        ArchiveError: The moment to compare with can't be fetched from the archive.
        StoreError: Nothing is indexed, or the store can't be written.
    """
    began, listener = time.monotonic(), listener or Silence()
    query, problems = build_request_query(composition, request)
    stamp = erasure_stamp(layout)
    gallery = open_now() if open_now else open_gallery(composition, layout)
    with recording(layout, "search", listener, composition) as run:
        report = _search(run, composition, layout, gallery, query, request, listener)
        report = replace(report, warnings=(*problems, *report.warnings), seconds=time.monotonic() - began)
        _log(layout, request, len(report.results), report.seconds)
        report = _unless_erased(_with_page(report, layout), layout, stamp)
        run.end(**report.figures)
    return report


def _search(
    run: Recording,
    composition: Composition,
    layout: StoreLayout,
    gallery: Gallery,
    query: Query,
    request: SearchRequest,
    listener: Listener,
) -> SearchReport:
    with run.stage("coarse"):
        reference = read_reference(composition, layout, gallery, request) if request.like else None
        views = _encode_request(composition, query, request, reference)
        weight = composition.settings.coarse.posture_weight
        candidates = find_candidates(gallery, mean_views([views]), [query], [scope_of(query)], weight)[0]
        loaded, best = load_images(gallery, candidates, has_poses=composition.has_poses)
    listener.start("judge", len(candidates))
    with run.stage("fetch"):
        is_wanted = request.is_judged and composition.adjudicator.wants_moment(query)
        wanted = loaded[: query.top_n] if is_wanted else ()
        with hurried(composition.settings.archive.wait_seconds):
            moments = fetch_moments(composition, layout, gallery, wanted, archive=request.archive)
    with closing(moments), run.stage("judge"):
        found = _judge(composition, query, moments.attach(loaded, wanted=is_wanted), request, build_hints(views, best))
    listener.advance("judge", len(candidates))
    evidence = [item.verdict.evidence for item in found.ranked if item.verdict]
    with run.stage("draw"):
        results = _build_results(composition, gallery, query, found.ranked[: request.limit], best)
    return SearchReport(
        text=request.description,
        cloze=query.cloze.masked,
        results=results,
        warnings=(*list_warnings(composition, gallery, query, request), *found.notes, *describe_missing(evidence)),
        num_shards=len(gallery.shards),
        num_crops=gallery.num_crops,
        num_candidates=len(candidates),
        num_calls=found.num_calls,
        seconds=0.0,
        page_path="",
        reference=reference.note if reference else "",
        num_cached=found.num_cached,
        num_open=len(found.unjudged),
        num_judged=len(evidence),
        num_without_moment=sum(map(lacks_moment, evidence)),
    )


def _unless_erased(report: SearchReport, layout: StoreLayout, stamp: ErasureStamp) -> SearchReport:
    """Removes the page if footage was erased during the search."""
    if erasure_stamp(layout) == stamp:
        return report
    Path(report.page_path).unlink(missing_ok=True)
    raise StoreError("footage was erased during this search, so its page was removed; run the search again")


def _encode_request(
    composition: Composition, query: Query, request: SearchRequest, reference: Reference | None
) -> Floats:
    """Encodes the views of a search (V, D): text and paraphrases, picture, or both with equal weight."""
    if not request.text and reference is not None:
        return reference.vector[None]
    views = encode_views(composition.encoder, composition.lexicon, [query])[0]
    return views if reference is None else join_text_and_picture(views, reference.vector)


def _judge(
    composition: Composition, query: Query, loaded: Sequence[Candidate], request: SearchRequest, hints: Hints
) -> Adjudication:
    """Judges the candidates by the text; without text, or with 0 to judge, they stay in coarse order."""
    if request.is_judged:
        return composition.adjudicator.adjudicate(query, loaded, hints=hints)
    ranked = tuple(RankedCandidate(candidate=item, rank=item.rank, verdict=None) for item in loaded)
    return Adjudication(ranked=ranked, num_calls=0, num_cached=0, seconds=0.0)


def build_request_query(composition: Composition, request: SearchRequest) -> tuple[Query, tuple[str, ...]]:
    """Builds the query of a search; also returns problems with its masks.

    Raises:
        QueryError: The text has no word or is too long, or there is neither text nor picture.
    """
    if not request.text and not request.like:
        raise QueryError("the search is empty; give a sentence, a picture, or both")
    if request.text:
        check_text(request.text)
    row = QueryRow(
        name="search",
        text=request.text or LIKENESS,
        cameras=request.cameras,
        start=request.start_utc,
        stop=request.stop_utc,
        floor=NO_FLOOR,
        top_n=max(request.judged, request.limit),
    )
    if not request.text:
        return build_query(row, composition.lexicon, Cloze(text=row.text, slots=(), masked="")), ()
    masking = mask_row(row, composition.lexicon, choose_mask_way(composition, None))
    return build_query(row, composition.lexicon, masking.cloze), masking.problems


def list_warnings(composition: Composition, gallery: Gallery, query: Query, request: SearchRequest) -> tuple[str, ...]:
    """Lists what the search can't use: unknown words, a text without words to mask, unknown cameras."""
    warnings = list(warn_of_wording(composition, query)) if request.text else []
    if not request.text:
        warnings.append(NO_TEXT)
    elif not query.cloze.slots:
        warnings.append(f"no action or color word was found in the text; {say_without_slots(composition, query)}")
    known = {shard.manifest.key.camera for shard in gallery.shards}
    missing = sorted(set(request.cameras) - known)
    if missing:
        warnings.append(f"there is no camera {', '.join(missing)}; the cameras are {', '.join(sorted(known))}")
    return tuple(warnings)


def _build_results(
    composition: Composition,
    gallery: Gallery,
    query: Query,
    ranked: Sequence[RankedCandidate],
    best: dict[str, CropRow],
) -> tuple[Result, ...]:
    rows = [best[item.candidate.tracklet_id] for item in ranked]
    pictures = draw_results(composition.mapper, query, rows, [item.candidate.moment for item in ranked])
    return tuple(
        _build_result(gallery, item, row, jpeg) for item, row, jpeg in zip(ranked, rows, pictures, strict=True)
    )


def _build_result(gallery: Gallery, item: RankedCandidate, row: CropRow, jpeg: bytes) -> Result:
    candidate, verdict = item.candidate, item.verdict
    return Result(
        tracklet_id=candidate.tracklet_id,
        camera=row.camera,
        when=local_time(row.wall_clock_utc, time_zone_of(gallery, candidate)),
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
        crop_id=row.crop_id,
        shard_id=candidate.shard_id,
        video_id=row.video_id,
        start_seconds=row.tracklet_start_seconds,
        stop_seconds=row.tracklet_stop_seconds,
        best_seconds=row.pts_seconds,
        picture=jpeg,
        evidence=verdict.evidence if verdict else "",
        description=verdict.description if verdict else "",
    )


def _log(layout: StoreLayout, request: SearchRequest, num_results: int, seconds: float) -> None:
    filters = {
        "like": request.like,
        "cameras": ", ".join(request.cameras),
        "start_utc": str(request.start_utc or ""),
        "stop_utc": str(request.stop_utc or ""),
    }
    record = SearchRecord(
        text=request.description,
        who=request.who or current_user(),
        created_utc=utc_now(),
        seconds=seconds,
        num_results=num_results,
        filters={name: value for name, value in filters.items() if value},
    )
    leave_search(layout, record)


def _with_page(report: SearchReport, layout: StoreLayout) -> SearchReport:
    cards = tuple(
        Card(where=result.camera, pictures=(data_url(result.picture),), **shared_fields(Card, result))
        for result in report.results
    )
    page = Page(
        title="Search",
        subtitle=f"{utc_now():%Y-%m-%d %H:%M} UTC",
        facts={
            **({"like": report.reference} if report.reference else {}),
            "crops searched": f"{report.num_crops:,}",
            "candidates": str(report.num_candidates),
            "questions to the judge": str(report.num_calls),
            "seconds": f"{report.seconds:.1f}",
        },
        sections=(Section(title=report.text, text=report.text, cloze=report.cloze, cards=cards),),
        warnings=report.warnings,
    )
    path: Path = write_page(page, layout, "search-latest")
    return replace(report, page_path=str(path))
