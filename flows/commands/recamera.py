"""The ``recamera`` command: corrects camera and clock of what is indexed, without decoding it again."""

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from anomalylmm.errors import ConfigurationError
from flows.commands.common import (
    DEFAULT_STORE,
    JsonOption,
    ProfileOption,
    SettingsOption,
    StoreOption,
    print_json,
    print_table,
    say,
)
from flows.commands.search import DAY_FORMATS, end_of
from storage.disk.layout import StoreLayout, require_store

if TYPE_CHECKING:
    from flows.maintain.corrections import Choice, Correction, CorrectionPlan
    from flows.maintain.mending import Consequences, MendingReport
    from flows.settings.model import Settings

COLUMNS = ("camera", "to", "videos", "first start (UTC)", "becomes", "shift")


def recamera(
    store: StoreOption = DEFAULT_STORE,
    camera: Annotated[
        list[str] | None, typer.Option("--camera", help="Only videos of this camera; can be repeated.")
    ] = None,
    video: Annotated[
        list[str] | None,
        typer.Option("--video", help="Only this video: its id or path, where * is any text; can be repeated."),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=DAY_FORMATS, help="Only videos that began on this day or later, by the wrong clock, UTC."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=DAY_FORMATS, help="Only up to and including this day, or moment, UTC.")
    ] = None,
    to: Annotated[str, typer.Option("--to", help="The right camera.")] = "",
    shift: Annotated[
        str, typer.Option("--shift", help="What to add to the start: +1h for a clock that was an hour slow; -1h30m.")
    ] = "",
    start: Annotated[
        datetime | None,
        typer.Option(
            formats=DAY_FORMATS, help="When the first chosen video began, UTC; the others are shifted as much."
        ),
    ] = None,
    from_settings: Annotated[
        bool, typer.Option("--from-settings", help="Read camera and time again by the settings now in force.")
    ] = False,
    profile: ProfileOption = None,
    settings: SettingsOption = None,
    always: Annotated[
        bool, typer.Option("--always", help="With --camera and --to: videos indexed later are renamed, too.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Corrects camera or clock of indexed videos; hits and incidents follow, and nothing is decoded again.

    Give `--to`, `--shift` or `--start`, or `--from-settings`. The archive is not read. What a query newly covers is
    judged by the next sweep.

    Exit codes: 0 done, or nothing to change · 2 wrong arguments · 5 no store, or not writable · 6 a sweep or an
    erasure is running, or an interrupted correction was finished instead · 8 done, but damaged shards could not be
    corrected.

    Example: `anomalylmm recamera --camera gate --since 2026-03-29 --shift +1h --dry-run`
    """
    from flows.maintain.corrections import Choice, list_indexed, plan_correction
    from flows.maintain.mending import correct_store, foresee
    from flows.settings.model import load_settings
    from storage.shards.facts import read_corrections

    layout = StoreLayout(store)
    require_store(layout)
    choice = Choice(
        cameras=frozenset(camera or ()),
        videos=tuple(video or ()),
        since_utc=since.replace(tzinfo=UTC) if since else None,
        until_utc=end_of(until),
    )
    correction = _build_correction(
        choice, to, shift, start, load_settings(profile, settings) if from_settings else None
    )
    if always:
        correction = _rename_always(choice, correction)
    plan = plan_correction(list_indexed(layout), read_corrections(layout), choice, correction)
    consequences = foresee(layout, plan)
    report = None if dry_run else correct_store(layout, plan, correction)
    if json:
        print_json(_to_json(plan, consequences, report))
    else:
        _print(layout, plan, consequences, report)
        for old, new in correction.renamed.items():
            say(f"videos of {old!r} that are indexed later {'would be' if dry_run else 'are'} of {new!r}")
    if report and report.problems:
        raise typer.Exit(8)


def _build_correction(
    choice: "Choice", to: str, shift: str, start: datetime | None, settings: "Settings | None"
) -> "Correction":
    from flows.maintain.corrections import Correction, parse_shift
    from storage.shards.schema import clean_text

    if settings:
        if to or shift or start:
            raise ConfigurationError("--from-settings reads camera and time; leave out --to, --shift and --start")
        return Correction(settings=settings)
    if not (to or shift or start):
        raise ConfigurationError(
            "nothing says what to correct; give --to CAMERA, --shift SPAN, --start MOMENT or --from-settings"
        )
    if shift and start:
        raise ConfigurationError("--shift and --start can't be combined; give one of them")
    if not choice.is_named:
        raise ConfigurationError("nothing says which videos are wrong; give --camera NAME or --video PATH")
    return Correction(
        camera=clean_text(to),
        shift=parse_shift(shift) if shift else timedelta(),
        first_start_utc=start.replace(tzinfo=UTC) if start else None,
    )


def _rename_always(choice: "Choice", correction: "Correction") -> "Correction":
    from flows.maintain.corrections import Choice

    if not correction.camera or choice != Choice(cameras=choice.cameras):
        raise ConfigurationError("--always renames whole cameras; give --camera and --to, without --video or a time")
    return replace(correction, renamed=dict.fromkeys(sorted(choice.cameras), correction.camera))


def _to_json(plan: "CorrectionPlan", consequences: "Consequences", report: "MendingReport | None") -> dict[str, object]:
    from storage.shards.schema import clean_text

    changes = [
        {
            "video_id": change.video_id,
            "path": clean_text(change.path),
            "old": asdict(change.old),
            "new": asdict(change.new),
        }
        for change in plan.changes
    ]
    counts = {"num_chosen": plan.num_chosen, "num_left": plan.num_left, "num_unread": plan.num_unread}
    return {"changes": changes, **counts, **asdict(consequences), "done": report}


def _print(
    layout: StoreLayout, plan: "CorrectionPlan", consequences: "Consequences", report: "MendingReport | None"
) -> None:
    from flows.maintain.corrections import list_indexed, summarize

    if plan.changes:
        print_table(COLUMNS, [_cells(*row) for row in summarize(plan.changes)])
    elif plan.num_chosen:
        say(f"nothing to change: {plan.num_chosen} videos already have this camera and time")
    else:
        cameras = sorted({item.facts.camera for item in list_indexed(layout)})
        say(f"no indexed video fits; the store's cameras: {', '.join(cameras) or 'none'}")
    if plan.num_left:
        say(f"note: {plan.num_left} videos were corrected by hand and stay; name their camera to change them")
    if plan.num_unread:
        say(f"note: {plan.num_unread} videos stay as they are, because no pattern fits their paths any more")
    for name in consequences.queries:
        say(
            f"note: the query {name!r} names {' or '.join(sorted(plan.cameras_gone))}, which has no video left; edit it"
        )
    if consequences.num_erased:
        say(f"warning: {consequences.num_erased} fall under an earlier erasure; `anomalylmm gc` erases them then")
    done = "would be corrected; nothing has changed" if report is None else "corrected"
    if plan.changes:
        say(f"{len(plan.changes)} videos, {consequences.num_hits} published hits {done}")
    if report:
        _print_report(report)


def _print_report(report: "MendingReport") -> None:
    if report.num_shards:
        say(f"{report.num_shards} shards were rewritten; the next sweep judges what a query newly covers")
    for problem in report.problems:
        say(f"warning: not corrected: {problem}", err=True)


def _cells(
    old: str, new: str, num_videos: int, before: datetime, after: datetime, shift: timedelta
) -> tuple[object, ...]:
    moved = "" if before == after else after
    sign = "-" if shift < timedelta() else "+"
    return old, new if new != old else "", num_videos, before, moved, f"{sign}{abs(shift)}" if shift else ""
