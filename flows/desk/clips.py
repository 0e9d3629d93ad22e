"""Cuts the moment of a hit from the archive when somebody wants to play it, and keeps a bounded number of clips."""

import threading
from collections import defaultdict
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anomalylmm.errors import ArchiveError, StoreError
from anomalylmm.protocols import ClipCutter
from anomalylmm.records import CropRow
from flows.archives.asking import hurried
from flows.archives.copies import Copies
from flows.export.choice import Evidence
from flows.export.sources import Sources
from storage.disk.layout import StoreLayout
from storage.shards.reading import load_tracklet

MARGIN_SECONDS = 3.0  # before and after the person is seen
MAX_SECONDS = 60.0  # of a clip; of a person who is seen for longer, the time around the best crop
MAX_BYTES = 1 << 30  # of all clips kept
MAX_AT_ONCE = 2  # clips being cut
NO_ARCHIVE = (
    "The videos are not at hand, so there is no clip: start the desk with --archive and the folder or address of the "
    "videos."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A clip on the disk, with the person's boxes in pixels of ``width`` by ``height``."""

    name: str
    start_seconds: float  # media time of its first frame
    stop_seconds: float
    wanted_seconds: float  # media time at which the moment begins
    width: int
    height: int
    boxes: tuple[dict[str, Any], ...]

    def describe(self, address: str) -> dict[str, Any]:
        """What the page's script needs."""
        return {**asdict(self), "address": address}


class ClipShelf:
    """Clips by hit, in a folder of the desk's own; the longest unused are removed first."""

    def __init__(
        self,
        folder: Path,
        layout: StoreLayout,
        cutter: ClipCutter,
        archive: Path | None,
        copies: Copies,
        wait_seconds: float,
    ) -> None:
        self.folder, self._layout, self._cutter = folder, layout, cutter
        self._archive, self._copies, self._wait_seconds = archive, copies, wait_seconds
        self._lock, self._turns = threading.Lock(), threading.BoundedSemaphore(MAX_AT_ONCE)
        self._own_locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._clips: dict[str, Clip] = {}  # by hit, longest unused first

    def path(self, hit_id: str) -> Path | None:
        """The file of a hit's clip; None if there is none (any more)."""
        with self._lock:
            clip = self._clips.get(hit_id)
        path = self.folder / clip.name if clip else None
        return path if path and path.is_file() else None

    def cut(self, evidence: Evidence) -> Clip:
        """Gives the clip of a hit, and makes it if there is none.

        Raises:
            ArchiveError: The video is not there, has changed, or can't be decoded.
        """
        hit_id = evidence.hit_id
        with self._lock:
            own = self._own_locks[hit_id]
        with own:
            if self.path(hit_id) is not None:
                with self._lock:
                    clip = self._clips.pop(hit_id)
                    self._clips[hit_id] = clip
                return clip
            with self._turns:
                clip = self._make(evidence)
            with self._lock:
                self._clips[hit_id] = clip
                self._remove_oldest()
            return clip

    def forget_all_but(self, known: set[str]) -> None:
        """Removes the clips of hits that are no longer in the store, such as those whose footage was erased."""
        with self._lock:
            for hit_id in set(self._clips) - known - {key for key in self._clips if "-" in key}:
                (self.folder / self._clips.pop(hit_id).name).unlink(missing_ok=True)

    def forget_all(self) -> None:
        """Removes all clips, and exports."""
        with self._lock:
            self._clips.clear()
        for path in (*self.folder.glob("*.mp4"), *self.folder.glob("export-*.zip")):
            path.unlink(missing_ok=True)

    @property
    def hit_ids(self) -> list[str]:
        """The hits that have a clip."""
        with self._lock:
            return list(self._clips)

    def _make(self, evidence: Evidence) -> Clip:
        if self._archive is None:
            raise ArchiveError(NO_ARCHIVE)
        size = evidence.video.size_bytes if evidence.video else None
        with hurried(self._wait_seconds), closing(Sources(self._archive, self._copies)) as sources:
            source = sources.find(evidence.hit["video_id"], evidence.hit["video_path"], size)
            return self._cut(evidence, source)

    def _cut(self, evidence: Evidence, source: Path) -> Clip:
        name = f"{evidence.hit_id}.mp4"
        start, stop = _span(evidence)
        copied = self._cutter.copy(source, start, stop, self.folder / name)
        if copied is None:
            copied = self._cutter.render(source, start, stop, self.folder / name)[:2]
        crops = read_track(self._layout, evidence)
        frame = (crops[0].frame_width_px, crops[0].frame_height_px) if crops else (16, 9)
        return Clip(
            name=name,
            start_seconds=copied[0],
            stop_seconds=copied[1],
            wanted_seconds=start,
            width=frame[0],
            height=frame[1],
            boxes=tuple(
                {"seconds": crop.pts_seconds, "box": [round(side, 1) for side in crop.box_xyxy_px]} for crop in crops
            ),
        )

    def _remove_oldest(self) -> None:
        sizes = {hit_id: _size(self.folder / clip.name) for hit_id, clip in self._clips.items()}
        total = sum(sizes.values())
        for hit_id in list(self._clips)[:-1]:
            if total <= MAX_BYTES:
                return
            total -= sizes[hit_id]
            (self.folder / self._clips.pop(hit_id).name).unlink(missing_ok=True)


def read_track(layout: StoreLayout, evidence: Evidence) -> list[CropRow]:
    """The crops of the hit's person in the hit's own video, in time order; none if the store has lost them."""
    try:
        crops = (
            load_tracklet(layout.root / evidence.directory, evidence.hit["tracklet_id"]) if evidence.directory else []
        )
    except StoreError:
        return []
    return [crop for crop in crops if crop.video_id == evidence.hit["video_id"]]


def _span(evidence: Evidence) -> tuple[float, float]:
    start, stop = evidence.span(MARGIN_SECONDS)
    if stop - start <= MAX_SECONDS:
        return start, stop
    best = evidence.hit["best_seconds"]
    first = min(max(start, best - MAX_SECONDS / 2), stop - MAX_SECONDS)
    return first, first + MAX_SECONDS


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
