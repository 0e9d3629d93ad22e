"""Erases footage by given rules or by the retention, and describes what would be erased and what was."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.maintain.mending import finish_mending
from flows.runs.progress import Listener, Silence
from flows.runs.recording import list_reasons, recording
from flows.sweep.page import write_latest_page
from storage.disk.layout import StoreLayout, require_store
from storage.hits.analyst import open_snapshot
from storage.shards.manifest import iter_shard_dirs
from storage.upkeep.erasure import ErasureReport, erase_footage, finish_erasures
from storage.upkeep.erasure_log import AffectedShard, ErasureRule
from storage.upkeep.erasure_plan import ErasurePlan, plan_erasure
from storage.upkeep.maintenance import GcReport, collect_garbage

COUNTS_SQL = """
SELECT (SELECT count(*) FROM hits WHERE video_id IN (SELECT unnest($1::VARCHAR[]))) AS hits,
(SELECT count(*) FROM judgements WHERE video_id IN (SELECT unnest($1::VARCHAR[]))) AS judgements
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What would be erased from the published tables and the shards."""

    plan: ErasurePlan
    num_hits: int
    num_judgements: int


def list_shards(shards: Iterable[AffectedShard]) -> list[dict[str, object]]:
    """Returns one table row for each shard that is erased or rewritten."""
    return [
        {
            "camera": Path(shard.directory).parts[-3],
            "date": Path(shard.directory).parts[-2],
            "videos": shard.num_videos,
            "crops": shard.num_crops,
            "shard": "rewritten" if shard.rest_id else "removed",
        }
        for shard in shards
    ]


def preview_erasure(layout: StoreLayout, rules: Sequence[ErasureRule]) -> Preview:
    """Finds what matches the rules, without a lock and without writing.

    Raises:
        StoreError: The store does not exist or can't be read.
    """
    require_store(layout)
    if not layout.snapshot.exists():
        return Preview(plan=plan_erasure(layout, rules, None), num_hits=0, num_judgements=0)
    with open_snapshot(layout) as snapshot:
        plan = plan_erasure(layout, rules, snapshot.read)
        num_hits, num_judgements = snapshot.read(COUNTS_SQL, [sorted(plan.video_ids)])[0]
    return Preview(plan=plan, num_hits=num_hits, num_judgements=num_judgements)


def erase_store(
    layout: StoreLayout, rules: Sequence[ErasureRule], *, listener: Listener | None = None
) -> ErasureReport:
    """Finishes interrupted erasures, erases what matches the rules, and rewrites the page of hits.

    Raises:
        StoreBusyError: A sweep or another erasure is running.
        StoreError: The store does not exist or can't be written.
    """
    require_store(layout)
    finish_mending(layout)
    with recording(layout, "erase", listener or Silence()) as run:
        report = erase_footage(layout, rules) if rules else ErasureReport(erasures=finish_erasures(layout))
        if report.erasures and layout.snapshot.exists():
            write_latest_page(layout)
        run.end(**_figures(report))
    return report


def _figures(report: ErasureReport) -> dict[str, Any]:
    shards = [shard for erasure in report.erasures for shard in erasure.shards]
    return {
        "state": "Degraded" if report.unknown else "Completed",
        "reasons": list_reasons(shards_not_checked=len(report.unknown)),
        "num_videos": sum(len(erasure.video_ids) for erasure in report.erasures),
        "num_shards": len(shards),
        "num_crops": sum(shard.num_crops for shard in shards),
        "num_hits": report.total("num_hits"),
    }


def collect_and_show(layout: StoreLayout) -> GcReport:
    """Removes what abandoned runs left. If this finishes an erasure, the page of hits is rewritten.

    Raises:
        StoreBusyError: An erasure must be finished, but another process is writing.
        StoreError: The store does not exist, or something can't be removed.
    """
    require_store(layout)
    finish_mending(layout)
    report = collect_garbage(layout)
    if report.erasures and layout.snapshot.exists():
        write_latest_page(layout)
    return report


def describe_garbage(report: GcReport) -> str:
    """Describes in one sentence what was removed, and what was left and until when."""
    removed = f"removed {len(report.removed)} abandoned builds, {report.num_bytes / 1e6:.1f} MB"
    if not report.left:
        return removed
    return (
        f"{removed}; left {len(report.left)}, {report.num_bytes_left / 1e6:.1f} MB, that changed in the last "
        f"{report.grace_seconds / 60:.0f} minutes and may still be in use: run gc again after that time"
    )


def list_cameras(layout: StoreLayout) -> list[str]:
    """Lists the camera folders of the store."""
    return sorted({directory.parts[-3] for directory in iter_shard_dirs(layout)})


def describe(report: ErasureReport) -> str:
    """Describes in one sentence what was erased."""
    if not report.erasures:
        return "nothing to erase"
    shards = sum(len(erasure.shards) for erasure in report.erasures)
    rewritten = sum(bool(shard.rest_id) for erasure in report.erasures for shard in erasure.shards)
    crops = sum(shard.num_crops for erasure in report.erasures for shard in erasure.shards)
    videos = sum(len(erasure.video_ids) for erasure in report.erasures)
    return (
        f"erased {videos} videos with {crops} crops from {shards} shards ({rewritten} rewritten without them), "
        f"{report.total('num_hits')} hits in {report.total('num_incidents')} incidents, "
        f"{report.total('num_judgements')} judgements, {report.total('num_cached')} cached answers, "
        f"{report.total('num_feedback')} pieces of feedback, {report.total('num_searches')} searches"
    )
