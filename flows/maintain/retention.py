"""Retention: rules from the settings, a filter for index runs, and waiting for the lock."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from anomalylmm.errors import StoreBusyError
from anomalylmm.records import Video
from flows.clock import utc_now
from flows.index.listing.content import find_erased
from flows.runs.progress import Listener
from flows.settings.model import Settings
from flows.settings.sections import RetentionSettings
from storage.disk.layout import StoreLayout
from storage.shards.manifest import Footage
from storage.upkeep.erasure_log import ErasedFootage, ErasureRule, matches_any

BUSY_PAUSE_SECONDS = 300.0
BUSY_TRIES = 96  # eight hours
Done = TypeVar("Done")


def build_rules(retention: RetentionSettings, now: datetime) -> tuple[ErasureRule, ...]:
    """Builds the rules that match footage that is too old; no rules if everything is kept."""
    named = tuple(camera.name for camera in retention.cameras)
    rules = [
        ErasureRule(before_utc=now - timedelta(days=camera.days), cameras=(camera.name,))
        for camera in retention.cameras
        if camera.days
    ]
    if retention.days:
        rules.append(ErasureRule(before_utc=now - timedelta(days=retention.days), spared_cameras=named))
    return tuple(rules)


def build_filter(layout: StoreLayout, archive: Path, settings: Settings) -> Callable[[Video], bool]:
    """Builds a test for videos that must not be indexed: erased, also if the file has grown since, or too old.

    Raises:
        StoreError: The log of erasures can't be read.
    """
    erased, rules = ErasedFootage.read(layout), build_rules(settings.retention, utc_now())

    def is_erased(video: Video) -> bool:
        footage = Footage(
            video_id=video.video_id,
            path=video.path,
            camera=video.camera,
            start_utc=video.start_utc,
            grown_from=find_erased(archive / video.path, video.size_bytes, erased.files_at(video.path)),
        )
        return erased.blocks(footage) or matches_any(rules, footage)

    return is_erased


def wait_for_turn(
    work: Callable[[], Done],
    listener: Listener,
    *,
    max_tries: int = BUSY_TRIES,
    pause_seconds: float = BUSY_PAUSE_SECONDS,
) -> Done:
    """Does work that needs the writer's lock; while the lock is taken it tries again. A sweep can take all night.

    Raises:
        StoreBusyError: The lock was taken at every try.
    """
    for tries_left in reversed(range(max_tries)):
        try:
            return work()
        except StoreBusyError as error:
            if not tries_left:
                raise
            listener.warn(f"{error} Next try in {pause_seconds:.0f} s.")
            time.sleep(pause_seconds)
    raise ValueError(f"max_tries must be at least 1, but is {max_tries}")
