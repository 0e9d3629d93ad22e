"""The Prefect flow ``index-unit``: one unit of an index run, on the worker that takes it."""

import json

from prefect import flow
from prefect.artifacts import Artifact
from prefect.client.schemas.objects import State

from flows.runs.artifacts import RunProgress, completed, degraded
from flows.workers.jobs import UnitJob, work_on
from flows.workers.pools import REPORT_TYPE
from storage.disk.notes import to_json


@flow(name="index-unit", persist_result=False)
def index_unit(job: str = "") -> State[None]:
    """Makes the shard of one unit of an index run: a bounded piece of one camera's day.

    Runs of this flow are started by an index run with `engine = "pool"`, which waits for them, and not by hand. The
    shard is published completely or not at all, so a run that failed can be tried again.
    """
    unit, progress = UnitJob.from_text(job), RunProgress()
    progress.start("index MB", unit.megabytes)
    report = work_on(unit, progress)
    Artifact(type=REPORT_TYPE, description="the result, for the index run", data=json.loads(to_json(report))).create()
    summary = f"{report.num_videos} videos, {report.num_tracklets} tracklets, {report.num_crops} crops"
    return degraded(summary) if report.unreadable else completed(summary)
