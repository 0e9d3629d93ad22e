"""Messages between the decoding child and its parent: one JSON line of fields, then raw pixels. Knows no decoder."""

import json
import struct
from collections.abc import Callable
from typing import Any, BinaryIO

LENGTHS = struct.Struct(">IQ")  # bytes of JSON, bytes of payload
Fields = dict[str, Any]


def write_message(stream: BinaryIO, fields: Fields, payload: "memoryview | bytes" = b"") -> None:
    """Writes one message; blocks while the reader is behind, which is the back-pressure."""
    text = json.dumps(fields).encode()
    stream.write(LENGTHS.pack(len(text), len(payload)) + text)
    stream.write(payload)
    stream.flush()


def read_message(read_exactly: Callable[[int], bytearray]) -> tuple[Fields, bytearray]:
    """Reads one message with a function that gives exactly that many bytes, or raises."""
    text_bytes, payload_bytes = LENGTHS.unpack(read_exactly(LENGTHS.size))
    fields: Fields = json.loads(read_exactly(text_bytes))
    return fields, read_exactly(payload_bytes)
