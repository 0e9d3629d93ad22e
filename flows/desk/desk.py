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
from storage.upkeep.erasure_log import erasure_stamp


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

    def forget_erased(self) -> None:
        """Takes in what has changed in the store, and drops what the desk has made of footage that is erased.

        Raises:
            StoreError: The store can't be read.
        """
        self.board.refresh()
        if self.jobs.forget_unless(erasure_stamp(self.layout)):
            self.clips.forget_all()
        else:
            self.clips.forget_all_but(self.board.known(self.clips.hit_ids))
