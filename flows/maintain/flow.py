"""The Prefect flow ``maintain``: proves the store, cleans it, erases what is too old, or compacts its indexes."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Failed

from flows.clock import utc_now
from flows.maintain.compacting import describe_compaction
from flows.maintain.erasing import collect_and_show, describe, erase_store
from flows.maintain.retention import build_rules, wait_for_turn
from flows.runs.artifacts import RunProgress, completed, degraded, escape, show_markdown, show_table
from flows.runs.notifying import notify_failure
from flows.settings.forms import MaintainForm
from storage.gallery.compacting import compact_store
from storage.upkeep.erasure import ErasureReport
from storage.upkeep.maintenance import verify_store


@flow(name="maintain", flow_run_name="maintain: {form.action}", persist_result=False)
def maintain(form: MaintainForm) -> State[None]:
    """Verifies every shard and the hit tables, removes what abandoned runs left, applies the retention, or compacts.

    A damaged shard ends the run *Failed* with a table of what is wrong; nothing is deleted by verifying. Applying the
    retention erases what is older than [retention] in the settings says, with hits and pictures; it waits for a running
    sweep to end.
    """
    layout = form.layout()
    if form.action == "collect garbage":
        collected = collect_and_show(layout)
        return completed(f"removed {len(collected.removed)} abandoned builds, {collected.num_bytes / 1e6:.1f} MB")
    if form.action == "apply retention":
        return _apply_retention(form)
    if form.action == "compact indexes":
        return completed(describe_compaction(compact_store(layout)))
    report = verify_store(layout, deep=form.action == "verify every byte")
    show_table("maintain-problems", [{"problem": problem} for problem in report.problems], "what is wrong")
    if report.problems:
        return Failed(message=f"{len(report.problems)} problems; see the table")
    return completed(f"{report.num_shards} shards and {report.num_crops} crops are whole")


def _apply_retention(form: MaintainForm) -> State[None]:
    settings, layout, progress = form.compose().settings, form.layout(), RunProgress()
    rules = build_rules(settings.retention, utc_now())
    if not rules:
        return completed("the settings have no [retention], so everything is kept")
    with notify_failure(settings.notify, layout, "erase", progress):
        report = wait_for_turn(lambda: erase_store(layout, rules, listener=progress), progress)
    show_markdown("maintain-retention", write_summary(report), "what the retention erased")
    show_table("maintain-erased", list_shards(report), "shards that went")
    return degraded(describe(report)) if report.unknown else completed(describe(report))


def write_summary(report: ErasureReport) -> str:
    """Writes what went as Markdown."""
    lines = [f"# Retention\n\n{escape(describe(report))}\n"]
    lines += [f"- {escape(erasure.rule)}, begun {erasure.begun_utc:%Y-%m-%d %H:%M} UTC" for erasure in report.erasures]
    return "\n".join(lines)


def list_shards(report: ErasureReport) -> list[dict[str, object]]:
    """Lists the shards that went, a row each."""
    return [
        {
            "camera": shard.directory.split("/")[-3],
            "date": shard.directory.split("/")[-2],
            "videos": shard.num_videos,
            "crops": shard.num_crops,
            "shard": "rewritten" if shard.rest_id else "gone",
        }
        for erasure in report.erasures
        for shard in erasure.shards
    ]
