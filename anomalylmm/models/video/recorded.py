"""When a container says it was recorded, asked in a process of its own, because a damaged file may hang its reader."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from anomalylmm.models.video.child_process import child_environment

PATIENCE_SECONDS = 20.0
FIRST_YEAR, LAST_YEAR = 1990, 2200
QUESTION = """
import av, sys
with av.open(sys.argv[1], metadata_errors="ignore") as container:
    streams = [dict(stream.metadata) for stream in container.streams.video]
    for tags in [dict(container.metadata), *streams]:
        if "creation_time" in tags:
            print(tags["creation_time"])
            break
"""


def recorded_utc(path: Path) -> datetime | None:
    """Asks a container's ``creation_time``; None where it does not say, can't be opened, or hangs.

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
        ).stdout.strip()
        said = datetime.fromisoformat(answer)
    except (subprocess.TimeoutExpired, OSError, ValueError):
        return None
    if not FIRST_YEAR <= said.year <= LAST_YEAR:
        return None
    return said.replace(tzinfo=UTC) if said.tzinfo is None else said.astimezone(UTC)
