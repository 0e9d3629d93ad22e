"""The ``feedback`` command: confirms and rejects hits, and shows how this changes the thresholds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomalylmm.errors import ConfigurationError
from flows.clock import utc_now
from flows.commands.common import DEFAULT_STORE, JsonOption, StoreOption, print_json, print_table
from flows.runs.limits import hard_limits
from flows.runs.terminal import one_line
from storage.disk.layout import StoreLayout

if TYPE_CHECKING:
    from flows.review.calibrating import QueryThreshold
    from flows.review.feedback import Listed, Remark

MAX_LISTED = 200


def feedback(
    hit: Annotated[str | None, typer.Argument(help="Id of a hit, as shown in the report and the table hits.")] = None,
    verdict: Annotated[
        str | None, typer.Argument(help="confirm, reject, unsure, or clear (forget what was said).")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    note: Annotated[str, typer.Option(help="Your reason, in your own words.")] = "",
    by: Annotated[str, typer.Option(help="Your name; by default the user who is logged in.")] = "",
    csv: Annotated[
        Path | None, typer.Option("--csv", help="File with the columns hit_id and verdict, and optionally note and by.")
    ] = None,
    sql: Annotated[
        str | None, typer.Option("--sql", help="SELECT on the published tables that returns these columns.")
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List all feedback, published or waiting.")] = False,
    thresholds: Annotated[
        bool, typer.Option("--thresholds", help="Show the confidence from which the next sweep accepts, and why.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Confirms or rejects hits. The next sweep adjusts the acceptance threshold of each query accordingly.

    It does not wait for a running sweep: feedback is stored separately, and the next sweep reads it.

    Example: `anomalylmm feedback 5f0c... reject --note "a dog"`

    Example: `anomalylmm feedback --sql "select hit_id, 'reject' as verdict from hits where camera = 'gate'"`
    """
    from flows.review.calibrating import read_thresholds
    from flows.review.feedback import list_feedback
    from flows.runs.user import current_user

    layout = StoreLayout(store)
    _check_modes(single=hit is not None, csv=csv is not None, sql=sql is not None, list=listing, thresholds=thresholds)
    if listing:
        _show_list(list_feedback(layout), json)
    elif thresholds:
        _show_thresholds(read_thresholds(layout), json)
    else:
        _note(layout, _read_remarks(layout, hit, verdict, note, by.strip() or current_user(), csv, sql), json)


def _check_modes(**modes: bool) -> None:
    if sum(modes.values()) != 1:
        names = [name if name == "single" else f"--{name}" for name, is_given in modes.items() if is_given]
        raise ConfigurationError(
            "give one of: HIT with confirm or reject, --csv FILE, --sql SELECT, --list, --thresholds; given: "
            + (", ".join(names).replace("single", "HIT") or "none")
        )


def _read_remarks(
    layout: StoreLayout, hit: str | None, verdict: str | None, note: str, who: str, csv: Path | None, sql: str | None
) -> "list[Remark]":
    from flows.review.feedback import SQL_LIMITS, Remark, read_csv, read_sql

    if csv is None and sql is None:
        return [Remark(place="", hit_id=(hit or "").strip(), verdict=verdict or "", note=note, who=who)]
    if note:
        raise ConfigurationError(
            "--note can only be used with one HIT; to give notes for many hits, use a column named note"
        )
    if csv is not None:
        return read_csv(csv, who)
    with hard_limits(SQL_LIMITS.seconds, SQL_LIMITS.memory_bytes):
        return read_sql(layout, sql or "", who)


def _note(layout: StoreLayout, remarks: "list[Remark]", json: bool) -> None:
    from flows.review.feedback import note_remarks

    noted = note_remarks(layout, remarks, utc_now())
    if json:
        print_json(noted)
    else:
        rest = {"unsure": noted.num_unsure, "cleared": noted.num_cleared}
        more = "".join(f", {number} {name}" for name, number in rest.items() if number)
        typer.echo(
            f"noted: {noted.num_confirmed} confirmed, {noted.num_rejected} rejected{more}; the next sweep counts them"
        )


def _show_list(listed: "list[Listed]", json: bool) -> None:
    if json:
        print_json(listed)
        return
    rows = [
        (
            item.review.feedback.created_utc,
            item.review.feedback.hit_id,
            item.review.query_name,
            item.review.confidence,
            item.review.feedback.verdict,
            item.review.feedback.who,
            one_line(item.review.feedback.note),
            "waiting" if item.is_waiting else "published",
        )
        for item in listed[:MAX_LISTED]
    ]
    print_table(("when (UTC)", "hit", "query", "confidence", "verdict", "by", "note", "state"), rows)
    if len(listed) > MAX_LISTED:
        typer.echo(f"{len(listed) - MAX_LISTED} older entries are not shown; see anomalylmm feedback --list --json")


def _show_thresholds(found: "list[QueryThreshold]", json: bool) -> None:
    if json:
        print_json(found)
        return
    rows = [
        (
            item.query_name,
            item.calibration.accept,
            item.calibration.threshold,
            item.calibration.num_confirmed,
            item.calibration.num_rejected,
            item.calibration.evidence,
        )
        for item in found
    ]
    print_table(("query", "accept", "threshold", "confirmed", "rejected", "evidence"), rows)
