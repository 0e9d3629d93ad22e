"""The kinds of broken footage: each gives named files, made again the same from the same seed."""

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from tests.anomalylmm.models.video.clips import rotate
from tests.faults.footage import damage as damaged
from tests.faults.footage.clips import FPS, Clip, encode, is_writable, iter_whole

MP4, FAST, MKV, TS, AVI, MOV = (
    Clip(),
    Clip(faststart=True),
    Clip(container="mkv"),
    Clip(container="ts"),
    Clip(container="avi", codec="mpeg4"),
    Clip(container="mov", codec="libx265"),
)
BASES = (FAST, MKV, TS, AVI, MP4, MOV)
VP9, MJPEG = Clip(container="mkv", codec="libvpx-vp9"), Clip(container="avi", codec="mjpeg")
DAMAGED = (*BASES, VP9, Clip(codec="libsvtav1"), MJPEG)
ODD_SIZES = """
ffv1:mkv:1:1 libx264:mp4:7680:4320 mjpeg:avi:161:121 libvpx-vp9:mkv:1:1 mpeg4:mp4:163:99 mjpeg:mov:1:1
mjpeg:avi:7680:4320 libvpx-vp9:mkv:33:17 libx264:ts:2:2 libx264:mp4:4096:16 libx264:mkv:16:2304 ffv1:mkv:3:2000
libx265:mp4:7680:4320 mpeg4:avi:1:300
"""
FAR_TIMES = (-2_000_000_000, 9_000_000_000, 14_000_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """One file to be made."""

    name: str
    make: Callable[[Path], object]  # given where
    seconds: float = 0.0  # of picture before the damage
    is_file: bool = True  # else an index run may pass it over


Kind = Callable[[np.random.Generator], Iterator[Specimen]]


def of_bytes(name: str, data: bytes, seconds: float = 0.0) -> Specimen:
    """A specimen of some bytes."""
    return Specimen(name=name, make=lambda path: path.write_bytes(data), seconds=seconds)


def _named(clip: Clip, note: str) -> str:
    return f"{clip.codec.removeprefix('lib')}{'-fast' if clip.faststart else ''}-{note}.{clip.container}"


def whole(_: np.random.Generator) -> Iterator[Specimen]:
    for clip in sorted(iter_whole(), key=lambda clip: clip.container != "mp4"):
        yield of_bytes(_named(clip, "whole"), encode(clip), clip.seconds)
    for clip in (Clip(num_sounds=2), Clip(num_sounds=3, container="mkv"), Clip(num_sounds=2, container="ts")):
        yield of_bytes(_named(clip, f"sounds{clip.num_sounds}"), encode(clip), clip.seconds)
    for clip in (Clip(bframes=2), Clip(bframes=3, container="ts"), Clip(start_frames=80, container="mkv")):
        yield of_bytes(_named(clip, f"b{clip.bframes}-late{clip.start_frames}"), encode(clip), clip.seconds)


def cut(_: np.random.Generator) -> Iterator[Specimen]:
    for tenth in (6, 3, 9, 1, 2, 4, 5, 7, 8):
        for clip in BASES:
            yield of_bytes(_named(clip, f"cut{tenth}"), damaged.cut(encode(clip), tenth / 10), clip.seconds)


def beheaded(_: np.random.Generator) -> Iterator[Specimen]:
    for count in (600, 20, 3000):
        for clip in (TS, FAST, MKV, AVI, MP4, MOV):
            yield of_bytes(_named(clip, f"without{count}"), damaged.behead(encode(clip), count), clip.seconds)


def scrambled(rng: np.random.Generator) -> Iterator[Specimen]:
    for turn, count in enumerate((400, 40, 4000, 1500, 8)):
        for clip in DAMAGED:
            data = damaged.scramble(encode(clip), rng, at=float(rng.uniform(0.3, 0.7)), count=count)
            yield of_bytes(_named(clip, f"noise{turn}"), data, clip.seconds)


def blanked(rng: np.random.Generator) -> Iterator[Specimen]:
    for share in (0.2, 0.05, 0.5):
        for clip in DAMAGED:
            data = damaged.blank(encode(clip), at=float(rng.uniform(0.3, 0.6)), share=share)
            yield of_bytes(_named(clip, f"zeros{share}"), data, clip.seconds)


def sprinkled(rng: np.random.Generator) -> Iterator[Specimen]:
    for turn, count in enumerate((5, 40, 400)):
        for clip in DAMAGED:
            data = damaged.sprinkle(encode(clip), rng, count=count, skip=0 if turn else 1000)
            yield of_bytes(_named(clip, f"flips{count}"), data, clip.seconds)


def no_index(_: np.random.Generator) -> Iterator[Specimen]:
    for clip in (MKV, AVI, MP4, MOV, FAST, VP9, MJPEG):
        yield of_bytes(_named(clip, "noindex"), damaged.without_index(encode(clip), clip.container), clip.seconds)


def no_video(rng: np.random.Generator) -> Iterator[Specimen]:
    yield of_bytes("text.mp4", b"this is no video\n" * 50)
    yield of_bytes("picture.mp4", _jpeg())
    yield of_bytes("empty.mp4", b"")
    yield Specimen(name="folder.mp4", make=Path.mkdir, is_file=False)
    yield of_bytes("sound.mp4", encode(Clip(has_picture=False, num_sounds=1)))
    yield of_bytes("noise.mkv", rng.bytes(50_000))
    yield of_bytes("one-byte.avi", b"R")
    yield of_bytes("page.ts", b"<html><body>" + b"not found " * 100)
    yield of_bytes("playlist.mp4", b"#EXTM3U\n#EXTINF:3,\n/etc/passwd\n#EXTINF:3,\nhttp://192.0.2.1/x.ts\n")
    yield of_bytes("list.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n")
    yield of_bytes("zip.mov", b"PK\x03\x04" + rng.bytes(3000))
    yield of_bytes("three-sounds.mkv", encode(Clip(has_picture=False, num_sounds=3, container="mkv")))
    yield of_bytes("zeros.mp4", bytes(20_000))
    yield of_bytes("empty-too.mkv", b"")


def _jpeg() -> bytes:
    stream = encode(Clip(codec="mjpeg", container="avi", num_frames=1))
    start = stream.index(b"\xff\xd8\xff")
    return stream[start : stream.index(b"\xff\xd9", start) + 2]


def wrong_suffix(_: np.random.Generator) -> Iterator[Specimen]:
    for clip, suffix in zip((MKV, MP4, TS, AVI, MOV, MKV, TS), "mp4 avi mov mkv ts MPEG h264".split(), strict=True):
        yield of_bytes(f"really-{clip.container}.{suffix}", encode(clip), clip.seconds)


def over_reported(_: np.random.Generator) -> Iterator[Specimen]:
    for times in (10, 100_000):
        data = encode(FAST)
        yield of_bytes(f"stts{times}.mp4", damaged.set_box(data, b"stts", 8, 24 * times), FAST.seconds)
        yield of_bytes(f"frames{times}.avi", damaged.set_avi_frames(encode(AVI), 24 * times), AVI.seconds)
        yield of_bytes(f"stsz{times}.mp4", damaged.set_box(data, b"stsz", 8, 24 * times), FAST.seconds)
        yield of_bytes(f"duration{times}.mp4", damaged.set_box(data, b"mvhd", 16, 3000 * times), FAST.seconds)
        mdhd = damaged.set_box(damaged.set_box(data, b"mdhd", 16, 1 << 31), b"tkhd", 20, 1 << 31)
        yield of_bytes(f"track{times}.mp4", damaged.cut(mdhd, 1 - 1 / (times + 1)), FAST.seconds)
        frames = damaged.set_avi_frames(encode(Clip(container="avi", codec="mjpeg")), 24 * times)
        yield of_bytes(f"frames{times}-mjpeg.avi", frames, AVI.seconds)


def bent_clock(rng: np.random.Generator) -> Iterator[Specimen]:
    second, data = damaged.TICKS, encode(TS)
    bends: dict[str, Callable[[int, int], int]] = {  # (number of the frame, its ticks) to other ticks
        "restarts": lambda n, ticks: ticks - (second if n >= 12 else 0) * 3 // 2,
        "frozen": lambda n, ticks: ticks if n < 6 else second,
        "leaps": lambda n, ticks: ticks + (second * 80_000 if n >= 12 else 0),
        "repeated": lambda n, ticks: ticks - n % 2 * (second // FPS),
        "negative": lambda _, ticks: ticks - 2 * second - second // 2,
        "slip": lambda n, ticks: ticks + (second * 40_000 if n == 10 else 0),
        "backwards": lambda _, ticks: second * 100 - ticks,
        "jitter": lambda _, ticks: ticks + int(rng.normal(0, second / 20)),
        "random": lambda *_: int(rng.integers(0, 1 << 33)),
        "wraps": lambda _, ticks: ticks + (1 << 33) - 3 * second,
        "gap": lambda n, ticks: ticks + (second * 3600 if n >= 12 else 0),
        "zero": lambda *_: 0,
    }
    yield of_bytes("joined.ts", data + encode(Clip(container="ts", num_frames=16)), 5.0)
    for name, bend in bends.items():
        yield of_bytes(f"{name}.ts", damaged.bend_clock(data, bend), TS.seconds)
    for name, delta in (("still", 0), ("huge", 1 << 30), ("leaping", 200_000_000)):
        yield of_bytes(f"stts-{name}.mp4", damaged.set_box(encode(FAST), b"stts", 12, delta), FAST.seconds)
    yield of_bytes("stts-fast.mp4", damaged.set_box(encode(FAST), b"stts", 12, 1))  # 24 frames in 2 ms, so one sample


def turned(_: np.random.Generator) -> Iterator[Specimen]:
    for degrees in (90, 180, 270):
        yield Specimen(
            name=f"turned{degrees}.mp4", make=lambda path, degrees=degrees: _turn(path, degrees), seconds=3.0
        )


def _turn(path: Path, degrees: int) -> None:
    path.write_bytes(encode(MP4))
    rotate(path, degrees)


def odd_sizes(_: np.random.Generator) -> Iterator[Specimen]:
    for text in ODD_SIZES.split():
        codec, container, *sides = text.split(":")
        size = (int(sides[0]), int(sides[1]))
        clip = Clip(codec=codec, container=container, size=size, num_frames=4 if size[0] * size[1] > 1 << 22 else 16)
        if is_writable(clip):
            yield of_bytes(_named(clip, "x".join(sides)), encode(clip), clip.seconds)


def changing(_: np.random.Generator) -> Iterator[Specimen]:
    small = Clip(container="ts", size=(80, 60), num_frames=16)
    large = Clip(container="ts", num_frames=16, start_frames=16)
    yield of_bytes("size-changes.ts", encode(small) + encode(large), 4.0)
    hevc = Clip(container="ts", codec="libx265", num_frames=16)
    yield of_bytes("codec-changes.ts", encode(small) + encode(hevc), 2.0)
    yield of_bytes("two-mp4.mp4", encode(FAST) + encode(Clip(faststart=True, num_frames=8)), 3.0)
    yield of_bytes("two-mkv.mkv", encode(MKV) + encode(Clip(container="mkv", num_frames=8)), 3.0)
    yield of_bytes("trailing-noise.mp4", encode(MP4) + bytes(100_000), 3.0)


def special_files(_: np.random.Generator) -> Iterator[Specimen]:
    good = encode(Clip(num_frames=12))
    yield Specimen(name="pipe.mp4", make=os.mkfifo)
    yield Specimen(name="dangling.mp4", make=lambda path: path.symlink_to("nothing.mp4"))
    yield Specimen(name="circle.mp4", make=lambda path: path.symlink_to(path.name))
    yield Specimen(name="locked.mp4", make=lambda path: (path.write_bytes(good), path.chmod(0)), seconds=1.5)
    yield Specimen(name="socket.mp4", make=_bind)
    yield Specimen(name="outside.mp4", make=lambda path: path.symlink_to("/nowhere/else.mp4"), is_file=False)
    yield Specimen(name="endless.mp4", make=lambda path: path.symlink_to("/dev/zero"), is_file=False)
    for index, seconds in enumerate(FAR_TIMES):
        clip = Clip(num_frames=13 + index)
        yield Specimen(name=f"time{index}.mp4", seconds=clip.seconds, make=partial(_date, clip=clip, seconds=seconds))


def _date(path: Path, *, clip: Clip, seconds: int) -> None:
    path.write_bytes(encode(clip))
    os.utime(path, (0, seconds))


def _bind(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(path.name)
    finally:
        os.chdir(here)


def odd_names(_: np.random.Generator) -> Iterator[Specimen]:
    names = (
        os.fsdecode(b"caf\xe9.mp4"),
        "gate/0001-01-01/00-00-00.mp4",
        "-y.mp4",
        "a\nb'\"$(c) %03d.mp4",
        "http:x.mp4",
        "n" * 250 + ".mp4",
        "gate/9999-12-31/23-59-59.mp4",
    )
    for index, name in enumerate(names):
        clip = Clip(num_frames=8 + index)
        yield Specimen(name=name, make=lambda path, clip=clip: path.write_bytes(encode(clip)), seconds=clip.seconds)


KINDS: dict[str, tuple[Kind, int]] = {  # with how many of each are made in a short run
    "whole, each codec and container": (whole, 5),
    "cut off": (cut, 4),
    "head missing": (beheaded, 2),
    "noise in the middle": (scrambled, 4),
    "zeros in the middle": (blanked, 2),
    "flipped bytes": (sprinkled, 2),
    "index missing": (no_index, 3),
    "no video, or empty": (no_video, 6),
    "wrong suffix": (wrong_suffix, 2),
    "over-reported frames": (over_reported, 2),
    "broken clock": (bent_clock, 5),
    "turned": (turned, 1),
    "odd or extreme size": (odd_sizes, 2),
    "changes midway": (changing, 1),
    "special files": (special_files, 4),
    "odd names": (odd_names, 2),
}


def make_kind(name: str, folder: Path, *, short: bool, seed: int = 7) -> list[Specimen]:
    """Makes the files of one kind in a folder."""
    kind, count = KINDS[name]
    specimens = list(islice(kind(np.random.default_rng(seed)), count if short else None))
    for specimen in specimens:
        path = folder / specimen.name
        path.parent.mkdir(parents=True, exist_ok=True)
        specimen.make(path)
    return specimens
