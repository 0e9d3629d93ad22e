"""Pieces of a video: the frames of one, decoded in a killable child, and H.264 files made of them in another."""

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from anomalylmm.errors import VideoError
from anomalylmm.footage.edits import FrameEdit
from anomalylmm.models.video.child_process import Child, ChildLostError, Fields
from anomalylmm.models.video.copying import copy_piece
from anomalylmm.models.video.frames import STARTING_SECONDS, ChildSession, check_file
from anomalylmm.records import Image

EVERY_FRAME_FPS = 1000.0  # no camera is faster, so nothing is left out
SAME_SECONDS = 1e-6
BATCH_FRAMES = 4
CHILD = "anomalylmm.models.video.children.clip_child"


class VideoClips:
    """Reads pieces of videos and makes clips of them; implements ``ClipCutter``."""

    def __init__(self, *, stall_seconds: float, max_width_px: int | None = None, preset: str = "veryfast") -> None:
        """Starts nothing.

        Args:
            stall_seconds: Silence after which a child is killed.
            max_width_px: Clips of wider videos are made smaller; None keeps them.
            preset: The encoder's, from "ultrafast" to "veryslow".
        """
        self._stall_seconds, self._max_width_px = stall_seconds, max_width_px
        self._options = {"crf": "20", "preset": preset}

    def copy(self, source: Path, start_seconds: float, stop_seconds: float, target: Path) -> tuple[float, float] | None:
        """Copies a piece as it is, where every browser can play it (see ``copy_piece``)."""
        return copy_piece(source, start_seconds, stop_seconds, target, self._stall_seconds)

    def iter_frames(
        self, path: Path, start_seconds: float, stop_seconds: float, max_width_px: int | None = None
    ) -> Generator[tuple[Image, float], None, None]:
        """Yields every frame of a piece with its time, going there by the key frame before it.

        Raises:
            VideoError: The file can't be decoded at all, or has no frame there.
        """
        check_file(path)
        found = False
        task = {
            "path": str(path),
            "decoder": "pyav",
            **_place(start_seconds),
            "max_width_px": max_width_px,
            "memory_limit_bytes": None,
        }
        with ChildSession(path, task=task, batch_frames=BATCH_FRAMES, stall_seconds=self._stall_seconds) as session:
            for batch in session:
                for image, pts_seconds in zip(batch.images, batch.pts_seconds, strict=True):
                    if start_seconds - SAME_SECONDS <= pts_seconds <= stop_seconds:
                        found = True
                        yield image, pts_seconds
                if batch.pts_seconds and batch.pts_seconds[-1] > stop_seconds:
                    break
        if not found:
            raise VideoError(
                f"{path.name} has no frame from {start_seconds:.2f} to {stop_seconds:.2f} s; ask for a longer piece"
            )

    def render(
        self,
        source: Path,
        start_seconds: float,
        stop_seconds: float,
        target: Path,
        edits: Mapping[float, FrameEdit] | None = None,
    ) -> tuple[float, float, int]:
        """Makes a clip of a piece in a process of its own; frames without an edit are left out, unless none is given.

        Returns:
            Media times of the first and the last frame, and the number of frames.

        Raises:
            VideoError: The source can't be decoded there, or the clip can't be written.
        """
        check_file(source)
        drawn = None if edits is None else [(seconds, asdict(edit)) for seconds, edit in edits.items()]
        task = {
            "source": str(source),
            "target": str(target),
            **_place(start_seconds),
            "start_seconds": start_seconds - SAME_SECONDS,
            "stop_seconds": stop_seconds,
            "options": self._options,
            "max_width_px": self._max_width_px,
            "edits": drawn,
        }
        with closing(Child(CHILD)) as child:
            child.ask(task)
            answer = self._wait(child, source)
        if answer["kind"] == "error":
            raise VideoError(f"no clip of {source.name} was made: {answer['reason']}")
        return answer["start_seconds"], answer["stop_seconds"], answer["num_frames"]

    def _wait(self, child: Child, source: Path) -> Fields:
        patience = self._stall_seconds + STARTING_SECONDS
        try:
            while (fields := child.receive(patience)[0])["kind"] == "alive":
                patience = self._stall_seconds
        except ChildLostError as error:
            raise VideoError(f"no clip of {source.name} was made: {error}") from error
        return fields


def _place(start_seconds: float) -> Fields:
    """From where on to decode: what comes sooner than a sampling step after ``after_seconds`` is passed over."""
    after = start_seconds - 2 / EVERY_FRAME_FPS
    return {"sample_fps": EVERY_FRAME_FPS, "after_seconds": after if after > 0 else None}
