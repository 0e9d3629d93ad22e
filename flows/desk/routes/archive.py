"""The pages of the archive and of runs."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from flows.desk.app import OwnDesk, page
from flows.desk.archive import NEXT_DAYS, allow_retry, preview_retention, read_archive
from flows.desk.routes.incidents import IdField
from flows.maintain.erasing import list_shards
from storage.hits.runs import read_runs

MAX_RUNS = 100
router = APIRouter()


class RetryForm(BaseModel):
    """Which video may be tried again."""

    video: IdField


@router.get("/archive")
def show_archive(
    request: Request,
    desk: OwnDesk,
    month: Annotated[str, Query(pattern=r"^((19|20|21)\d\d-(0[1-9]|1[0-2]))?$")] = "",
    retention: bool = False,
) -> Response:
    """Shows what is indexed by camera and day, and what is not."""
    settings = desk.composition.settings
    preview = preview_retention(desk.layout, settings) if retention else None
    return page(
        request,
        "archive.html",
        view=read_archive(desk.layout, month),
        retention=settings.retention,
        asked=retention,
        preview=preview,
        taken=list_shards(preview.plan.shards) if preview else [],
        next_days=NEXT_DAYS,
    )


@router.post("/archive/retry")
def retry(desk: OwnDesk, form: RetryForm) -> dict[str, int]:
    """Lets the next index run try an unreadable video again."""
    number = allow_retry(desk.layout, form.video)
    if not number:
        raise HTTPException(404, "This video is not noted as unreadable any more. Load the page again.")
    return {"cleared": number}


@router.get("/runs")
def show_runs(request: Request, desk: OwnDesk) -> Response:
    """Shows the last runs, newest first."""
    runs = read_runs(desk.layout)[::-1][:MAX_RUNS]
    return page(request, "runs.html", runs=runs)
