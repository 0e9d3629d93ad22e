"""The ``erase`` command: removes everything that was derived from some footage, by age, camera or video."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from anomalylmm.errors import ConfigurationError
from flows.clock import MAX_DAYS, utc_now
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
from flows.commands.search import DAY_FORMATS
from flows.runs.stopping import explain_when_stopped
from storage.disk.layout import StoreLayout

if TYPE_CHECKING:
    from flows.maintain.erasing import Preview
    from storage.upkeep.erasure_log import ErasureRule


def erase(
    store: StoreOption = DEFAULT_STORE,
    older_than: Annotated[
        float | None,
        typer.Option("--older-than", min=0, max=MAX_DAYS, help="Videos that began at least this many days ago."),
    ] = None,
    before: Annotated[
        datetime | None, typer.Option(formats=DAY_FORMATS, help="Videos that began before this day or moment, UTC.")
    ] = None,
    camera: Annotated[list[str] | None, typer.Option("--camera", help="Only this camera; can be repeated.")] = None,
    video: Annotated[
        list[str] | None,
        typer.Option("--video", help="This video: its id, or its path as in the table videos; can be repeated."),
    ] = None,
    retention: Annotated[
        bool, typer.Option("--retention", help="What is older than [retention] in the settings allows.")
    ] = False,
    profile: ProfileOption = None,
    settings: SettingsOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be erased, and erase nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    json: JsonOption = False,
) -> None:
    """Erases videos from the store with their crops, vectors, hits, pictures and judgements; the archive is only read.

    `--camera` alone selects all footage of that camera up to now. Erased footage is not indexed again unless you run
    `index --erased`. Without any rule, an interrupted erasure is finished.

    Exit codes: 0 done, or nothing to erase · 1 not confirmed · 2 wrong arguments · 5 no store, or not writable ·
    6 a sweep or another erasure is running · 8 done, but damaged shards could not be read and may hold a named video.

    Example: `anomalylmm erase --camera gate --older-than 30 --dry-run`
    """
    from flows.maintain.erasing import preview_erasure
    from flows.maintain.retention import build_rules
    from flows.settings.model import load_settings
    from storage.upkeep.erasure_log import read_unfinished

    layout = StoreLayout(store)
    rules = _build_rules(older_than, before, camera or [], video or [])
    if retention:
        if rules:
            raise ConfigurationError("--retention takes its rules from the settings; leave out the other rules")
        rules = build_rules(load_settings(profile, settings).retention, utc_now())
        if not rules:
            raise ConfigurationError(
                "the settings have no [retention], so everything is kept; set days under [retention]"
            )
    elif not rules and not read_unfinished(layout):
        raise ConfigurationError(
            "nothing says what to erase, and no erasure was interrupted; give --older-than DAYS, --before DATE, "
            "--camera NAME, --video ID or --retention"
        )
    preview = preview_erasure(layout, rules)
    if dry_run or not (yes or json):
        _show(preview, layout, json)
    if dry_run:
        return
    if not yes and (not preview.plan.is_empty or read_unfinished(layout)):
        typer.confirm("Erase this? It can't be undone", abort=True)
    _erase(layout, rules, json)


def _build_rules(
    older_than: float | None, before: datetime | None, cameras: list[str], videos: list[str]
) -> "tuple[ErasureRule, ...]":
    from storage.upkeep.erasure_log import ErasureRule

    now = utc_now()
    if (older_than is not None and before is not None) or (videos and (cameras or before or older_than is not None)):
        raise ConfigurationError(
            "these rules can't be combined; give --older-than or --before, with or without --camera, or --video alone"
        )
    if videos:
        return (ErasureRule(videos=tuple(videos)),)
    moment = before.replace(tzinfo=UTC) if before else now - timedelta(days=older_than or 0)
    if before or older_than is not None or cameras:
        return (ErasureRule(before_utc=min(moment, now), cameras=tuple(cameras)),)
    return ()


def _show(preview: "Preview", layout: StoreLayout, json: bool) -> None:
    from flows.maintain.erasing import list_cameras, list_shards

    plan = preview.plan
    if json:
        videos = {"video_ids": sorted(plan.video_ids), "num_searches": len(plan.search_ids)}
        counts = {"num_hits": preview.num_hits, "num_judgements": preview.num_judgements}
        print_json({"shards": [asdict(shard) for shard in plan.shards], **videos, **counts, "unknown": plan.unknown})
        return
    if plan.is_empty:
        say(f"nothing matches the rule; the store's cameras: {', '.join(list_cameras(layout)) or 'none'}")
    else:
        rows = [tuple(row.values()) for row in list_shards(plan.shards)]
        print_table(("camera", "date", "videos", "crops", "shard"), rows, title="to erase")
        typer.echo(
            f"{len(plan.video_ids)} videos, {preview.num_hits} published hits, {preview.num_judgements} judgements, "
            f"{len(plan.search_ids)} searches by an erased picture; also cached answers, pages and all pictures of them"
        )
    for place in plan.unknown:
        say(f"warning: {place} is damaged, so it is unknown whether it contains a named video", err=True)


def _erase(layout: StoreLayout, rules: "tuple[ErasureRule, ...]", json: bool) -> None:
    from flows.maintain.erasing import describe, erase_store

    with explain_when_stopped(lambda: "what was begun is finished by: anomalylmm erase (without any rule)."):
        report = erase_store(layout, rules)
    if json:
        print_json({"summary": describe(report), "erasures": report.erasures, "unknown": report.unknown})
    else:
        typer.echo(describe(report))
    if report.unknown:
        raise typer.Exit(8)
