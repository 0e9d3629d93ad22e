"""What a container says about its recording, asked in a process of its own: a damaged file may hang its reader."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from anomalylmm.models.video.child_process import child_environment
from anomalylmm.records import ContainerTime

PATIENCE_SECONDS = 20.0
FIRST_YEAR, LAST_YEAR = 1990, 2200
LONGEST_SECONDS = 7 * 86_400.0  # a header that promises more is damaged
QUESTION = """
import av, sys
with av.open(sys.argv[1], metadata_errors="ignore") as container:
    streams = [dict(stream.metadata) for stream in container.streams.video]
    print((container.duration or 0) / av.time_base)
    for name in ("com.apple.quicktime.creationdate", "creation_time"):
        for tags in [dict(container.metadata), *streams]:
            if name in tags:
                print(tags[name])
"""


def read_container_time(path: Path) -> ContainerTime | None:
    """Asks a container for its ``creation_time`` and duration; None where it can't be opened, or hangs.

    A time before 1990 or after 2200 is a camera's clock that was never set (or the format's zero), and is none.
    """
    try:
        answer = subprocess.run(
            [sys.executable, "-c", QUESTION, str(path)],
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            env=child_environment(),
            check=False,
        ).stdout.split("\n")
        duration = float(answer[0])
    except (subprocess.TimeoutExpired, OSError, ValueError):
        return None
    created = next((moment for text in answer[1:] if (moment := _read_moment(text))), None)
    return ContainerTime(created_utc=created, duration_seconds=duration if 0 < duration < LONGEST_SECONDS else 0.0)


def _read_moment(text: str) -> datetime | None:
    try:
        said = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if not FIRST_YEAR <= said.year <= LAST_YEAR:
        return None
    return said.replace(tzinfo=UTC) if said.tzinfo is None else said.astimezone(UTC)
