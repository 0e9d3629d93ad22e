"""The Prefect flow ``search-now``: searches once for a sentence or picture from a form."""

from datetime import UTC, datetime, time, timedelta

from prefect import flow
from prefect.client.schemas.objects import State

from flows.runs.artifacts import RunProgress, completed, degraded, picture, show_markdown, show_table
from flows.runs.notifying import CALLER_ERRORS, notify_failure, notify_report
from flows.runs.terminal import escape
from flows.search.outcome import Result, SearchReport, SearchRequest
from flows.search.searcher import open_searcher
from flows.settings.forms import SearchForm


@flow(name="search-now", flow_run_name="search: {form.asked}", persist_result=False)
def search_now(form: SearchForm) -> State[None]:
    """Searches everything that is indexed for a sentence or a picture.

    Describe one person: who they are (clothing colors help) and what they do, for example *a woman in a green coat
    lying on the ground*. You can also give a picture, alone or with a sentence, to find similar people. The judge is
    only asked about the sentence. The artifacts of the run show the ranking with pictures, and what the judge saw in
    each result. The run ends *Degraded* instead of *Completed* if the judge did not answer for some candidates, or
    could not be shown the moments that the settings ask for.
    """
    request = SearchRequest(
        text=form.text.strip(),
        like=form.like.strip(),
        cameras=tuple(form.cameras),
        start_utc=datetime.combine(form.start, time.min, UTC) if form.start else None,
        stop_utc=datetime.combine(form.stop, time.min, UTC) + timedelta(days=1) if form.stop else None,
        limit=form.limit,
        judged=form.judged,
    )
    composition, layout, progress = form.compose(), form.layout(), RunProgress()
    notify = composition.settings.notify
    with notify_failure(notify, layout, "search", progress, except_for=CALLER_ERRORS):
        report = open_searcher(composition, layout).search(request, listener=progress)
        notify_report(notify, layout, "search", report, progress)
    show_markdown("search-results", write_summary(report), "the ranking, with pictures")
    show_table("search-ranking", [_row(number, result) for number, result in enumerate(report.results, 1)], "ranking")
    message = f"{len(report.results)} results, {len(report.accepted)} accepted, in {report.seconds:.1f} s"
    if report.state == "Completed":
        return completed(message)
    return degraded("; ".join((message, *report.figures["reasons"])))


def write_summary(report: SearchReport) -> str:
    """Describes the ranking in Markdown with inline pictures."""
    lines = [f"# {escape(report.text)}", ""]
    lines += [f"cloze: {escape(report.cloze)}", ""] if report.cloze else []
    lines += [f"**{escape(warning)}**\n" for warning in report.warnings]
    for number, result in enumerate(report.results, 1):
        verdict = f"confidence {result.confidence:.2f}" if result.judged else "not judged"
        lines += [
            f"## {number}. {escape(result.camera)}, {escape(result.when)}: {verdict}",
            "",
            picture(result.picture, result.reason),
            "",
            escape(result.reason),
            "",
            f"{escape(result.video)} at {result.moment}",
            "",
        ]
    return "\n".join(lines if report.results else [*lines, "Nothing was found."])


def _row(number: int, result: Result) -> dict[str, object]:
    return {
        "rank": number,
        "camera": result.camera,
        "when": result.when,
        "confidence": round(result.confidence, 3),
        "accepted": result.accepted,
        "saw": ", ".join(slot.answer for slot in result.slots),
        "video": f"{result.video} at {result.moment}",
    }
