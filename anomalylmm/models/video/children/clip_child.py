"""The process that makes one clip: it decodes a piece, draws over its frames and encodes them; it may be killed.

No frame leaves this process, which costs less than decoding here and encoding in the parent.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from anomalylmm.errors import VideoError
from anomalylmm.footage.edits import FrameEdit, apply_edit
from anomalylmm.footage.sampling import Sampler
from anomalylmm.models.video.child_process import Fields
from anomalylmm.models.video.children.clip_writing import write_frames
from anomalylmm.models.video.children.decoding_child import ErrorLog, Outlet, failure, openable_path, serve
from anomalylmm.models.video.reading.probe import Probe
from anomalylmm.models.video.reading.pyav_walk import PyavWalk
from anomalylmm.records import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipTask:
    """What the parent asks for."""

    source: str
    target: str
    sample_fps: float
    after_seconds: float | None  # from where on to decode
    start_seconds: float  # of the clip
    stop_seconds: float
    options: Mapping[str, str]  # of the encoder
    max_width_px: int | None
    edits: list[tuple[float, Fields]] | None = field(repr=False)  # by time; other frames are left out; None: as it is


def render(task: ClipTask, outlet: Outlet) -> Fields:
    """Makes the clip and gives the closing message: the times of its first and last frame, and their number.

    Raises:
        VideoError: The video has no such frame, or the clip can't be written.
    """
    times: list[float] = []
    with openable_path(task.source) as path:
        number = write_frames(Path(task.target), _iter_edited(task, Path(path), outlet, times), task.options)
    return {"kind": "end", "start_seconds": times[0], "stop_seconds": times[-1], "num_frames": number}


def _iter_edited(task: ClipTask, path: Path, outlet: Outlet, times: list[float]) -> Iterator[tuple[Image, float]]:
    edits = None if task.edits is None else {seconds: _read_edit(fields) for seconds, fields in task.edits}
    walk = PyavWalk(
        path,
        Sampler(task.sample_fps),
        task.after_seconds,
        outlet.stay_alive,
        max_width_px=task.max_width_px,
        has_single_fields=Probe.of(path).has_single_fields,
    )
    for picture in walk:
        seconds = picture.pts_seconds
        if seconds > task.stop_seconds:
            return
        if seconds >= task.start_seconds and (edits is None or seconds in edits):
            times.append(seconds)
            yield picture.image if edits is None else apply_edit(picture.image, edits[seconds]), seconds


def _read_edit(fields: Fields) -> FrameEdit:
    blurred, framed = fields["blurred"], fields["framed"]
    return FrameEdit(
        blurred=tuple((box[0], box[1], box[2], box[3]) for box in blurred),
        framed=(framed[0], framed[1], framed[2], framed[3]) if framed else None,
        text=fields["text"],
    )


def answer(fields: Fields, connection: Connection, _log: ErrorLog) -> None:
    """Makes one clip and says what became of it.

    Raises:
        ConnectionError: The parent has closed the connection.
    """
    outlet = Outlet(connection)
    try:
        closing = render(ClipTask(**fields), outlet)
    except ConnectionError:
        raise
    except VideoError as error:
        closing = {"kind": "error", "reason": str(error)}
    except Exception as error:  # noqa: BLE001 - the parent is to know why
        closing = {"kind": "error", "reason": failure(error, None)}
    outlet.send(closing)


if __name__ == "__main__":
    serve(answer)
