"""Shares the units of an archive with index runs of other processes and machines: each video is indexed by one."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from flows.index.planning import Unit
from flows.runs.progress import Listener
from flows.runs.stopping import raise_if_stopped
from storage.disk.claims import Holder, Watch, forget, is_open, iter_claims, revoke
from storage.disk.layout import StoreLayout, encode_name
from storage.shards.writer import read_siblings

if TYPE_CHECKING:
    from flows.index.units.unit import UnitReport

MAX_PAUSE_SECONDS = 2.0  # between two looks at whether another run has finished


def run_shared(
    run: "Callable[[Sequence[Unit]], list[UnitReport]]",
    units: Sequence[Unit],
    layout: StoreLayout,
    pipeline_digest: str,
    lease_seconds: float,
    listener: Listener,
) -> "list[UnitReport]":
    """Runs the units; those that others are indexing are looked at again until these have finished or are dead.

    Raises:
        StoreError: The store can't be read or written.
    """
    reports = dict(enumerate(run(units)))
    watch = Watch(layout, lease_seconds)
    while left := [number for number, report in reports.items() if report.held_by]:
        free = _wait_for_free(layout, pipeline_digest, {number: units[number] for number in left}, watch, listener)
        reports.update(zip(free, run([units[number] for number in free]), strict=True))
    forget(layout, pipeline_digest, [report.claim for report in reports.values() if report.claim])
    return [reports[number] for number in range(len(units))]


def _wait_for_free(
    layout: StoreLayout, area: str, left: dict[int, Unit], watch: Watch, listener: Listener
) -> list[int]:
    """Waits until nobody holds at least one of the units; takes the place of holders that are dead."""
    told = False
    while True:
        raise_if_stopped()
        holders = [holder for holder in _find_open(layout, area, left.values()) if _is_held(layout, holder, watch)]
        held = frozenset[str]().union(*(holder.items for holder in holders))
        free = [number for number, unit in left.items() if held.isdisjoint(_ids(unit))]
        if free:
            return free
        if not told:
            others = ", ".join(sorted({str(holder) for holder in holders}))
            num_videos = sum(len(unit.videos) for unit in left.values())
            listener.warn(f"{num_videos} videos are being indexed by others, and this run waits for them: {others}")
            told = True
        time.sleep(min(MAX_PAUSE_SECONDS, watch.pause_seconds))


def _find_open(layout: StoreLayout, area: str, units: Iterable[Unit]) -> list[Holder]:
    wanted = frozenset[str]().union(*map(_ids, units))
    claims = iter_claims(layout, area)
    return [claim for claim in claims if not claim.items.isdisjoint(wanted) and is_open(layout, claim)]


def _is_held(layout: StoreLayout, holder: Holder, watch: Watch) -> bool:
    state = watch.look(holder)
    if state == "dead":
        revoke(layout, holder)
    return state in {"alive", "unknown"}


def leave_out_published(layout: StoreLayout, pipeline_digest: str, unit: Unit) -> Unit:
    """Leaves out the videos that other runs have published since the plan was made, under whatever camera and day."""
    ids = _ids(unit)
    places = {(unit.camera, unit.date)} | {
        (claim.camera, claim.date)
        for claim in iter_claims(layout, pipeline_digest)
        if not claim.items.isdisjoint(ids) and not is_open(layout, claim)
    }
    folders = [layout.pipeline_dir(pipeline_digest) / encode_name(camera) / date for camera, date in places]
    manifests = [manifest for folder in folders for manifest in read_siblings(folder)]
    held = {video.video_id for manifest in manifests for video in manifest.videos}
    return replace(unit, videos=tuple(video for video in unit.videos if video.video_id not in held))


def _ids(unit: Unit) -> frozenset[str]:
    return frozenset(video.video_id for video in unit.videos)
