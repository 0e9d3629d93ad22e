"""Corrections of what is said about videos: camera, start and time zone. One small file each; the last one counts.

A correction outlives the shards: a video that is indexed again, such as by another pipeline, is corrected again.
"""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

from pydantic import TypeAdapter

from anomalylmm.errors import StoreError
from anomalylmm.records import ClockSource, Video, shared_fields
from storage.disk.layout import StoreLayout
from storage.disk.notes import Utc, read_note, write_note
from storage.shards.manifest import ShardManifest, VideoEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFacts:
    """Where and when a video was recorded."""

    camera: str
    start_utc: Utc
    time_zone: str
    clock_source: ClockSource
    clock_doubt: str = ""  # why the start may be wrong

    @classmethod
    def of(cls, manifest: ShardManifest, video: VideoEntry) -> "VideoFacts":
        """What a shard says about one of its videos."""
        return cls(**shared_fields(cls, video, manifest.key))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionNote:
    """One correction as it is saved."""

    changed_utc: Utc
    reason: str  # what the user asked for, in words
    by_hand: bool  # whether the user gave the facts, and not the settings
    renamed: Mapping[str, str]  # new names of cameras, also for videos that are indexed later
    videos: Mapping[str, VideoFacts]  # the new facts by video id


_NOTE = TypeAdapter(CorrectionNote)


def write_correction(
    layout: StoreLayout,
    facts: Mapping[str, VideoFacts],
    *,
    reason: str,
    by_hand: bool,
    renamed: Mapping[str, str],
) -> None:
    """Saves one correction durably; the arguments are the fields of the note.

    Raises:
        StoreError: If it can't be written.
    """
    now = datetime.now(UTC)
    note = CorrectionNote(changed_utc=now, reason=reason, by_hand=by_hand, renamed=dict(renamed), videos=dict(facts))
    write_note(layout, layout.corrections / f"{now:%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}.json", note)


def read_corrections(layout: StoreLayout) -> Corrections:
    """All corrections, of which the last one of each video counts.

    Raises:
        StoreError: If a file can't be read or is damaged.
    """
    facts: dict[str, VideoFacts] = {}
    by_hand: set[str] = set()
    renamed: dict[str, str] = {}
    for path in sorted(layout.corrections.glob("*.json")):
        try:
            note = read_note(path, _NOTE)
        except StoreError as error:
            raise StoreError(
                f"{error} It corrects cameras and clocks: move the file away, then repeat the correction with "
                "anomalylmm recamera."
            ) from error
        facts |= note.videos
        by_hand = by_hand | set(note.videos) if note.by_hand else by_hand - set(note.videos)
        renamed = {old: note.renamed.get(name, name) for old, name in renamed.items()} | dict(note.renamed)
    return Corrections(facts=facts, by_hand=frozenset(by_hand), renamed=renamed)
