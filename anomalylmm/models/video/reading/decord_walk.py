"""Walks through a video with decord as far as it can be trusted; used inside the decoding child only.

decord gives wrong frames without a word where a container has no index (MPEG-TS) and after damage, and gives up at the
first damaged packet. So it is used for indexed containers only, its first frame must equal PyAV's, and the first error
that its FFmpeg writes hands the rest of the video to PyAV. It shows both fields of interlaced frames at once, and takes
HD without color tags for BT.601, and of two tracks it may read the other, so those are PyAV's, too. It decodes ahead of
its reader without bound (3 GB of a video of three minutes whose reader paused, measured with decord2 3.4.0), so it gets
only videos that it may hold whole.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalylmm.footage.sampling import Sampler
from anomalylmm.models.video.reading.probe import Probe
from anomalylmm.models.video.reading.pyav_walk import DAMAGE_ERRORS, Picture, num_threads, packet_times
from anomalylmm.models.video.reading.steady_clock import is_steady

if TYPE_CHECKING:
    from anomalylmm.models.video.children.decoding_child import ErrorLog, Outlet

SAME_TIME_SECONDS = 0.02
SAME_PICTURE = 1.0  # mean difference of gray levels; measured 0.0 for equal frames


class DamageError(Exception):
    """decord can't be trusted from here on."""


def walk_decord(path: str, sample_fps: float, probe: Probe, log: "ErrorLog", outlet: "Outlet") -> Iterator[Picture]:
    """Yields sampled pictures, decoding in order only, never seeking.

    Raises:
        DamageError: decord failed, or wrote an error, or shows another first frame than PyAV.
    """
    try:
        import decord
    except ImportError as error:
        raise DamageError(f"it can't be loaded: {first_line(error)}") from error
    try:
        reader = decord.VideoReader(path, ctx=decord.cpu(0), num_threads=num_threads())
        spans = reader.get_frame_timestamp(np.arange(len(reader)))  # T,2: from, to
        times = exact_times(spans[:, 0], Path(path), outlet)
    except (decord.DECORDError, RuntimeError, AssertionError, *DAMAGE_ERRORS) as error:
        raise DamageError(first_line(error)) from error
    sampler, position = Sampler(sample_fps), 0
    for index, pts_seconds in enumerate(times):
        if not sampler.wants(pts_seconds):
            continue
        image = read_frame(reader, index - position, log, outlet)
        if position == 0 and not same_picture(image, probe.first.image):
            raise DamageError("its first frame differs from PyAV's")
        position = index + 1
        yield Picture(image=image, pts_seconds=pts_seconds)
    if position < len(spans):
        read_frame(reader, len(spans) - position - 1, log, outlet)
    outlet.covered_seconds = float(spans[-1, 1])


def exact_times(rounded: np.ndarray, path: Path, outlet: "Outlet") -> list[float]:
    """Times of decord's frames, in double precision; decord's own are float32, off by 0.2 ms after an hour.

    Raises:
        DamageError: decord counts other frames, or places them elsewhere, than the container.
    """
    times = packet_times(path, outlet.stay_alive)
    if not is_steady(times):
        raise DamageError("its clock stands still, starts again or leaps")
    if not times:
        return [round(float(pts_seconds), 3) for pts_seconds in rounded]
    times.sort()
    if len(times) != len(rounded) or np.abs(np.array(times) - rounded).max() > SAME_TIME_SECONDS:
        raise DamageError("its frame times differ from the container's")
    return times


def read_frame(reader: Any, num_skipped: int, log: "ErrorLog", outlet: "Outlet") -> np.ndarray:
    """Decodes the frame that comes after some unwanted ones, frame by frame.

    decord's own ``skip_frames``, ``seek_accurate`` and ``get_batch`` are not used: they give frames of a wrong time
    where the frame rate varies and in HEVC (measured with decord2 3.4.0).

    Raises:
        DamageError: decord failed or wrote an error.
    """
    for _ in range(num_skipped):
        next_frame(reader, log)
        outlet.stay_alive()
    image: np.ndarray = next_frame(reader, log).asnumpy()
    return image


def next_frame(reader: Any, log: "ErrorLog") -> Any:
    """Decodes one frame.

    Raises:
        DamageError: decord failed or wrote an error.
    """
    import decord

    try:
        frame = reader.next()
    except (decord.DECORDError, RuntimeError, StopIteration) as error:
        raise DamageError(first_line(error)) from error
    if log.size():
        raise DamageError("its FFmpeg met damaged data")
    return frame


def same_picture(image: np.ndarray, other: np.ndarray) -> bool:
    """Whether two decoders show the same frame."""
    if image.shape != other.shape:
        return False
    return float(np.abs(image.astype(np.int16) - other).mean()) < SAME_PICTURE


def first_line(error: BaseException) -> str:
    """The part of a native error's text that a person can use."""
    said = getattr(error, "strerror", None)  # of PyAV's and the system's errors
    if said:
        return str(said)
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else type(error).__name__
