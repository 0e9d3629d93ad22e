"""The Prefect flow ``maintain``: proves the store, or cleans it."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Failed

from flows.artifacts import completed, show_table
from flows.forms import MaintainForm
from storage.maintenance import collect_garbage, verify_store


@flow(name="maintain", flow_run_name="maintain: {form.action}", persist_result=False)
def maintain(form: MaintainForm) -> State[None]:
    """Verifies every shard and the hit tables, or removes what abandoned runs left behind.

    A damaged shard ends the run *Failed* with a table of what is wrong; nothing is deleted by verifying.
    """
    layout = form.layout()
    if form.action == "collect garbage":
        collected = collect_garbage(layout)
        return completed(f"removed {len(collected.removed)} abandoned builds, {collected.num_bytes / 1e6:.1f} MB")
    report = verify_store(layout, deep=form.action == "verify every byte")
    show_table("maintain-problems", [{"problem": problem} for problem in report.problems], "what is wrong")
    if report.problems:
        return Failed(message=f"{len(report.problems)} problems; see the table")
    return completed(f"{report.num_shards} shards and {report.num_crops} crops are whole")
