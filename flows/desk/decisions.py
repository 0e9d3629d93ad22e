"""Decides on incidents: what a person says goes through the inbox, and can be taken back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from anomalylmm.errors import QueryError
from flows.review.feedback import Remark, note_remarks
from storage.disk.layout import StoreLayout
from storage.hits.board import Board

Verdict = Literal["confirm", "reject", "unsure", "clear"]
MAX_INCIDENTS = 1000  # of one decision
MAX_UNDONE = 100  # decisions that one browser can take back
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one person said at one moment of some hits."""

    verdict: Verdict
    who: str
    incident_ids: tuple[str, ...]
    hit_ids: tuple[str, ...] = field(repr=False)
    before: dict[str, Row] = field(repr=False)  # the newest remark on each hit until then
    num_gone: int = 0  # incidents that are not in the store any more


def decide(
    layout: StoreLayout,
    board: Board,
    incident_ids: Sequence[str],
    verdict: Verdict,
    *,
    who: str,
    now: datetime,
    note: str = "",
    hit_ids: Sequence[str] = (),
) -> Decision:
    """Says the same of all hits of some incidents, or of some of their hits; it counts at once.

    Raises:
        QueryError: None of them is in the store any more.
        ConfigurationError: The note is too long.
        StoreError: It can't be written.
    """
    board.refresh()
    hits = [hit for hit in board.hits(incident_ids) if not hit_ids or hit["hit_id"] in hit_ids]
    if not hits:
        raise QueryError(
            "None of this is in the store any more; it was erased, or replaced by a later sweep. Load the page again."
        )
    known = tuple(dict.fromkeys(hit["incident_id"] for hit in hits))
    own = tuple(hit["hit_id"] for hit in hits)
    before = _newest(board, own)
    remarks = [Remark(place="", hit_id=hit_id, verdict=verdict, note=note, who=who) for hit_id in own]
    note_remarks(layout, remarks, now, board.known)
    board.refresh(has_said=True)
    gone = len(set(incident_ids)) - len(known)
    return Decision(verdict=verdict, who=who, incident_ids=known, hit_ids=own, before=before, num_gone=gone)


def take_back(layout: StoreLayout, board: Board, decision: Decision, now: datetime) -> int:
    """Puts back what was said before a decision; both stay in the history. What others said since then stays.

    Returns:
        The number of hits that somebody else has decided on since.

    Raises:
        StoreError: It can't be written.
    """
    board.refresh()
    newest = _newest(board, decision.hit_ids)
    own = (decision.who, decision.verdict)
    mine = [hit_id for hit_id, said in newest.items() if (said["who"], said["verdict"]) == own]
    known = board.known(mine)
    remarks = [_restore(hit_id, decision) for hit_id in mine if hit_id in known]
    if remarks:
        note_remarks(layout, remarks, now, board.known)
        board.refresh(has_said=True)
    return len(newest) - len(mine)


def _newest(board: Board, hit_ids: Sequence[str]) -> dict[str, Row]:
    newest: dict[str, Row] = {}
    for said in board.remarks(hit_ids):  # newest first
        newest.setdefault(said["hit_id"], said)
    return newest


def _restore(hit_id: str, decision: Decision) -> Remark:
    said = decision.before.get(hit_id)
    verdict, note = (said["verdict"], f"taken back; before: {said['who']}") if said else ("clear", "taken back")
    return Remark(place="", hit_id=hit_id, verdict=verdict, note=note[:200], who=decision.who)
