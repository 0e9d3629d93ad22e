"""The page of one incident, its clips and the pictures of its strip."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import FileResponse, Response

from flows.desk.app import OwnDesk, page
from flows.desk.clips import read_track
from flows.desk.desk import Desk
from flows.desk.moments import choose, draw_crop, read_evidence, read_moment
from flows.desk.routes.incidents import Id, Wanted
from flows.export.choice import Evidence
from flows.report.pictures import describe_behavior

MODEL_SECONDS = 30.0  # to wait for the models
router = APIRouter()


@router.get("/incidents/{incident_id}")
def show_incident(request: Request, desk: OwnDesk, incident_id: Id, wanted: Annotated[Wanted, Query()]) -> Response:
    """Shows one incident; the filters in the address decide what is before and after it."""
    moment = read_moment(desk.layout, desk.board, incident_id)
    if moment is None:
        raise HTTPException(404)
    before, after = desk.board.beside(wanted.to_filter(), moment.incident)
    return page(
        request,
        "incident.html",
        moment=moment,
        before=before,
        after=after,
        filters=request.url.query,
        has_archive=desk.archive is not None,
    )


@router.post("/clips/{hit_id}")
def make_clip(desk: OwnDesk, hit_id: Id) -> dict[str, object]:
    """Cuts the clip of a hit, and says where it is."""
    desk.forget_erased()
    clip = desk.clips.cut(_find(desk, hit_id))
    return clip.describe(f"/clips/{hit_id}.mp4")


@router.get("/clips/{hit_id}.mp4")
def play_clip(desk: OwnDesk, hit_id: Id) -> Response:
    """The clip, or the part of it that the browser asks for."""
    desk.forget_erased()
    path = desk.clips.path(hit_id)
    if path is None:
        raise HTTPException(404, "This clip is not kept any more. Play the moment again.")
    return FileResponse(path, media_type="video/mp4", headers={"cache-control": "private, no-store"})


@router.get("/crops/{hit_id}/{number}.jpg")
def show_crop(desk: OwnDesk, hit_id: Id, number: int, mapped: bool = False) -> Response:
    """One picture of a hit's strip; ``mapped`` shows where the words apply."""
    evidence = _find(desk, hit_id)
    crops = choose(read_track(desk.layout, evidence))
    if not 0 <= number < len(crops):
        raise HTTPException(404, "There is no such picture.")
    actions = [slot.word for slot in evidence.slots if slot.kind == "action"]
    text = describe_behavior(actions, str(evidence.hit["text"]))
    if not mapped:
        jpeg = draw_crop(crops[number], None, text)
    else:
        if not desk.jobs.models.acquire(timeout=MODEL_SECONDS):
            raise HTTPException(503, "A search or export is using the models. Try again when it is done.")
        try:
            jpeg = draw_crop(crops[number], desk.composition.mapper, text)
        finally:
            desk.jobs.models.release()
    return Response(jpeg, media_type="image/jpeg", headers={"cache-control": "private, max-age=300"})


def _find(desk: Desk, hit_id: str) -> Evidence:
    evidence = read_evidence(desk.layout, hit_id)
    if evidence is None:
        raise HTTPException(404, "This hit is not in the store any more; it was erased, or replaced by a later sweep.")
    return evidence
