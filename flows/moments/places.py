"""Finds the videos of a store in the archives it was made from; an archive that can't be reached is only a reason."""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from anomalylmm.errors import AnomalyLMMError, ArchiveError, VideoError
from flows.export.sources import Sources
from storage.disk.layout import StoreLayout
from storage.hits.gaps import list_archives
from storage.shards.manifest import VideoEntry

Result = TypeVar("Result")


class VideoPlaces:
    """The source videos of a store; each archive is opened and each video looked for once."""

    def __init__(self, layout: StoreLayout, archive: Path | None, *, patience_seconds: float) -> None:
        """Remembers where to look; nothing is read yet.

        Args:
            layout: The store, which knows the archives it was made from.
            archive: A folder that the user names; it is looked into first.
            patience_seconds: Time after which a file system that does not answer counts as not reachable.
        """
        known = [Path(name) for name in list_archives(layout)]
        self._archives = [path for path in dict.fromkeys((archive, *known)) if path is not None]
        self._sources: dict[Path, Sources | str] = {}
        self._patience_seconds = patience_seconds

    def find(self, video: VideoEntry) -> Path:
        """Finds the file with a video's content.

        Raises:
            VideoError: All archives can be reached, and none has it; the message says why.
            ArchiveError: It may lie in an archive that can't be reached, or the store knows no archive.
        """
        reasons, is_sure = [], bool(self._archives)
        for archive in self._archives:
            sources = self._open(archive)
            if isinstance(sources, str):
                reasons.append(sources)
                is_sure = False
                continue
            try:
                find = partial(sources.find, video.video_id, video.path, video.size_bytes)
                return _within(self._patience_seconds, find)
            except VideoError as error:
                reasons.append(str(error))
            except (OSError, AnomalyLMMError) as error:
                self._sources[archive] = f"the archive {archive} can't be reached: {_say(error)}"
                reasons.append(str(self._sources[archive]))
                is_sure = False
        error_class = VideoError if is_sure else ArchiveError
        raise error_class("; ".join(reasons) or "the store does not know its archive; name it with --archive")

    def _open(self, archive: Path) -> Sources | str:
        if archive not in self._sources:
            try:
                self._sources[archive] = _within(self._patience_seconds, partial(Sources, archive))
            except (OSError, AnomalyLMMError) as error:
                reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not there"
                self._sources[archive] = f"the archive {archive} can't be reached: {reason}"
        return self._sources[archive]


def _within(seconds: float, work: Callable[[], Result]) -> Result:
    """Waits for work that a dead network file system may keep for ever.

    Raises:
        TimeoutError: It did not end in time; its thread is left behind and does not keep the process.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised below, by who waits
            errors.append(error)

    thread = threading.Thread(target=run, name="archive", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no answer for {seconds:.0f} s")
    return results[0]


def _say(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
