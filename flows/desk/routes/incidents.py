"""The page of incidents: filters, a grid of crops, decisions, and the pictures."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import FileResponse, RedirectResponse, Response

from flows.clock import utc_now
from flows.desk.app import OwnDesk, OwnSession, page
from flows.desk.decisions import MAX_INCIDENTS, MAX_UNDONE, Verdict, decide, take_back
from flows.desk.wording import write_utc
from storage.hits.board import STATES, Board, State
from storage.hits.board_filter import BoardFilter, Cursor, Order

PAGE_SIZE = 60
Id = Annotated[str, Path(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
IdField = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
router = APIRouter()


class Wanted(BaseModel):
    """The filters in the address."""

    query: list[str] = Field(default_factory=list, max_length=500)
    camera: list[str] = Field(default_factory=list, max_length=5000)
    state: list[State] = Field(default_factory=list, max_length=4)
    since: date | Literal[""] = ""
    until: date | Literal[""] = ""
    first_hour: Annotated[int, Field(ge=0, le=23)] | Literal[""] = ""
    last_hour: Annotated[int, Field(ge=0, le=23)] | Literal[""] = ""
    confidence: float = Field(0.0, ge=0, le=1)
    order: Order = "newest"
    after: str = Field("", max_length=200)
    part: Literal["", "cards", "facets"] = ""

    def to_filter(self) -> BoardFilter:
        """The filter of the board."""
        return BoardFilter(
            queries=tuple(self.query),
            cameras=tuple(self.camera),
            states=tuple(self.state),
            first_day=self.since or None,
            last_day=self.until or None,
            first_hour=None if self.first_hour == "" else self.first_hour,
            last_hour=None if self.last_hour == "" else self.last_hour,
            min_confidence=self.confidence,
            order=self.order,
        )

    def to_cursor(self) -> Cursor | None:
        """The place after which the page begins.

        Raises:
            HTTPException: It is not one that a page gave.
        """
        if not self.after:
            return None
        value, _, incident_id = self.after.rpartition("~")
        try:
            _ = datetime.fromisoformat(value) if self.order == "newest" else float(value)
        except ValueError:
            raise HTTPException(404) from None
        return Cursor(value=value, incident_id=incident_id)


class DecisionRequest(BaseModel):
    """What is said of which incidents."""

    incidents: list[IdField] = Field(min_length=1, max_length=MAX_INCIDENTS)
    hits: list[IdField] = Field(default_factory=list, max_length=MAX_INCIDENTS)
    verdict: Verdict
    note: str = ""


@router.get("/")
def show_first() -> Response:
    """Goes to what nobody has decided yet."""
    return RedirectResponse("/incidents?state=new&state=unsure", 303)


@router.get("/incidents")
def show_incidents(request: Request, desk: OwnDesk, wanted: Annotated[Wanted, Query()]) -> Response:
    """Shows incidents, or only what a script needs of the page."""
    board, chosen, cursor = desk.board, wanted.to_filter(), wanted.to_cursor()
    board.refresh()
    filters = request.url.remove_query_params(["part", "after"]).query
    values: dict[str, Any] = {"wanted": wanted, "states": STATES, "filters": filters}
    if wanted.part == "facets":
        return page(request, "facets.html", counts=board.counts(chosen), total=board.count(chosen), **values)
    rows = board.page(chosen, cursor, PAGE_SIZE + 1)
    following = board.cursor_after(chosen, rows[PAGE_SIZE - 1]) if len(rows) > PAGE_SIZE else None
    link = _link(request, following) if following else ""
    if wanted.part == "cards":
        return page(request, "cards.html", rows=rows[:PAGE_SIZE], next_link=link, filters=filters)
    return page(
        request,
        "incidents.html",
        rows=rows[:PAGE_SIZE],
        next_link=link,
        counts=board.counts(chosen),
        total=board.count(chosen),
        has_any=bool(rows) or board.count() > 0,
        **values,
    )


@router.post("/decisions")
def make_decision(desk: OwnDesk, session: OwnSession, asked: DecisionRequest) -> dict[str, object]:
    """Notes a decision, and says how the incidents stand now."""
    decision = decide(
        desk.layout,
        desk.board,
        asked.incidents,
        asked.verdict,
        who=session.who,
        now=utc_now(),
        note=asked.note.strip(),
        hit_ids=asked.hits,
    )
    session.decisions[:] = [*session.decisions[-MAX_UNDONE + 1 :], decision]
    return {"incidents": _describe(desk.board, decision.incident_ids), "gone": decision.num_gone}


@router.post("/decisions/undo")
def undo_decision(desk: OwnDesk, session: OwnSession) -> dict[str, object]:
    """Takes back the last decision of this browser."""
    if not session.decisions:
        raise HTTPException(409, "There is nothing to undo.")
    decision = session.decisions.pop()
    kept = take_back(desk.layout, desk.board, decision, utc_now())
    return {"incidents": _describe(desk.board, decision.incident_ids), "decided_by_others": kept}


@router.get("/pictures/{hit_id}.jpg")
def show_picture(desk: OwnDesk, hit_id: Id) -> Response:
    """The picture of a hit: the crop with its box, and beside it the map of where the words apply."""
    hit = desk.board.hit(hit_id)
    reports = desk.layout.reports.resolve()
    path = (reports / hit["picture_path"]).resolve() if hit else reports
    if not path.is_relative_to(reports) or not path.is_file():
        raise HTTPException(404, "The picture is not in the store any more.")
    return FileResponse(path, media_type="image/jpeg", headers={"cache-control": "private, max-age=300"})


def _link(request: Request, cursor: Cursor) -> str:
    """The address of the next page."""
    url = request.url.remove_query_params("part").include_query_params(after=f"{cursor.value}~{cursor.incident_id}")
    return f"{url.path}?{url.query}"


def _describe(board: Board, incident_ids: tuple[str, ...]) -> list[dict[str, object]]:
    return [
        {
            "id": row["incident_id"],
            "state": row["state"],
            "said": f"{row['who']}, {write_utc(row['said_utc'])}" if row["who"] and row["state"] != "new" else "",
        }
        for row in board.incidents(incident_ids)
    ]
