"""The Prefect flow ``maintain``: verifies or cleans the store, erases old footage, or compacts indexes."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Failed

from flows.clock import utc_now
from flows.maintain.erasing import collect_and_show, describe, describe_garbage, erase_store, list_shards
from flows.maintain.retention import build_rules, wait_for_turn
from flows.runs.artifacts import RunProgress, completed, degraded, show_markdown, show_table
from flows.runs.notifying import notify_failure
from flows.runs.terminal import escape
from flows.settings.forms import MaintainForm
from storage.gallery.compacting import compact_store
from storage.upkeep.erasure import ErasureReport
from storage.upkeep.maintenance import verify_store


@flow(name="maintain", flow_run_name="maintain: {form.action}", persist_result=False)
def maintain(form: MaintainForm) -> State[None]:
    """Verifies the store, removes what abandoned runs left, applies the retention, or compacts the indexes.

    If verifying finds a problem, the run ends *Failed* and shows a table of problems. Verifying deletes nothing.
    Applying the retention erases everything derived from footage that is older than [retention] in the settings allows.
    It waits until a running sweep has ended.
    """
    layout = form.layout()
    if form.action == "collect garbage":
        collected = collect_and_show(layout)
        return completed(describe_garbage(collected))
    if form.action == "apply retention":
        return _apply_retention(form)
    if form.action == "compact indexes":
        return completed(compact_store(layout).describe())
    report = verify_store(layout, deep=form.action == "verify every byte")
    show_table("maintain-problems", [{"problem": problem} for problem in report.problems], "problems")
    if report.problems:
        return Failed(message=f"{len(report.problems)} problems; see the table")
    return completed(f"{report.num_shards} shards and {report.num_crops} crops are complete")


def _apply_retention(form: MaintainForm) -> State[None]:
    settings, layout, progress = form.compose().settings, form.layout(), RunProgress()
    rules = build_rules(settings.retention, utc_now())
    if not rules:
        return completed("the settings have no [retention], so everything is kept")
    with notify_failure(settings.notify, layout, "erase", progress):
        report = wait_for_turn(lambda: erase_store(layout, rules, listener=progress), progress)
    show_markdown("maintain-retention", write_summary(report), "what the retention erased")
    shards = list_shards(shard for erasure in report.erasures for shard in erasure.shards)
    show_table("maintain-erased", shards, "erased or rewritten shards")
    return degraded(describe(report)) if report.unknown else completed(describe(report))


def write_summary(report: ErasureReport) -> str:
    """Describes in Markdown what was erased."""
    lines = [f"# Retention\n\n{escape(describe(report))}\n"]
    lines += [
        f"- {escape(erasure.rule)}, started {erasure.begun_utc:%Y-%m-%d %H:%M} UTC" for erasure in report.erasures
    ]
    return "\n".join(lines)
