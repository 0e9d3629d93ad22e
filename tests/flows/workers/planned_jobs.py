"""The jobs of the small archive."""

from pathlib import Path

from flows.index.indexing import build_plan
from flows.workers.jobs import UnitJob, build_jobs
from storage.disk.layout import StoreLayout
from tests.drawn import compose_small, write_archive


def plan_jobs(folder: Path) -> list[UnitJob]:
    composition, layout = compose_small(), StoreLayout(folder / "store")
    layout.create()
    archive = write_archive(folder / "archive")
    return build_jobs(composition, layout, archive, build_plan(composition, layout, archive).units)
