"""Fetches moments of videos by random access, in a killable child process; the parent loads no decoder."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from anomalylmm.errors import VideoError
from anomalylmm.models.video.child_process import Child, ChildLostError, ChildSupply, Fields
from anomalylmm.models.video.frames import MAX_VIDEOS_PER_CHILD, OPENING_BYTES_PER_SECOND, STARTING_SECONDS, check_file
from anomalylmm.records import Clip, Image, MomentPlace

CHILD = "anomalylmm.models.video.children.moment_child"
Frames = dict[float, Image]  # by time


class VideoMoments:
    """Reads moments; implements ``MomentReader``. One process reads one video after another."""

    def __init__(self, *, decoder: str, stall_seconds: float, memory_limit_bytes: int | None, max_side_px: int) -> None:
        """Remembers the settings; nothing is started.

        Args:
            decoder: ``"pyav"``, or ``"decord"`` for videos it can be trusted with, with PyAV for the rest.
            stall_seconds: Silence after which the child is killed.
            memory_limit_bytes: Memory a child may have, not counting code and files.
            max_side_px: Larger pictures are made smaller in the child.
        """
        self._task: Fields = {
            "decoder": decoder,
            "memory_limit_bytes": memory_limit_bytes,
            "max_side_px": max_side_px,
        }
        self._stall_seconds = stall_seconds
        self._children = ChildSupply(max_videos=MAX_VIDEOS_PER_CHILD, module=CHILD)

    def iter_moments(self, path: Path, places: Sequence[MomentPlace]) -> Iterator[tuple[int, Clip]]:
        """Yields the number of each place with its moment; the video is opened once, and walked once in time order.

        A moment has fewer pictures than times where the video ends or has fewer frames, and is left out where it has
        none. If the child is lost, PyAV alone is tried for what is left.

        Raises:
            VideoError: The file can't be decoded; what was yielded before stays good.
        """
        size = check_file(path)
        patience = self._stall_seconds + STARTING_SECONDS + size / OPENING_BYTES_PER_SECOND
        open_places = dict(enumerate(places))
        try:
            yield from self._read(path, open_places, patience, self._task["decoder"])
        except ChildLostError:
            try:
                yield from self._read(path, open_places, patience, "pyav")
            except ChildLostError as error:
                raise VideoError(f"{path} can't be decoded: {error}; check the file with `ffprobe`") from error

    def close(self) -> None:
        """Ends the process; a later call starts another."""
        self._children.close()

    def _read(
        self, path: Path, places: dict[int, MomentPlace], patience_seconds: float, decoder: str
    ) -> Iterator[tuple[int, Clip]]:
        """Yields moments and takes their places out.

        Raises:
            ChildLostError: The child hangs or died.
            VideoError: The file can't be decoded.
        """
        child = self._children.take()
        try:
            child.ask({**self._task, "path": str(path), "decoder": decoder, "wanted": _list_wanted(places)})
            yield from self._receive(child, path, places, patience_seconds)
        except BaseException:
            child.close()
            raise
        self._children.give_back(child)

    def _receive(
        self, child: Child, path: Path, places: dict[int, MomentPlace], patience_seconds: float
    ) -> Iterator[tuple[int, Clip]]:
        frames: dict[int, Frames] = defaultdict(dict)
        while True:
            fields, pixels = child.receive(patience_seconds)
            if fields["kind"] == "frame":
                shape = (int(fields["height"]), int(fields["width"]), 3)
                moment = int(fields["moment"])
                frames[moment][float(fields["pts"])] = np.frombuffer(pixels, np.uint8).reshape(shape)
                if fields["is_last"]:
                    del places[moment]
                    yield moment, _to_clip(frames.pop(moment))
            elif fields["kind"] == "error":
                raise VideoError(f"{path} can't be decoded: {fields['reason']}; check the file with `ffprobe`")
            elif fields["kind"] == "end":
                break
        for moment, shown in frames.items():  # of moments that the video cuts short
            del places[moment]
            yield moment, _to_clip(shown)


def _list_wanted(places: dict[int, MomentPlace]) -> list[tuple[float, int, bool, tuple[float, ...]]]:
    """Lists time, moment, whether it is the moment's last time, and box, times rising."""
    wanted = [
        (time, moment, time == place.pts_seconds[-1], box)
        for moment, place in places.items()
        for time, box in zip(place.pts_seconds, place.boxes_share, strict=True)
    ]
    return sorted(wanted, key=lambda item: item[:2])


def _to_clip(frames: Frames) -> Clip:
    times = sorted(frames)
    return Clip([frames[time] for time in times], times)
