"""Writes interlaced H.264 whose fields are coded one by one (PAFF), which no encoder at hand does.

Every macroblock is uncompressed (I_PCM), so no more than a few headers are needed: ITU-T H.264, 7.3.
"""

import re
from fractions import Fraction
from functools import cache
from pathlib import Path

import av

BLOCKS = 8  # macroblocks of 16 x 16 px in each direction
FPS = 25
DELIMITER = b"\0\0\0\1\x09\x10"


class _Bits:
    def __init__(self) -> None:
        self._bits = ""

    def put(self, *values: tuple[int, int]) -> "_Bits":
        """Appends numbers, each of some bits."""
        self._bits += "".join(f"{value:0{length}b}" for value, length in values)
        return self

    def put_codes(self, *values: int) -> "_Bits":
        """Appends numbers as Exp-Golomb codes."""
        for value in values:
            self.put((value + 1, 2 * (value + 1).bit_length() - 1))
        return self

    def align(self, bit: str) -> "_Bits":
        self._bits += bit
        self._bits += "0" * (-len(self._bits) % 8)
        return self

    def to_unit(self, kind: int) -> bytes:
        """A unit of the stream, with its start code and without other start codes in it."""
        bits = self.align("1")._bits
        raw = bytes(int(bits[place : place + 8], 2) for place in range(0, len(bits), 8))
        return b"\0\0\0\1" + bytes([kind]) + re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", raw)


def _write_headers() -> bytes:
    sequence = _Bits().put((77, 8), (0, 8), (30, 8)).put_codes(0, 4, 0, 4, 1).put((0, 1))
    sequence.put_codes(BLOCKS - 1, BLOCKS // 2 - 1).put(
        (0b00101, 5), (0b00001, 5), (1, 32), (2 * FPS, 32), (0b10000, 5)
    )
    picture = _Bits().put_codes(0, 0).put((0, 2)).put_codes(0, 0, 0).put((0, 3)).put_codes(0, 0, 0).put((0b100, 3))
    return sequence.to_unit(0x67) + picture.to_unit(0x68)


@cache
def _write_field(number: int, bottom: int) -> bytes:
    """A field with a bright column that moves by a macroblock from frame to frame."""
    bits = _Bits().put_codes(0, 7, 0).put((0, 8), (1, 1), (bottom, 1))
    bits = bits.put((bottom, 8), (0, 1)) if bottom else bits.put_codes(number % 2).put((0, 8), (0, 2))
    bits.put_codes(0, 1)
    for block in range(BLOCKS * BLOCKS // 2):
        light = 235 if block % BLOCKS == number % BLOCKS else 60
        bits.put_codes(25).align("").put(*[(light, 8)] * 256, *[(128, 8)] * 128)
    return bits.to_unit(0x61 if bottom else 0x65)


def write_single_fields(path: Path, num_frames: int, *, packets: int = 2) -> Path:
    """Writes frames at 25 a second, each in one packet or, with a packet for each field, in two."""
    frames = [
        (DELIMITER + _write_headers() + _write_field(number % BLOCKS, 0), _write_field(number % BLOCKS, 1))
        for number in range(num_frames)
    ]
    raw = path.with_suffix(".264")
    raw.write_bytes(b"".join(first + second for first, second in frames))
    if path == raw:
        return path
    with av.open(str(raw)) as read, av.open(str(path), "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        for number, fields in enumerate(frames):
            for place, content in enumerate([b"".join(fields)] if packets == 1 else fields):
                packet = av.Packet(content)
                packet.stream, packet.time_base = stream, Fraction(1, 2 * FPS)
                packet.pts = packet.dts = 2 * number + place
                packet.duration, packet.is_keyframe = 2 // packets, place == 0
                written.mux(packet)
    return path
