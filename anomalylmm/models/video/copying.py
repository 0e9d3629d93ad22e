"""Copies a piece of a video as it is, where every browser can play that: much quicker than decoding and encoding."""

import json
import subprocess
import sys
from pathlib import Path

from anomalylmm.models.video.child_process import child_environment

CHILD = "anomalylmm.models.video.children.copying_child"


def copy_piece(
    source: Path, start_seconds: float, stop_seconds: float, target: Path, patience: float
) -> tuple[float, float] | None:
    """Copies a piece into an MP4 file, from the key frame before it on.

    Args:
        source: The video.
        start_seconds: Media time of the piece's start.
        stop_seconds: Of its end.
        target: The file to write.
        patience: Seconds after which the copying process is killed.

    Returns:
        Media times of the copy's first and last frame; None if the video is of another kind, or can't be read.
    """
    command = [sys.executable, "-m", CHILD, str(source), str(target), str(start_seconds), str(stop_seconds)]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=patience, env=child_environment(), check=True
        ).stdout
        found = json.loads(answer)
        return float(found["start_seconds"]), float(found["stop_seconds"])
    except (subprocess.SubprocessError, OSError, ValueError, KeyError):
        target.unlink(missing_ok=True)
        return None
