"""An export: hits that were found, with clips, pictures and where each statement is from, in one folder or zip file."""

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from anomalylmm import __version__
from anomalylmm.errors import AnomalyLMMError, ConfigurationError, UnreachedError
from anomalylmm.protocols import ClipCutter
from flows.clock import utc_now
from flows.composition import Composition
from flows.export import MAX_HITS
from flows.export.choice import Choice, Evidence, gather
from flows.export.clips import ClipNote, ClipStyle, write_clip
from flows.export.files import PUT_OFF, Exported, building, write_index, write_manifest, write_tables
from flows.export.looking import Looker, Scene
from flows.export.sources import Sources
from flows.export.stills import build_still
from flows.runs.progress import Listener, Silence
from flows.runs.recording import list_reasons, recording
from flows.runs.user import current_user
from storage.disk.addresses import is_address
from storage.disk.files import guarded
from storage.disk.layout import StoreLayout
from storage.hits.inbox import leave_search
from storage.hits.rows import SearchRecord

CLIPS_AT_ONCE = 2
MAX_LISTED = 100  # problems listed in one notification
BLURRED = (
    "heads of all persons but the hit's own, found anew by the detector in every frame of the clips and in the "
    "pictures' crops; persons that the detector misses are not blurred"
)
NOT_BLURRED = "nothing is blurred: bystanders can be recognized"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """What to export, where from and where to."""

    output: Path  # a folder, or a file that ends in .zip; must not exist
    choice: Choice
    archive: Path | None = None  # of the source videos; without it there are no clips
    style: ClipStyle = field(default_factory=ClipStyle)
    max_hits: int = MAX_HITS
    who: str = ""  # exports; empty: the user who is logged in


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What of a hit could not be exported."""

    hit_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What came of an export."""

    output: str
    num_hits: int
    num_clips: int
    num_pictures: int
    problems: tuple[Problem, ...]
    items: tuple[Exported, ...] = field(repr=False)
    seconds: float

    @property
    def num_put_off(self) -> int:
        """The hits whose videos could not be reached; another export may make their clips."""
        return sum(item.is_put_off for item in self.items)

    @property
    def state(self) -> str:
        """Completed, or Degraded where something of a hit could not be exported."""
        return "Degraded" if self.problems else "Completed"

    @property
    def events(self) -> tuple[str, ...]:
        """The events that a notification is about."""
        return ("degraded",) if self.problems else ()

    @property
    def notification(self) -> dict[str, Any]:
        """The values that a notification contains."""
        counts = {"num_hits": self.num_hits, "num_clips": self.num_clips, "num_problems": len(self.problems)}
        problems = [asdict(problem) for problem in self.problems[:MAX_LISTED]]
        return {"output": self.output, **counts, "problems": problems}

    @property
    def figures(self) -> dict[str, Any]:
        """The values that the run's record contains."""
        reasons = list_reasons(pieces_missing=len(self.problems))
        return {"state": self.state, "reasons": reasons, "num_hits": self.num_hits}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What stays the same throughout one export."""

    cutter: ClipCutter
    looker: Looker | None
    layout: StoreLayout
    request: ExportRequest
    sources: Sources
    folder: Path

    def clip_path(self, evidence: Evidence) -> Path:
        """The file of a hit's clip."""
        return self.folder / "clips" / f"{evidence.name}.mp4"


def export_hits(
    composition: Composition, layout: StoreLayout, request: ExportRequest, *, listener: Listener | None = None
) -> ExportReport:
    """Exports the chosen hits at once or not at all; what of a hit is missing is said and fails nothing else.

    Raises:
        WeightsError: The detector that blurring needs is missing.
        ConfigurationError: Nothing fits, too much does, or the output's name can't be used.
        ArchiveError: The archive is not a folder.
        StoreError: No sweep has published yet, or the output can't be written.
    """
    began, listener = time.monotonic(), listener or Silence()
    check_output(request)
    with closing(Sources(request.archive, composition.copies)) as sources:
        return _export(composition, layout, request, sources, listener, began)


def _export(
    composition: Composition,
    layout: StoreLayout,
    request: ExportRequest,
    sources: Sources,
    listener: Listener,
    began: float,
) -> ExportReport:
    found = gather(layout, request.choice, most=request.max_hits)
    looker = build_looker(composition) if request.style.needs_detector else None
    listener.start("export", len(found))
    with recording(layout, "export", listener, composition) as recorded:
        with building(request.output) as folder:
            run = _Run(
                cutter=composition.clips,
                looker=looker,
                layout=layout,
                request=request,
                sources=sources,
                folder=folder,
            )
            items = _export_all(run, found, listener)
            _write_texts(run, items)
            report = _report(request, items, time.monotonic() - began)
            _log(layout, request, report)  # nothing leaves the store unnoted
        recorded.end(**report.figures)
    return report


def build_looker(composition: Composition) -> Looker:
    """Builds what looks at frames as keenly as the index looks at those of any camera.

    Raises:
        WeightsError: The detector is missing.
    """
    view = max(composition.views.all, key=lambda view: (view.tiles * view.image_size, view))
    width = view.image_size if view.tiles == 1 else None  # tiles are cut from frames of full size
    return Looker(detector=composition.build_detector(view), max_width_px=width)


def check_output(request: ExportRequest) -> None:
    """Refuses a name that is taken or lies in the archive, which is only read.

    Raises:
        ConfigurationError: It is.
    """
    output = request.output.absolute()
    if output.exists() or output.is_symlink():
        raise ConfigurationError(f"{request.output} exists already; choose another name, or remove it first")
    if request.archive is None or is_address(request.archive):
        return
    if output.resolve().is_relative_to(request.archive.resolve()):
        raise ConfigurationError(f"{request.output} lies in the archive, which is only read; choose another place")


def _export_all(run: _Run, found: Sequence[Evidence], listener: Listener) -> list[Exported]:
    """Looks at one hit after another, while the clips of those before are made in processes of their own."""
    items: list[Exported] = []
    begun: deque[_Begun] = deque()
    with ThreadPoolExecutor(max_workers=CLIPS_AT_ONCE) as pool:
        try:
            for number, evidence in enumerate(found, 1):
                begun.append(_begin(run, pool, evidence))
                while begun and (begun[0].is_ready or number == len(found)):
                    items.append(_finish_and_say(run, begun.popleft(), listener))
        except BaseException:  # Ctrl-C, too: clips that wait are not begun any more
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return items


def _finish_and_say(run: _Run, hit: "_Begun", listener: Listener) -> Exported:
    item = _finish(run, hit)
    for problem in item.problems:
        listener.warn(f"hit {hit.evidence.hit_id}: {problem}")
    listener.advance("export", 1, str(hit.evidence.hit["query_name"]))
    return item


def _write_texts(run: _Run, items: list[Exported]) -> None:
    facts = _describe(run.request, run.looker.detector.model_id if run.looker and run.request.style.blur else "", items)
    with guarded("write", run.folder):
        write_tables(run.folder, items)
        write_index(run.folder, items, facts)
        write_manifest(run.folder, facts)


@dataclass(slots=True, kw_only=True)
class _Begun:
    """A hit whose clip is being made."""

    evidence: Evidence
    problems: list[str]
    digest: str = ""
    picture: str = ""
    is_put_off: bool = False
    clip: Future[ClipNote] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether its clip need not be waited for."""
        return self.clip is None or self.clip.done()


def _begin(run: _Run, pool: Executor, evidence: Evidence) -> _Begun:
    """Finds the source, looks at it, writes the picture, and has the clip made."""
    hit, scene, style = _Begun(evidence=evidence, problems=list(evidence.problems)), None, run.request.style
    try:
        source = _find_source(run, evidence)
        hit.digest = run.sources.sha256(source)
        if run.looker:
            scene = run.looker.look(run.cutter, source, *evidence.span(style.margin_seconds), evidence.crop)
        hit.clip = pool.submit(write_clip, run.cutter, source, evidence, style, scene, run.clip_path(evidence))
        if run.request.archive is not None and is_address(run.request.archive):
            wait([hit.clip])  # the copy is kept only until the next one is made
    except (AnomalyLMMError, OSError) as error:
        hit.problems.append(f"no clip: {error}")
        hit.is_put_off = isinstance(error, UnreachedError)
    picture = f"pictures/{evidence.name}.jpg"
    try:
        (run.folder / picture).write_bytes(_build_picture(run, evidence, scene))
        hit.picture = picture
    except (AnomalyLMMError, OSError) as error:
        hit.problems.append(f"no picture: {error}")
        (run.folder / picture).unlink(missing_ok=True)
    return hit


def _finish(run: _Run, hit: _Begun) -> Exported:
    """Waits for the clip."""
    path, note = run.clip_path(hit.evidence), None
    try:
        note = hit.clip.result() if hit.clip else None
    except (AnomalyLMMError, OSError) as error:
        hit.problems.append(f"no clip: {error}")
        path.unlink(missing_ok=True)
    return Exported(
        evidence=hit.evidence,
        clip=path.relative_to(run.folder).as_posix() if note else "",
        picture=hit.picture,
        clip_note=note,
        video_sha256=hit.digest,
        problems=tuple(hit.problems),
        is_put_off=hit.is_put_off,
    )


def _build_picture(run: _Run, evidence: Evidence, scene: Scene | None) -> bytes:
    reports = run.layout.reports
    path = reports / str(evidence.hit["picture_path"])
    if not path.resolve().is_relative_to(reports.resolve()):
        raise ConfigurationError(f"its picture {path} lies outside of the store's reports")
    detector = run.looker.detector if run.looker and run.request.style.blur else None
    return build_still(path, evidence.crop, detector, scene)


def _find_source(run: _Run, evidence: Evidence) -> Path:
    size = evidence.video.size_bytes if evidence.video else None
    return run.sources.find(evidence.hit["video_id"], evidence.hit["video_path"], size)


def _describe(request: ExportRequest, blur_detector: str, items: list[Exported]) -> dict[str, Any]:
    """What the manifest and the page say of the whole export."""
    chosen = {name: value for name, value in asdict(request.choice).items() if value}
    return {
        "made_utc": utc_now().isoformat(timespec="seconds").replace("+00:00", "Z"),
        "made_by": f"anomalylmm {__version__}",
        "made_for": request.who or current_user(),
        "chosen": chosen,
        "blur": request.style.blur,
        "blurred": BLURRED if request.style.blur else NOT_BLURRED,
        "blur_detector": blur_detector,
        "margin_seconds": request.style.margin_seconds,
        "box_drawn": request.style.draw_box,
        "times_burnt_in": request.style.burn_times,
        "num_hits": len(items),
        "problems": [asdict(problem) for problem in _list_problems(items)],
        PUT_OFF: [item.evidence.hit_id for item in items if item.is_put_off],
    }


def _list_problems(items: list[Exported]) -> list[Problem]:
    return [Problem(hit_id=item.evidence.hit_id, reason=reason) for item in items for reason in item.problems]


def _report(request: ExportRequest, items: list[Exported], seconds: float) -> ExportReport:
    return ExportReport(
        output=str(request.output),
        num_hits=len(items),
        num_clips=sum(bool(item.clip) for item in items),
        num_pictures=sum(bool(item.picture) for item in items),
        problems=tuple(_list_problems(items)),
        items=tuple(items),
        seconds=seconds,
    )


def _log(layout: StoreLayout, request: ExportRequest, report: ExportReport) -> None:
    """Notes who took recordings of people out of the store, beside the searches."""
    filters = {name: str(value) for name, value in asdict(request.choice).items() if value}
    record = SearchRecord(
        text=f"export to {request.output.name}",
        who=request.who or current_user(),
        created_utc=utc_now(),
        seconds=report.seconds,
        num_results=report.num_hits,
        filters={**filters, "blur": str(request.style.blur)},
    )
    leave_search(layout, record)
