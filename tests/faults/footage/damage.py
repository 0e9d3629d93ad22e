"""Damage done to the bytes of a video: cut, scrambled, index taken away, clock bent. Arrays of bytes in and out."""

import struct
from collections.abc import Callable

import numpy as np

TS_PACKET = 188
TS_VIDEO_PID = 0x100
TICKS = 90_000


def cut(data: bytes, share: float) -> bytes:
    """Keeps the first part."""
    return data[: max(1, int(len(data) * share))]


def behead(data: bytes, count: int) -> bytes:
    """Takes the first bytes away."""
    return data[count:]


def scramble(data: bytes, rng: np.random.Generator, *, at: float, count: int) -> bytes:
    """Overwrites some bytes with noise."""
    start = int(len(data) * at)
    return data[:start] + rng.bytes(min(count, len(data) - start)) + data[start + count :]


def blank(data: bytes, *, at: float, share: float) -> bytes:
    """Overwrites a part with zeros, as blocks lost by a memory card read."""
    start, count = int(len(data) * at), int(len(data) * share)
    return (data[:start] + bytes(count) + data[start + count :])[: len(data)]


def sprinkle(data: bytes, rng: np.random.Generator, *, count: int, skip: int = 0) -> bytes:
    """Flips single bytes all over."""
    array = np.frombuffer(data, np.uint8).copy()
    array[rng.integers(skip, len(array), count)] ^= rng.integers(1, 256, count).astype(np.uint8)
    return array.tobytes()


def rename(data: bytes, old: bytes, new: bytes) -> bytes:
    """Gives every box, chunk or element of a name another name of the same length."""
    return data.replace(old, new)


def without_index(data: bytes, container: str) -> bytes:
    """Takes away what says where the frames are."""
    if container in ("mp4", "mov"):
        return rename(data, b"moov", b"free")
    if container == "avi":
        return data[: data.rindex(b"idx1")]
    return rename(rename(data, b"\x1c\x53\xbb\x6b", b"\xec\x53\xbb\x6b"), b"\x11\x4d\x9b\x74", b"\xec\x4d\x9b\x74")


def set_box(data: bytes, box: bytes, offset: int, value: int) -> bytes:
    """Writes a 32-bit number into every box of a name, so many bytes after the name."""
    found, array = data.find(box), bytearray(data)
    while found >= 0:
        array[found + 4 + offset : found + 8 + offset] = struct.pack(">I", value & 0xFFFFFFFF)
        found = data.find(box, found + 4)
    return bytes(array)


def set_avi_frames(data: bytes, value: int) -> bytes:
    """Writes another number of frames into an AVI's headers."""
    array = bytearray(data)
    main, stream = data.index(b"avih") + 8 + 16, data.index(b"strh") + 8 + 32
    for place in (main, stream):
        array[place : place + 4] = struct.pack("<I", value)
    return bytes(array)


def bend_clock(data: bytes, bend: Callable[[int, int], int]) -> bytes:
    """Changes the time stamps (number of the frame, ticks) of an MPEG transport stream's video without sound."""
    array, number = bytearray(data), 0
    for start in range(0, len(data) - TS_PACKET + 1, TS_PACKET):
        place = _pts_place(data, start)
        if place is None:
            continue
        flags, ticks = data[place] >> 4, _read_pts(data[place : place + 5])
        bent = bend(number, ticks) % (1 << 33)
        array[place : place + 5] = _write_pts(flags, bent)
        if flags == 0b0011:  # with a decoding time
            array[place + 5 : place + 10] = _write_pts(0b0001, bent)
        number += 1
    return bytes(array)


def _pts_place(data: bytes, start: int) -> int | None:
    first, second, third = data[start + 1 : start + 4]
    if not first & 0x40 or (first & 0x1F) << 8 | second != TS_VIDEO_PID:
        return None
    payload = start + 4 + (1 + data[start + 4] if third & 0x20 else 0)
    has_pts = data[payload : payload + 3] == b"\0\0\1" and data[payload + 7] & 0x80
    return payload + 9 if has_pts else None


def _read_pts(field: bytes) -> int:
    return (field[0] >> 1 & 7) << 30 | field[1] << 22 | field[2] >> 1 << 15 | field[3] << 7 | field[4] >> 1


def _write_pts(flags: int, ticks: int) -> bytes:
    high, middle, low = ticks >> 30 & 7, ticks >> 15 & 0x7FFF, ticks & 0x7FFF
    return bytes([flags << 4 | high << 1 | 1]) + struct.pack(">HH", middle << 1 | 1, low << 1 | 1)
