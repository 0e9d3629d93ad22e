"""Keeps fetched moments for one run in a nameless file, so that memory does not grow with the number of candidates."""

from pathlib import Path
from tempfile import TemporaryFile

from anomalylmm.records import Clip, Image
from flows.index.units.cropping import read_jpeg, write_jpeg
from storage.disk.files import guarded

JPEG_QUALITY = 95
Key = tuple[str, str]


class MomentSpool:
    """Moments by key, as JPEGs in a file without a name: whatever ends the process ends the pictures, too."""

    def __init__(self, folder: Path) -> None:
        """Opens the file in a folder.

        Raises:
            StoreError: It can't be opened.
        """
        self._folder = folder
        self._places: dict[Key, list[tuple[int, int, float]]] = {}  # offset, bytes, time
        with guarded("write", folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = TemporaryFile(dir=folder)  # noqa: SIM115 - closed by its owner
        self._end = 0

    def close(self) -> None:
        """Removes all pictures."""
        self._file.close()

    def put(self, key: Key, clip: Clip) -> None:
        """Keeps a moment.

        Raises:
            StoreError: It can't be written.
        """
        places = []
        for image, pts_seconds in zip(clip, clip.pts_seconds, strict=True):
            jpeg = write_jpeg(image, JPEG_QUALITY)
            with guarded("write", self._folder):
                self._file.seek(self._end)
                self._file.write(jpeg)
            places.append((self._end, len(jpeg), pts_seconds))
            self._end += len(jpeg)
        self._places[key] = places

    def get(self, key: Key) -> Clip | None:
        """Reads a moment; None if none was kept under this key."""
        places = self._places.get(key)
        return Clip([self._read(*place[:2]) for place in places], [place[2] for place in places]) if places else None

    def _read(self, offset: int, length: int) -> Image:
        self._file.seek(offset)
        return read_jpeg(self._file.read(length))
