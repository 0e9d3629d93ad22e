"""Corrections of what is said about videos: camera, start and time zone. One small file each; the last one counts.

A correction outlives the shards: a video that is indexed again, such as by another pipeline, is corrected again.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anomalylmm.errors import StoreError
from anomalylmm.records import ClockSource, Video
from storage.disk.files import create_directories, guarded, replace_file
from storage.disk.layout import StoreLayout
from storage.shards.manifest import ShardManifest, VideoEntry
from storage.shards.schema import require_utc


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFacts:
    """Where and when a video was recorded."""

    camera: str
    start_utc: datetime
    time_zone: str
    clock_source: ClockSource
    clock_doubt: str = ""  # why the start may be wrong

    @classmethod
    def of(cls, manifest: ShardManifest, video: VideoEntry) -> "VideoFacts":
        """What a shard says about one of its videos."""
        return cls(
            camera=manifest.key.camera,
            start_utc=video.start_utc,
            time_zone=video.time_zone,
            clock_source=video.clock_source,
            clock_doubt=video.clock_doubt,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrections:
    """All corrections of a store."""

    facts: Mapping[str, VideoFacts] = field(default_factory=dict, repr=False)  # by video id
    by_hand: frozenset[str] = field(default_factory=frozenset, repr=False)  # ids corrected in other ways than settings
    renamed: Mapping[str, str] = field(default_factory=dict)  # cameras that are called otherwise from now on

    def apply(self, video: Video) -> Video:
        """The video with its corrected facts; otherwise only its camera may be called otherwise."""
        facts = self.find(video)
        return replace(video, **asdict(facts)) if facts else replace(video, camera=self.name(video.camera))

    def find(self, video: Video | VideoEntry) -> VideoFacts | None:
        """The corrected facts of a video, or of the same recording when its file was shorter; None if it has none."""
        ids = (video.video_id, *reversed(video.grown_from))
        return next((self.facts[video_id] for video_id in ids if video_id in self.facts), None)

    def name(self, camera: str) -> str:
        """What a camera is called."""
        return self.renamed.get(camera, camera)


def write_correction(
    layout: StoreLayout,
    facts: Mapping[str, VideoFacts],
    *,
    reason: str,
    by_hand: bool,
    renamed: Mapping[str, str],
) -> None:
    """Saves one correction durably, completely or not at all.

    Args:
        layout: The store.
        facts: The new facts by video id.
        reason: What the user asked for, in words.
        by_hand: Whether the user gave the facts, and not the settings.
        renamed: New names of cameras, also for videos that are indexed later.

    Raises:
        StoreError: If it can't be written.
    """
    now = datetime.now(UTC)
    videos = {video_id: asdict(item) for video_id, item in facts.items()}
    content = {"changed_utc": now, "reason": reason, "by_hand": by_hand, "renamed": dict(renamed), "videos": videos}
    for directory in (layout.corrections, layout.temporary):
        with guarded("create", directory):
            create_directories(directory)
    path = layout.corrections / f"{now:%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}.json"
    text = json.dumps(content, default=datetime.isoformat, indent=1)
    replace_file(path, text.encode(), scratch=layout.temporary)


def read_corrections(layout: StoreLayout) -> Corrections:
    """All corrections, of which the last one of each video counts.

    Raises:
        StoreError: If a file can't be read or is damaged.
    """
    facts: dict[str, VideoFacts] = {}
    by_hand: set[str] = set()
    renamed: dict[str, str] = {}
    for path in sorted(layout.corrections.glob("*.json")):
        content = _read(path)
        facts |= content["videos"]
        by_hand = by_hand | set(content["videos"]) if content["by_hand"] else by_hand - set(content["videos"])
        new = content["renamed"]
        renamed = {old: new.get(name, name) for old, name in renamed.items()} | new
    return Corrections(facts=facts, by_hand=frozenset(by_hand), renamed=renamed)


def _read(path: Path) -> dict[str, Any]:
    try:
        with guarded("read", path):
            content = json.loads(path.read_text(encoding="utf-8"))
        videos = {video_id: _revive(item) for video_id, item in content["videos"].items()}
        return {"by_hand": bool(content["by_hand"]), "renamed": dict(content["renamed"]), "videos": videos}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(
            f"{path} is damaged: {error}. It corrects cameras and clocks: move the file away, then repeat the "
            "correction with anomalylmm recamera."
        ) from error


def _revive(item: Mapping[str, Any]) -> VideoFacts:
    start_utc = require_utc("start_utc", datetime.fromisoformat(item["start_utc"]))
    return VideoFacts(**{**item, "start_utc": start_utc})
