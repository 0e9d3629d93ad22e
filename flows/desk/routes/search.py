"""The pages of searches and exports: forms, progress, results, files."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request
from pydantic import BaseModel
from starlette.responses import FileResponse, Response, StreamingResponse

from flows.archives.asking import hurried
from flows.desk.app import OwnDesk, OwnSession, page
from flows.desk.desk import Desk
from flows.desk.jobs import Job, follow
from flows.desk.routes.incidents import Id, IdField
from flows.desk.searches import SearchForm, build_search, find_result, result_evidence, would_hit
from flows.export.choice import Choice
from flows.export.exporting import ExportReport, ExportRequest, export_hits
from flows.runs.progress import Listener
from flows.search.outcome import Result

router = APIRouter()
Number = Annotated[int, Path(ge=0, le=1000)]


class ExportForm(BaseModel):
    """Which incident is exported."""

    incident: IdField


@router.get("/search")
def show_search(request: Request, desk: OwnDesk, text: str = "", like: str = "") -> Response:
    """Shows the form, filled in as the address says."""
    desk.jobs.prepare(desk.searcher.warm)
    form = SearchForm(text=text[:1000], like=like if _is_known_crop(desk, like) else "")
    return _show(request, desk, form, None)


@router.get("/search/{job_id}")
def show_results(request: Request, desk: OwnDesk, job_id: Id) -> Response:
    """Shows a search: how far it is, or its results."""
    job = _find(desk, job_id, "search")
    return _show(request, desk, job.asked, job)


@router.post("/searches")
def start_search(desk: OwnDesk, session: OwnSession, form: SearchForm) -> dict[str, str]:
    """Puts a search in the queue."""
    desk.forget_erased()
    if form.like and not _is_known_crop(desk, form.like):
        raise HTTPException(404, "The picture to search with is not in the store any more.")
    asked = build_search(form, desk.uploads, session.who)
    title = asked.text or "people like in the picture"
    search = partial(desk.searcher.search, asked)
    job = desk.jobs.submit("search", title, session.who, form, lambda listener: search(listener=listener))
    return {"id": job.job_id, "address": f"/search/{job.job_id}"}


@router.post("/uploads")
async def take_picture(request: Request, desk: OwnDesk) -> dict[str, str]:
    """Keeps a reference picture."""
    return {"id": desk.uploads.add(await request.body())}


@router.get("/jobs/{job_id}/events")
def tell_progress(desk: OwnDesk, job_id: Id) -> Response:
    """Tells how far a job is, as server-sent events."""
    job = _find(desk, job_id)
    return StreamingResponse(follow(job), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


@router.get("/search/{job_id}/{number}.jpg")
def show_result_picture(desk: OwnDesk, job_id: Id, number: Number) -> Response:
    """The picture of a result."""
    result = _find_result(desk, job_id, number)[1]
    return Response(result.picture, media_type="image/jpeg", headers={"cache-control": "private, max-age=300"})


@router.post("/clips/result/{job_id}/{number}")
def make_result_clip(desk: OwnDesk, job_id: Id, number: Number) -> dict[str, object]:
    """Cuts the clip of a result, and says where it is."""
    job, result = _find_result(desk, job_id, number)
    clip = desk.clips.cut(result_evidence(desk.layout, job, number, result))
    return clip.describe(f"/clips/result/{job_id}/{number}.mp4")


@router.get("/clips/result/{job_id}/{number}.mp4")
def play_result_clip(desk: OwnDesk, job_id: Id, number: Number) -> Response:
    """The clip of a result, or the part of it that the browser asks for."""
    desk.forget_erased()
    path = desk.clips.path(f"{job_id}-{number}")
    if path is None:
        raise HTTPException(404, "This clip is not kept any more. Play the moment again.")
    return FileResponse(path, media_type="video/mp4")


@router.post("/exports")
def start_export(desk: OwnDesk, session: OwnSession, form: ExportForm) -> dict[str, str]:
    """Puts the export of one incident in the queue; heads of bystanders are blurred, as by the command."""
    hits = tuple(hit["hit_id"] for hit in desk.board.hits([form.incident]))
    if not hits:
        raise HTTPException(404, "This incident is not in the store any more.")
    output = desk.clips.folder / f"export-{form.incident}-{len(desk.jobs.list('export'))}-{session.csrf[:6]}.zip"
    asked = ExportRequest(output=output, choice=Choice(hit_ids=hits), archive=desk.archive, who=session.who)
    title = f"export of {hits[0][:8]} ({len(hits)} hits)"
    job = desk.jobs.submit("export", title, session.who, hits, lambda listener: _export(desk, asked, listener))
    return {"id": job.job_id, "address": f"/jobs/{job.job_id}"}


@router.get("/jobs/{job_id}")
def show_export(request: Request, desk: OwnDesk, job_id: Id) -> Response:
    """Shows an export: how far it is, or where its file is."""
    return page(request, "export.html", job=_find(desk, job_id, "export"))


@router.get("/jobs/{job_id}/export.zip")
def send_export(desk: OwnDesk, job_id: Id) -> Response:
    """The file of an export, unless its footage was erased since."""
    job = _find(desk, job_id, "export")
    desk.board.refresh()
    report = job.result
    if not isinstance(report, ExportReport) or desk.board.known(job.asked) != set(job.asked):
        raise HTTPException(404, "There is no such file: the export is not done, or its footage was erased.")
    return FileResponse(report.output, media_type="application/zip", filename=f"export-{job_id}.zip")


def _export(desk: Desk, asked: ExportRequest, listener: Listener) -> ExportReport:
    """Makes an export; searches wait for it, so that an archive's server has seconds and not minutes to answer."""
    with hurried(desk.composition.settings.archive.wait_seconds):
        return export_hits(desk.composition, desk.layout, asked, listener=listener)


def _show(request: Request, desk: Desk, form: SearchForm, job: Job | None) -> Response:
    report = job.result if job else None
    return page(
        request,
        "search.html",
        form=form,
        job=job,
        report=report,
        kept=would_hit(report) if report else [],
        recent=desk.jobs.list("search")[:10],
        cameras=desk.board.cameras(),
        can_save=desk.queries_file is not None,
    )


def _find(desk: Desk, job_id: str, kind: str = "") -> Job:
    desk.forget_erased()
    job = desk.jobs.find(job_id)
    if job is None or (kind and job.kind != kind):
        raise HTTPException(
            404, "This is not kept any more: only the last searches and exports are, until the desk ends."
        )
    return job


def _find_result(desk: Desk, job_id: str, number: int) -> tuple[Job, Result]:
    job = _find(desk, job_id, "search")
    result = find_result(job, number)
    if result is None:
        raise HTTPException(404, "There is no such result.")
    return job, result


def _is_known_crop(desk: Desk, crop_id: str) -> bool:
    """Whether a crop id is one of a hit or of a result: nothing else from an address is looked for."""
    if desk.board.read("SELECT 1 FROM hits WHERE crop_id = ? LIMIT 1", [crop_id]):
        return True
    reports = [job.result for job in desk.jobs.list("search") if job.result]
    return any(result.crop_id == crop_id for report in reports for result in report.results)
