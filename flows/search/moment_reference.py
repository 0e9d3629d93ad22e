"""Reads a person of one moment of the archive as the reference of a search: ``VIDEO@TIME``."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

import numpy as np

from anomalylmm.errors import QueryError, ShapeError
from anomalylmm.footage.crops import clip_box, context_box, cut, limit_size
from anomalylmm.records import Box, Floats, Image
from flows.composition import Composition
from flows.export.bystanders import find_same
from flows.moments.frames import fetch_frame
from flows.report.page import local_time
from storage.disk.layout import StoreLayout
from storage.gallery.gallery import Gallery
from storage.gallery.opening import GalleryShard
from storage.shards.manifest import VideoEntry
from storage.shards.reading import read_columns

CROP_SIDE_PX = 320  # as crops of the index
MAX_NAMED = 3
_MEDIA_TIME = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d+)?)\s*s?")
_TIMES = "give seconds (83.5), h:mm:ss, or the camera's time with its date (2026-03-14T10:15:07)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenPerson:
    """Whom a reference shows."""

    box_xyxy_px: Box
    note: str  # who, in words


def read_moment(
    composition: Composition, layout: StoreLayout, gallery: Gallery, like: str, *, box: Box | None, archive: Path | None
) -> tuple[Image, str]:
    """Cuts a person with surroundings out of the frame that ``VIDEO@TIME`` names, and says who it is.

    Args:
        composition: Builds the reader of frames and the detector.
        layout: The store.
        gallery: Knows the videos.
        like: A video (its id, or its path or the end of it) and a time in it.
        box: Where the person is, in pixels of the upright frame; None takes the largest person.
        archive: Where the videos are, if not where they were indexed.

    Raises:
        QueryError: The video is not indexed, the time can't be read or is outside, or nobody is there.
        ArchiveError: The archive can't be reached.
        VideoError: The video is gone or can't be decoded.
    """
    name, _, moment = like.rpartition("@")
    shard, video = find_video(gallery, name)
    wanted = read_time(moment.strip(), video)
    frame, pts_seconds = fetch_frame(composition, layout, video, wanted, archive=archive)
    detector = composition.build_detector(composition.views.find(shard.manifest.key.camera, video.path))
    chosen = choose_person(detector.detect([frame])[0].boxes_xyxy_px, frame.shape, box)
    place = f"{video.path} at {pts_seconds:.1f} s ({_local(video, pts_seconds)})"
    if chosen is None:
        raise QueryError(f"nobody was found in {place}; {_say_nearest(shard, video, wanted)}, or say where with --box")
    height, width = frame.shape[:2]
    region = context_box(chosen.box_xyxy_px, width, height, margin=composition.settings.tracklets.margin)
    return limit_size(cut(frame, region), CROP_SIDE_PX), f"{chosen.note} in {place}"


def find_video(gallery: Gallery, name: str) -> tuple[GalleryShard, VideoEntry]:
    """Finds an indexed video by its id, its path, or the end of its path; a path may also begin with the archive's.

    Raises:
        QueryError: No video, or more than one, has this name.
    """
    path = PurePosixPath(name).as_posix()
    known = [(shard, video) for shard in gallery.shards for video in shard.manifest.videos]
    found = [item for item in known if name == item[1].video_id or path == item[1].path]
    found = found or [item for item in known if _is_end(item[1].path, path) or _is_end(path, item[1].path)]
    paths = sorted({video.path for _, video in found})
    if not paths:
        raise QueryError(
            f"{name[:200]!r} is not indexed in this store; name a video by its video_id, or by its path as results "
            "show it, and index it first if it is new"
        )
    if len(paths) > 1:
        raise QueryError(
            f"{name[:200]!r} fits {len(paths)} videos, such as {', '.join(paths[:MAX_NAMED])}; give more of the path"
        )
    return found[0]


def read_time(text: str, video: VideoEntry) -> float:
    """Reads a time in a video as seconds from its start; a wall-clock time without a zone is the camera's.

    Raises:
        QueryError: The text is no time, or lies outside of the video.
    """
    spoken = _MEDIA_TIME.fullmatch(text)
    if spoken:
        hours, minutes, seconds = (float(part or 0) for part in spoken.groups())
        found = [3600 * hours + 60 * minutes + seconds]
    else:
        found = _read_clock(text, video)
    length = max(video.seconds_promised, video.seconds_decoded)
    inside = [seconds for seconds in found if 0 <= seconds <= length]
    if not inside:
        raise QueryError(
            f"{text[:100]!r} is outside of {video.path}, which lasts {length:.1f} s, from {_local(video, 0)} to "
            f"{_local(video, length)}; {_TIMES}"
        )
    return inside[0]


def choose_person(boxes: Floats, frame: Sequence[int], asked: Box | None) -> ChosenPerson | None:
    """Chooses the person of a frame: the one at a box, which itself will do if nobody is found there, or the largest.

    Returns:
        None if nobody was found and no box is given.

    Raises:
        QueryError: The box is not in the frame.
    """
    if asked is not None:
        try:
            clipped = clip_box(asked, frame[1], frame[0])
        except ShapeError as error:
            raise QueryError(f"--box: {error}; give left, top, right and bottom in pixels of the frame") from error
        place = find_same(boxes, clipped)
        if place < 0:
            return ChosenPerson(box_xyxy_px=clipped, note="the given box, where nobody was found,")
        return ChosenPerson(box_xyxy_px=_to_box(boxes[place]), note=f"the person at {_say(boxes[place])}")
    if len(boxes) == 0:
        return None
    largest = boxes[int(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).argmax())]
    who = "the person" if len(boxes) == 1 else f"the largest of {len(boxes)} persons,"
    return ChosenPerson(box_xyxy_px=_to_box(largest), note=f"{who} at {_say(largest)}")


def _read_clock(text: str, video: VideoEntry) -> list[float]:
    """Reads a wall-clock time; two results where the clock shows it twice, when summer time ends."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise QueryError(f"{text[:100]!r} is not a time in a video; {_TIMES}") from error
    if moment.tzinfo is not None:
        return [(moment - video.start_utc).total_seconds()]
    zone: tzinfo = UTC
    with suppress(KeyError, OSError, ValueError):  # a store may come from elsewhere
        zone = ZoneInfo(video.time_zone)
    both = (moment.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return [(item - video.start_utc).total_seconds() for item in both]


def _say_nearest(shard: GalleryShard, video: VideoEntry, pts_seconds: float) -> str:
    """Says when the index saw people next to a time."""
    table = read_columns(shard.directory, ["video_id", "pts_seconds"])
    rows = zip(table.column("video_id").to_pylist(), table.column("pts_seconds").to_pylist(), strict=True)
    times = sorted({round(time, 1) for own, time in rows if own == video.video_id})
    if not times:
        return "the index saw nobody in this video; choose another one"
    nearest = sorted(sorted(times, key=lambda time: abs(time - pts_seconds))[:MAX_NAMED])
    return f"the index saw people at {', '.join(f'{time:g}' for time in nearest)} s; choose one of these times"


def _local(video: VideoEntry, pts_seconds: float) -> str:
    return local_time(video.start_utc + timedelta(seconds=pts_seconds), video.time_zone)


def _is_end(path: str, end: str) -> bool:
    return bool(end) and f"/{path}".endswith(f"/{end.lstrip('/')}")


def _to_box(corners: Floats) -> Box:
    left, top, right, bottom = corners.tolist()
    return left, top, right, bottom


def _say(corners: Floats) -> str:
    return ",".join(f"{value:.0f}" for value in corners.tolist())
