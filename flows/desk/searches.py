"""Searches and exports as jobs of the desk: what a page asks for becomes a request, and results can be played."""

import secrets
import threading
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from pydantic import BaseModel, Field

from anomalylmm.errors import ConfigurationError, QueryError
from anomalylmm.query.masking import check_text
from flows.desk.jobs import Job
from flows.export.choice import Evidence
from flows.index.units.cropping import write_jpeg
from flows.report.picture_files import USABLE, decode_picture
from flows.search.outcome import Result, SearchReport, SearchRequest
from storage.disk.layout import StoreLayout

ID = r"^[0-9A-Za-z_-]{1,64}$"
MAX_UPLOADS = 50
LAST_DAY = date(9000, 1, 1)  # a day after it is still one
ACCEPT, FLOOR_Z = 0.6, 2.0  # of a saved query that says nothing else


class SearchForm(BaseModel):
    """What the page of searches asks for."""

    text: str = Field("", max_length=1000)
    like: str = Field("", pattern=r"^[0-9A-Za-z_-]{0,64}$")  # a crop id of a hit or result
    picture: str = Field("", pattern=r"^[0-9a-f]{0,32}$")  # an uploaded one
    cameras: list[str] = Field(default_factory=list, max_length=5000)
    since: date | None = Field(None, le=LAST_DAY)
    until: date | None = Field(None, le=LAST_DAY)
    judged: int = Field(40, ge=0, le=2000)


class Uploads:
    """Reference pictures that people gave, written anew so that nothing of the file but its pixels is kept."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._paths: dict[str, Path] = {}

    def add(self, content: bytes) -> str:
        """Keeps a picture, and returns its id.

        Raises:
            QueryError: It is none of a usable size.
        """
        image = decode_picture(content)
        if image is None:
            raise QueryError(f"This file holds no picture with {USABLE}. Give a JPEG, PNG, WebP or BMP of one person.")
        key = secrets.token_hex(16)
        path = self._folder / f"upload-{key}.jpg"
        path.write_bytes(write_jpeg(image, 95))
        with self._lock:
            self._paths[key] = path
            while len(self._paths) > MAX_UPLOADS:
                self._paths.pop(next(iter(self._paths))).unlink(missing_ok=True)
        return key

    def find(self, key: str) -> Path:
        """The file of a picture.

        Raises:
            QueryError: It is not kept any more.
        """
        with self._lock:
            path = self._paths.get(key)
        if path is None:
            raise QueryError("The picture is not kept any more. Give it again.")
        return path


def build_search(form: SearchForm, uploads: Uploads, who: str) -> SearchRequest:
    """Builds the request of a form.

    Raises:
        QueryError: The text has no word, nothing is asked for, or the picture is gone.
        ConfigurationError: The days are in the wrong order.
    """
    text = form.text.strip()
    if text:
        check_text(text)
    elif not form.like and not form.picture:
        raise QueryError("Write a sentence, give a picture, or both.")
    if form.since and form.until and form.since > form.until:
        raise ConfigurationError("The first day is later than the last one: swap them.")
    return SearchRequest(
        text=text,
        like=str(uploads.find(form.picture)) if form.picture else form.like,
        cameras=tuple(form.cameras),
        start_utc=datetime.combine(form.since, time.min, UTC) if form.since else None,
        stop_utc=datetime.combine(form.until, time.min, UTC) + timedelta(days=1) if form.until else None,
        limit=max(1, min(60, form.judged or 60)),
        judged=form.judged,
        who=who,
    )


def would_hit(report: SearchReport) -> list[Result]:
    """The results that a saved query with the usual thresholds would have found."""
    return [result for result in report.accepted if result.confidence >= ACCEPT and result.z_score >= FLOOR_Z]


def find_result(job: Job, number: int) -> Result | None:
    """One result of a search; None if there is none."""
    report = job.result
    is_there = isinstance(report, SearchReport) and 0 <= number < len(report.results)
    return report.results[number] if is_there else None


def result_evidence(layout: StoreLayout, job: Job, number: int, result: Result) -> Evidence:
    """Gives a result the form that clips are cut from."""
    found = next(iter(sorted(layout.shards.glob(f"*/*/*/{result.shard_id}"))), None)
    names = ("tracklet_id", "crop_id", "video_id", "start_seconds", "stop_seconds", "best_seconds")
    hit = {
        **{name: getattr(result, name) for name in names},
        "hit_id": f"{job.job_id}-{number}",
        "video_path": result.video,
    }
    directory = found.relative_to(layout.root).as_posix() if found else ""
    return Evidence(number=1, hit=hit, slots=result.slots, remarks=(), models={}, directory=directory)
