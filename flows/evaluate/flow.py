"""The Prefect flow ``evaluate``: measures the method on a benchmark, with the ablation as artifacts."""

from prefect import flow, task
from prefect.client.schemas.objects import State

from flows.evaluate.form import EvaluateForm
from flows.evaluate.report.markdown import write_markdown
from flows.evaluate.running import EvaluationReport, evaluate_benchmark
from flows.runs.artifacts import NOT_KEPT, RunProgress, completed, degraded, picture, show_markdown
from flows.runs.terminal import escape


@task(name="evaluate-benchmark", task_run_name="{form.benchmark} {form.split}", **NOT_KEPT)
def evaluate_task(form: EvaluateForm) -> EvaluationReport:
    """Measures all chosen variants; an interrupted run is resumed."""
    return evaluate_benchmark(form.compose(), form.request(), listener=RunProgress())


@flow(name="evaluate", flow_run_name="evaluate {form.benchmark} {form.split}", persist_result=False)
def evaluate(form: EvaluateForm) -> State[None]:
    """Measures the method on a benchmark: R@k and mAP with intervals, an ablation, its cost and the failures.

    The report is written to the folder `evaluations` of the store. An artifact of the run shows it with the failure
    sheet. Nothing is tuned. The run ends *Degraded* instead of *Completed* if the judge failed on some
    candidates.
    """
    report = evaluate_task(form)
    show_markdown("evaluation-summary", write_summary(report), "the report, and the failure sheet")
    document = report.document
    message = f"{document['num_queries']} queries, {len(document['variants'])} variants in {document['seconds']:.0f} s"
    return degraded(message) if report.state == "Degraded" else completed(message)


def write_summary(report: EvaluationReport) -> str:
    """Writes the report with its place, and the failure sheet as an inline picture."""
    parts = [write_markdown(report.document, ()), f"report: {escape(str(report.folder))}\n"]
    return "\n".join([*parts, picture(report.sheet, "failure sheet")] if report.sheet else parts)
