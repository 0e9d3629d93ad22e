"""Fetches one whole frame of an indexed video from the archive."""

from contextlib import closing
from pathlib import Path

from anomalylmm.errors import VideoError
from anomalylmm.records import Image, MomentPlace
from flows.archives.asking import hurried
from flows.composition import Composition
from flows.moments.places import VideoPlaces
from storage.disk.layout import StoreLayout
from storage.shards.manifest import VideoEntry

FRAME_SIDE_PX = 4096  # larger frames are made smaller


def fetch_frame(
    composition: Composition, layout: StoreLayout, video: VideoEntry, pts_seconds: float, *, archive: Path | None
) -> tuple[Image, float]:
    """Fetches the frame nearest to a time, upright and with square pixels, and gives its own time; a person waits.

    Args:
        composition: Builds the reader, and has the settings.
        layout: The store, which knows its archives.
        video: The video.
        pts_seconds: The time.
        archive: Where the videos are, if not where they were indexed.

    Raises:
        ArchiveError: The archive can't be reached.
        VideoError: The video is gone, can't be decoded, or has no frame there.
    """
    patience_seconds = composition.settings.decode.stall_seconds
    places = VideoPlaces(layout, archive, composition.copies, patience_seconds=patience_seconds)
    place = MomentPlace(pts_seconds=(pts_seconds,), boxes_share=((0.0, 0.0, 1.0, 1.0),))
    reader = composition.build_moment_reader(max_side_px=FRAME_SIDE_PX)
    with closing(places), closing(reader), hurried(composition.settings.archive.wait_seconds):
        for _, clip in reader.iter_moments(places.find(video), [place]):
            return clip[0], clip.pts_seconds[0]
    raise VideoError(f"{video.path} has no frame at {pts_seconds:.1f} s; choose an earlier time")
