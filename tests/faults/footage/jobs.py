"""What plain PyAV and plain decord get from a file, in a process of its own that may die of it."""

import resource
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import av.logging

from tests.faults.forks import Job, run

LIMIT_SECONDS = 60.0
MEMORY_BYTES = 6 << 30
NUM_AT_ONCE = 2


def count_all(scratch: Path, decode: Callable[[str, str], None], paths: Sequence[Path]) -> list[int]:
    """Counts the frames that plain PyAV or decord decodes of each file before it ends, by itself or by a limit."""
    tallies = [scratch / f"{decode.__name__}-{number}" for number in range(len(paths))]
    places = [{"path": str(path), "tally": str(tally)} for path, tally in zip(paths, tallies, strict=True)]
    jobs = [Job(do=decode, patience=LIMIT_SECONDS, arguments=place) for place in places]
    for start in range(0, len(jobs), NUM_AT_ONCE):
        run(*jobs[start : start + NUM_AT_ONCE])
    return [tally.stat().st_size if tally.exists() else 0 for tally in tallies]


def pyav(path: str, tally: str) -> None:
    """Appends a byte to a file for each frame that PyAV decodes."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    av.logging.set_level(av.logging.PANIC)
    with Path(tally).open("ab", buffering=0) as seen, av.open(path) as container:
        for packet in container.demux(container.streams.video[0]):
            try:
                frames = packet.decode()
            except (av.error.FFmpegError, ValueError):
                continue
            seen.write(b"." * len(frames))


def decord(path: str, tally: str) -> None:
    """Appends a byte to a file for each frame that decord decodes."""
    import decord as decord_library  # here only: beside torch in one process it crashes

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    decord_library.logging.set_level(decord_library.logging.QUIET)
    with Path(tally).open("ab", buffering=0) as seen:
        reader = decord_library.VideoReader(path, ctx=decord_library.cpu(0), num_threads=1)
        for _ in range(len(reader)):
            reader.next().asnumpy()
            seen.write(b".")
