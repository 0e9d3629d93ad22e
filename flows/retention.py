"""How long footage is kept: rules from the settings, and what an index run passes over because of them."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from anomalylmm.records import Video
from flows.planning import utc_now
from flows.settings import RetentionSettings, Settings
from storage.erasure_log import ErasedFootage, ErasureRule
from storage.layout import StoreLayout


def build_rules(retention: RetentionSettings, now: datetime) -> tuple[ErasureRule, ...]:
    """Builds the rules of what is too old at a moment; none where everything is kept."""
    return tuple(_iter_rules(retention, now))


def build_filter(layout: StoreLayout, settings: Settings) -> Callable[[Video], bool]:
    """Builds the test of whether a video was erased or is older than the retention, so that it is not indexed.

    Raises:
        StoreError: A note on what was erased can't be read.
    """
    erased, rules = ErasedFootage.read(layout), build_rules(settings.retention, utc_now())

    def is_erased(video: Video) -> bool:
        was_erased = erased.blocks(video_id=video.video_id, camera=video.camera, start_utc=video.start_utc)
        return was_erased or any(
            rule.matches(video_id=video.video_id, path=video.path, camera=video.camera, start_utc=video.start_utc)
            for rule in rules
        )

    return is_erased


def _iter_rules(retention: RetentionSettings, now: datetime) -> Iterator[ErasureRule]:
    for camera in retention.cameras:
        if camera.days:
            yield ErasureRule(before_utc=now - timedelta(days=camera.days), cameras=(camera.name,))
    if retention.days:
        named = tuple(camera.name for camera in retention.cameras)
        yield ErasureRule(before_utc=now - timedelta(days=retention.days), spared_cameras=named)
