"""The part of the composition root that builds what reads and writes videos."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from anomalylmm.models.allocator import share_one_heap
from anomalylmm.models.video.recorded import read_container_time
from anomalylmm.protocols import ClipCutter, FrameSource, MomentReader, Tracker
from anomalylmm.records import ContainerTime
from flows.archives.copies import Copies
from flows.settings.model import Settings
from flows.settings.views import CameraViews, FrameView

MOMENT_SIDE_PX = 512  # what local judges see at most of one frame of a video
PREVIEW_WIDTH_PX = 960


class VideoParts:
    """Decoders, trackers and cutters of clips, as the settings want them."""

    settings: Settings

    @cached_property
    def views(self) -> CameraViews:
        """How the frames of each camera are looked at."""
        return CameraViews(self.settings)

    @cached_property
    def source(self) -> FrameSource:
        """The decoder for cameras with the usual view; no process is started yet."""
        return self._build_source(self.views.default)

    def build_source(self, view: FrameView) -> FrameSource:
        """Builds the decoder for a view. If it is for small people, who hardly change a scene, nothing is left out."""
        return self.source if view == self.views.default else self._build_source(view)

    def _build_source(self, view: FrameView) -> FrameSource:
        from anomalylmm.models.video.frames import VideoSource

        share_one_heap()
        decode, gate = self.settings.decode, self.settings.gate
        skips_still = decode.skip_still and gate.enabled and view.motion_parts(self.settings.detector.image_size) == 1
        return VideoSource(
            decoder=decode.decoder,
            still_share=gate.min_changed_share / 2 if skips_still else None,
            batch_frames=decode.batch_frames,
            stall_seconds=decode.stall_seconds,
            max_width_px=view.max_width or None,
            memory_limit_bytes=decode.memory_mib << 20 or None,
            max_seconds=decode.minutes_per_video * 60 or None,
        )

    @cached_property
    def clips(self) -> ClipCutter:
        """The cutter of clips for an export."""
        from anomalylmm.models.video.clips import VideoClips

        return VideoClips(stall_seconds=self.settings.decode.stall_seconds)

    def build_moment_reader(self, max_side_px: int = MOMENT_SIDE_PX) -> MomentReader:
        """Builds the reader of moments; larger pictures are made smaller. No process is started yet."""
        from anomalylmm.models.video.moments import VideoMoments

        decode = self.settings.decode
        return VideoMoments(
            decoder=decode.decoder,
            stall_seconds=decode.stall_seconds,
            memory_limit_bytes=decode.memory_mib << 20 or None,
            max_side_px=max_side_px,
        )

    @cached_property
    def previews(self) -> ClipCutter:
        """The cutter of clips that are looked at and thrown away: smaller, and quicker to make."""
        from anomalylmm.models.video.clips import VideoClips

        stall_seconds = self.settings.decode.stall_seconds
        return VideoClips(stall_seconds=stall_seconds, max_width_px=PREVIEW_WIDTH_PX, preset="ultrafast")

    def build_tracker(self) -> Tracker:
        """Builds a tracker for one video."""
        settings = self.settings
        return self._tracker_class(
            sample_fps=settings.decode.sample_fps,
            buffer_seconds=settings.tracklets.max_gap_seconds,
            min_score=settings.tracker.start_confidence,
            reach_per_second=settings.tracker.reach,
        )

    @property
    def _tracker_class(self) -> Callable[..., Tracker]:
        if self.settings.tracker.name == "botsort":
            from anomalylmm.models.detect.bot_sort import BotSortTracker  # imports torch

            return BotSortTracker
        from anomalylmm.models.detect.byte_tracker import ByteTracker

        return ByteTracker

    @cached_property
    def copies(self) -> Copies:
        """Local copies of remote videos."""
        archive = self.settings.archive
        return Copies(Path(archive.scratch), round(archive.scratch_gib * 2**30))

    def probe_start(self, path: Path) -> ContainerTime | None:
        """Reads recording time and duration from a container; None if it can't be opened.

        Raises:
            OSError: The video is remote and can't be copied.
        """
        with self.copies.local(path) as local:
            return read_container_time(local)
