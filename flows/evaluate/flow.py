"""The Prefect flow ``evaluate``: measures the method on a benchmark, with the ablation as artifacts."""

from collections.abc import Mapping
from typing import Any

from prefect import flow, task
from prefect.client.schemas.objects import State

from flows.evaluate.form import EvaluateForm
from flows.evaluate.running import EvaluationReport, evaluate_benchmark
from flows.runs.artifacts import NOT_KEPT, RunProgress, completed, degraded, escape, picture, show_markdown, show_table


@task(name="evaluate-benchmark", task_run_name="{form.benchmark} {form.split}", **NOT_KEPT)
def evaluate_task(form: EvaluateForm) -> EvaluationReport:
    """Measures all chosen variants; an interrupted run is resumed."""
    return evaluate_benchmark(form.compose(), form.request(), listener=RunProgress())


@flow(name="evaluate", flow_run_name="evaluate {form.benchmark} {form.split}", persist_result=False)
def evaluate(form: EvaluateForm) -> State[None]:
    """Measures the method on a benchmark: R@k and mAP with intervals, an ablation, its cost and the failures.

    The report is written to the folder `evaluations` of the store. The artifacts of the run show its table and the
    failure sheet. Nothing is tuned. The run ends *Degraded* instead of *Completed* if the judge failed on some
    candidates.
    """
    report = evaluate_task(form)
    show_table("evaluation-variants", [_row(row) for row in report.document["variants"]], "the ablation")
    show_markdown("evaluation-summary", write_summary(report), "what was measured, and the failure sheet")
    document = report.document
    message = f"{document['num_queries']} queries, {len(document['variants'])} variants in {document['seconds']:.0f} s"
    return degraded(message) if report.state == "Degraded" else completed(message)


def _row(row: Mapping[str, Any]) -> dict[str, object]:
    measures = row["measures"] or {}
    shares = {name: round(100 * measures[name], 2) for name in ("r1", "r5", "r10", "map", "map10") if name in measures}
    cost = {"questions": round(row["cost"]["questions"], 1), "seconds": round(row["cost"]["seconds"], 3)}
    return {"variant": row["name"], **shares, **cost, "what it is": row["note"]}


def write_summary(report: EvaluationReport) -> str:
    """Writes what was measured, the path of the report, and the failure sheet as an inline picture."""
    document = report.document
    words = " and ".join(document["words"])
    lines = [
        f"# {escape(document['benchmark'])}, split {escape(document['split'])}",
        "",
        f"**These are {escape(words)} figures.**\n" if words else "",
        f"{document['num_queries']} queries, {document['num_images']} pictures; profile {escape(document['profile'])}, "
        f"settings digest {escape(document['settings_digest'])}: {escape(document['tuning'])}",
        "",
        f"report: {escape(str(report.folder))}",
        "",
    ]
    return "\n".join([*lines, picture(report.sheet, "failure sheet")] if report.sheet else lines)
