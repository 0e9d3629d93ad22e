"""The parts of one running review desk, which all of its pages share."""

from dataclasses import dataclass, field
from pathlib import Path

from flows.composition import Composition
from flows.desk.access import LoginLimit, Sessions
from flows.desk.clips import ClipShelf
from flows.desk.jobs import Jobs
from flows.desk.searches import Uploads
from flows.search.searcher import Searcher
from storage.disk.layout import StoreLayout
from storage.hits.board import Board


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What the pages of one desk need."""

    layout: StoreLayout
    board: Board
    clips: ClipShelf
    composition: Composition
    searcher: Searcher
    uploads: Uploads
    archive: Path | None = None  # of the source videos; without it there are no clips
    queries_file: Path | None = None  # the user's own; without it saved queries can only be looked at
    password_hash: str = ""  # empty: nobody is asked for a password
    user: str = ""  # the name noted for decisions where no password is needed
    sessions: Sessions = field(default_factory=Sessions)
    jobs: Jobs = field(default_factory=Jobs)
    limit: LoginLimit = field(default_factory=LoginLimit)
