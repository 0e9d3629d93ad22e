"""The ``search`` command: searches once for a sentence or a picture."""

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.common import (
    DEFAULT_STORE,
    JsonOption,
    MovedOption,
    ProfileOption,
    QuietOption,
    SettingsOption,
    StoreOption,
    compose,
    print_json,
    say,
)
from flows.runs.stopping import explain_when_stopped
from storage.disk.layout import StoreLayout

if TYPE_CHECKING:
    from anomalylmm.records import Box
    from flows.search.outcome import SearchReport

DAY_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


def search(
    text: Annotated[str, typer.Argument(help="One sentence about one person: who they are and what they do.")] = "",
    like: Annotated[
        str,
        typer.Option(
            "--like",
            metavar="CROP_ID|FILE|VIDEO@TIME",
            help="A person to find similar people of: the id of a crop, an image file, or a moment of a video.",
        ),
    ] = "",
    box: Annotated[
        str,
        typer.Option(
            metavar="LEFT,TOP,RIGHT,BOTTOM",
            help="Where the person of VIDEO@TIME is, in pixels of the frame; without it, the largest person is taken.",
        ),
    ] = "",
    store: StoreOption = DEFAULT_STORE,
    profile: ProfileOption = None,
    settings: SettingsOption = None,
    camera: Annotated[list[str] | None, typer.Option("--camera", help="Only this camera; can be repeated.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=DAY_FORMATS, help="Only from this day or moment on, UTC.")
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=DAY_FORMATS, help="Only up to and including this day, or up to this moment, UTC."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Number of results to show.")] = 10,
    judged: Annotated[int, typer.Option(min=0, max=2000, help="Number of candidates that the judge sees.")] = 40,
    archive: MovedOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Searches the indexed archive for a sentence, prints the ranking and writes a page with pictures.

    With `--like`, it also searches for people like the one in the picture; the sentence is then optional. The judge is
    only asked about the sentence, so without a sentence the results stay in coarse order. A moment of the archive is
    given as VIDEO@TIME: the id of a video, its path or the end of it, and a time in seconds, as h:mm:ss or on the
    camera's clock.

    Example: `anomalylmm search "a man in a red jacket falling" --camera gate`

    Example: `anomalylmm search --like gate/2026-03-14/10-15-00.mp4@7.5`
    """
    from flows.runs.notifying import CALLER_ERRORS, notify_failure, notify_report
    from flows.runs.progress import TerminalProgress
    from flows.search.outcome import SearchRequest
    from flows.search.searching import search_store

    request = SearchRequest(
        text=text,
        like=like,
        box=read_box(box),
        cameras=tuple(camera or ()),
        start_utc=since.replace(tzinfo=UTC) if since else None,
        stop_utc=end_of(until),
        limit=limit,
        judged=judged,
        archive=archive,
    )
    composition, layout = compose(profile, settings), StoreLayout(store)
    notify = composition.settings.notify
    with (
        explain_when_stopped(lambda: "nothing was found yet. Run the same command again."),
        TerminalProgress(quiet=quiet) as progress,
        notify_failure(notify, layout, "search", progress, except_for=CALLER_ERRORS),
    ):
        report = search_store(composition, layout, request, listener=progress)
        notify_report(notify, layout, "search", report, progress)
    if json:
        found = {"warnings": report.warnings, "results": report.results, "page": report.page_path}
        print_json({"text": text, "like": like, "reference": report.reference, **found})
    else:
        _print(report)


def read_box(text: str) -> "Box | None":
    """Reads the corners of a box; None if there is no text.

    Raises:
        QueryError: They are not four numbers in order.
    """
    from anomalylmm.errors import QueryError

    if not text:
        return None
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
        is_box = left < right and top < bottom  # False for NaN, too
    except ValueError:
        is_box = False
    if not is_box:
        raise QueryError(f"--box is {text[:100]!r}, but must be left,top,right,bottom, such as 100,40,180,300")
    return left, top, right, bottom


def end_of(value: datetime | None) -> datetime | None:
    """Returns the end of the day in UTC; a time of day other than midnight is kept."""
    if value is None:
        return None
    whole_day = timedelta(days=1) if value.time() == time.min else timedelta()
    return value.replace(tzinfo=UTC) + whole_day


def _print(report: "SearchReport") -> None:
    for warning in report.warnings:
        say(f"warning: {warning}", err=True)
    if report.reference:
        say(f"like: {report.reference}")
    if report.cloze:
        say(f"cloze: {report.cloze}")
    for number, result in enumerate(report.results, 1):
        judged = f"score {result.score:.2f}, confidence {result.confidence:.2f}" if result.judged else "not judged"
        mark = "+" if result.accepted else "-"
        say(f"{number:>3}. {mark} {result.camera}  {result.when}  {judged}, cosine {result.cosine:.2f}")
        say(f"       {result.video} at {result.moment}  tracklet {result.tracklet_id}")
        for slot in result.slots:
            say(
                f"       {slot.kind} {slot.word!r}: saw {slot.answer!r}, match {slot.match:.2f}, "
                f"saliency {slot.saliency:.2f}"
            )
    if not report.results:
        say("nothing found")
    say(f"page: {report.page_path}")
