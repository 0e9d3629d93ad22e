"""Reference pictures of searches."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from anomalylmm.errors import QueryError
from flows.search.reference import read_image


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
def test_usual_pictures_are_read(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"person{suffix}"
    cv2.imwrite(str(file), np.full((40, 20, 3), 90, np.uint8))
    assert read_image(str(file)).shape == (40, 20, 3)


def test_a_picture_that_would_decode_to_gigabytes_is_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpack(*_: object) -> None:
        raise AssertionError("it was unpacked")

    monkeypatch.setattr("flows.report.picture_files.cv2.imdecode", unpack)
    file = tmp_path / "bomb.jpg"
    for width, height in ((30_000, 30_000), (19_000, 19_000), (2**31 - 1, 9)):
        file.write_bytes(png(width, height))
        with pytest.raises(QueryError, match="pixels"):
            read_image(str(file))


def test_other_files_are_refused_without_other_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("ultralytics replaces this and installs libraries"))
    file = tmp_path / "x.jpg"
    for content in (b"<svg/>", b"", b"\x80\x04\x95", b"\xff\xd8\xff\xe0\x00\x10JFIF"):
        file.write_bytes(content)
        with pytest.raises(QueryError, match="holds no image"):
            read_image(str(file))
