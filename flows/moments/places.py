"""Finds the videos of a store in the archives it was made from; an archive that can't be reached is only a reason."""

from functools import partial
from pathlib import Path

from anomalylmm.errors import AnomalyLMMError, ArchiveError, UnreachedError, VideoError
from flows.archives.asking import within
from flows.archives.copies import Copies
from flows.archives.patience import Patience
from flows.export.sources import Sources
from storage.disk.addresses import is_address, to_address
from storage.disk.layout import StoreLayout
from storage.hits.gaps import list_archives
from storage.shards.manifest import VideoEntry


class VideoPlaces:
    """The source videos of a store; each archive is opened and each video looked for once."""

    def __init__(self, layout: StoreLayout, archive: Path | None, copies: Copies, *, patience_seconds: float) -> None:
        """Remembers where to look; nothing is read yet.

        Args:
            layout: The store, which knows the archives it was made from.
            archive: A folder or address that the user names; it is looked into first.
            copies: Makes local copies of remote videos.
            patience_seconds: Time after which a file system that does not answer counts as not reachable.
        """
        known = [Path(name) for name in list_archives(layout)]
        self._archives = [path for path in dict.fromkeys((archive, *known)) if path is not None]
        self._sources: dict[Path, Sources | str] = {}
        self._copies, self._patience, self._patience_seconds = copies, Patience(), patience_seconds

    def close(self) -> None:
        """Removes the copy of a remote video."""
        for sources in self._sources.values():
            if not isinstance(sources, str):
                sources.close()

    def find(self, video: VideoEntry) -> Path:
        """Finds the file with a video's content; the copy of a remote one is kept until the next call.

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
                return find() if is_address(archive) else within(self._patience_seconds, find)
            except VideoError as error:
                reasons.append(str(error))
                is_sure = is_sure and not isinstance(error, UnreachedError)
            except (OSError, AnomalyLMMError) as error:
                self._sources[archive] = f"the archive {to_address(archive)} can't be reached: {_say(error)}"
                reasons.append(str(self._sources[archive]))
                is_sure = False
        error_class = VideoError if is_sure else ArchiveError
        raise error_class("; ".join(reasons) or "the store does not know its archive; name it with --archive")

    def _open(self, archive: Path) -> Sources | str:
        if archive not in self._sources:
            try:
                build = partial(Sources, archive, self._copies, self._patience)
                self._sources[archive] = build() if is_address(archive) else within(self._patience_seconds, build)
            except (OSError, AnomalyLMMError) as error:
                reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not there"
                text = f"the archive {archive} can't be reached: {reason}"
                self._sources[archive] = str(error) if is_address(archive) else text
        return self._sources[archive]


def _say(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
