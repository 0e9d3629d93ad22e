"""Situations of damaged pictures, oblong pixels, HDR, gray, noisy and useless pictures."""

import base64
import json
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from anomalylmm.models.video.reading.high_dynamic_range import PQ
from tests.anomalylmm.models.video.clips import (
    count_decoded,
    every,
    overwrite_packets,
    rotate,
    to_pq,
    to_wide,
    write_clip,
)
from tests.end_to_end.demo_archive import DEMO
from tests.situations.place import Observed, Place, situation

FALL = "gate/2026-03-14/10-15-00.mp4"
FPS = 12
FIRST_SECOND, NUM_SECONDS = 6.0, 6.0  # of the fall
Picture = NDArray[np.uint8]
QUIET = {"x265-params": "log-level=none:bframes=0"}


def demo_frames() -> Iterator[Picture]:
    """Yields frames of the demo archive in which people walk and one falls."""
    with av.open(str(DEMO / FALL)) as container:
        for frame in container.decode(video=0):
            if FIRST_SECOND <= frame.time < FIRST_SECOND + NUM_SECONDS:
                yield frame.to_ndarray(format="rgb24")


def write_video(
    path: Path, frames: Iterable[NDArray[Any]], *, fps: int = FPS, transfer: int = PQ, **stream_options: Any
) -> Path:
    """Writes frames; 16-bit ones as HDR in HEVC with 10 bit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stream: Any = None
    with av.open(str(path), "w") as container:
        for number, image in enumerate(frames):
            is_hdr = image.dtype == np.uint16
            if stream is None:
                stream = container.add_stream("libx265" if is_hdr else "libx264", rate=fps)
                stream.width, stream.height = image.shape[1], image.shape[0]
                stream.pix_fmt = "yuv420p10le" if is_hdr else "yuv420p"
                color = f":colorprim=bt2020:colormatrix=bt2020nc:transfer={transfer}" if is_hdr else ""
                stream.options = {"preset": "ultrafast", "x265-params": f"log-level=none{color}"}
                for name, value in stream_options.items():
                    setattr(stream.codec_context, name, value)
            frame = av.VideoFrame.from_ndarray(image, format="rgb48le" if is_hdr else "rgb24")
            if is_hdr:
                frame = frame.reformat(format="yuv420p10le", dst_colorspace=9)
                frame.color_primaries, frame.color_trc = 9, transfer
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def index(place: Place) -> dict[str, Any]:
    """Indexes and sweeps the archive, so that ``sql`` can read it; returns the report of the index."""
    done = place.run("index", place.archive, "--store", place.store, "--json")
    place.run("sweep", "--store", place.store)
    return json.loads(done.stdout) if done.stdout.startswith("{") else {"state": f"exit {done.returncode}"}


def examine_damage(place: Place, codec: str, first: int, stop: int) -> Observed:
    """Overwrites packets of a clip and compares the coverage with the frames that plain PyAV decodes."""
    path = place.archive / "gate/2026-03-14/10-15-00.mp4"
    path.parent.mkdir(parents=True)
    write_clip(path, codec=codec, times_ms=every(135), gop=45, encoder=QUIET if codec == "libx265" else None)
    count = count_decoded(overwrite_packets(path, first, stop))
    state = index(place)["state"]
    rows = place.rows("select coverage from videos")
    coverage = rows[0]["coverage"] if rows else 0.0
    text = f"{count} of 135 frames decode ({count / 135:.3f}); coverage {coverage:.3f}; {state}"
    return Observed(text=text, right=abs(coverage - count / 135) < 0.02 and state == "Degraded")


@situation("coverage is the share of the frames that decode")
def an_h264_video_damaged_in_front(place: Place) -> Observed:
    """Damages the first of three key frames and what follows."""
    return examine_damage(place, "libx264", 0, 30)


@situation("coverage is the share of the frames that decode")
def an_h264_video_damaged_in_the_middle(place: Place) -> Observed:
    """Damages the second of three key frames and what follows."""
    return examine_damage(place, "libx264", 45, 75)


@situation("coverage is the share of the frames that decode")
def an_h264_video_damaged_at_the_end(place: Place) -> Observed:
    """Damages the last packets."""
    return examine_damage(place, "libx264", 100, 135)


@situation("coverage is the share of the frames that decode")
def an_h265_video_damaged_in_front(place: Place) -> Observed:
    """Damages the first of three key frames."""
    return examine_damage(place, "libx265", 0, 3)


@situation("coverage is the share of the frames that decode")
def an_h265_video_with_one_lost_reference(place: Place) -> Observed:
    """Damages one packet, without which no frame decodes up to the next key frame."""
    return examine_damage(place, "libx265", 48, 49)


@situation("coverage is the share of the frames that decode")
def an_h265_video_damaged_at_the_end(place: Place) -> Observed:
    """Damages the last packets."""
    return examine_damage(place, "libx265", 100, 135)


def examine_shape(place: Place, size: tuple[int, int], ratio: Fraction, shown: float) -> Observed:
    """Stores the demo with pixels that are not square; the frames of its crops must have the right shape."""
    frames = (cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in demo_frames())
    write_video(place.archive / FALL, frames, sample_aspect_ratio=ratio)
    index(place)
    rows = place.rows("select frame_width_px w, frame_height_px h, count(*) n from crops group by all")
    text = ", ".join(f"{row['n']} crops of frames of {row['w']} x {row['h']}" for row in rows) or "no crops"
    return Observed(text=text, right=bool(rows) and all(abs(row["w"] / row["h"] - shown) < 0.01 for row in rows))


@situation("crops of frames of 16:9")
def pixels_of_40_to_33(place: Place) -> Observed:
    """A recorder's 704 x 480."""
    return examine_shape(place, (704, 480), Fraction(40, 33), 704 * 40 / 33 / 480)


@situation("crops of frames of 16:9")
def pixels_of_16_to_11(place: Place) -> Observed:
    """PAL, 720 x 576."""
    return examine_shape(place, (720, 576), Fraction(16, 11), 720 * 16 / 11 / 576)


@situation("crops of frames of 16:9")
def pixels_of_4_to_3(place: Place) -> Observed:
    """HDV, 1440 x 1080."""
    return examine_shape(place, (1440, 1080), Fraction(4, 3), 16 / 9)


@situation("crops of frames of 9:16 for a turned camera with oblong pixels")
def turned_and_oblong(place: Place) -> Observed:
    """A camera that hangs on its side: the display matrix turns what the pixels' shape has stretched."""
    frames = (cv2.resize(np.rot90(image), (480, 704)) for image in demo_frames())
    rotate(write_video(place.archive / FALL, frames, sample_aspect_ratio=Fraction(33, 40)), 90)
    index(place)
    rows = place.rows("select distinct frame_width_px w, frame_height_px h from crops")
    shown = 704 / (480 * 33 / 40)
    text = ", ".join(f"{row['w']} x {row['h']}" for row in rows) or "no crops"
    return Observed(text=text, right=bool(rows) and all(abs(row["w"] / row["h"] - shown) < 0.01 for row in rows))


def mean_color(place: Place) -> NDArray[np.float64] | None:
    """Mean color of the first crops, or None without crops."""
    rows = place.rows("select base64(jpeg) picture from crops order by pts_seconds, crop_id limit 20")
    pictures = [cv2.imdecode(np.frombuffer(base64.b64decode(row["picture"]), np.uint8), 1) for row in rows]
    return np.mean([picture.reshape(-1, 3).std(axis=0) for picture in pictures], axis=0) if pictures else None


@situation("the contrast of the crops' colors as in the same video without HDR")
def high_dynamic_range(place: Place) -> Observed:
    """Writes the demo once as it is and once as HDR (PQ), as a phone or a new camera does."""
    wide = np.stack([to_wide(tuple(row)) for row in (np.eye(3) * 255).astype(int).tolist()], axis=1)
    light = (np.arange(256) / 255.0) ** 2.4

    def to_hdr(image: Picture) -> NDArray[np.uint16]:
        return np.round(to_pq(light[image] @ wide.T * 203) * 65535).astype(np.uint16)

    spreads = []
    for name, frames in (("plain", demo_frames()), ("hdr", map(to_hdr, demo_frames()))):
        part = Place(folder=place.folder / name, code=place.code)
        part.folder.mkdir()
        write_video(part.archive / FALL, frames)
        index(part)
        spreads.append(mean_color(part))
    plain, hdr = spreads
    if plain is None or hdr is None:
        return Observed(text="no crops", right=False)
    share = hdr / plain
    return Observed(text=f"contrast of blue, green, red: {np.round(share, 2)} times", right=bool((share > 0.85).all()))


@situation("a hit, although the picture of an infrared camera can't show red, and a reason that says so")
def a_gray_camera_and_a_query_with_a_color(place: Place) -> Observed:
    """Asks for a color that a gray picture can't show."""
    gray = (cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB) for image in demo_frames())
    write_video(place.archive / FALL, gray)
    index(place)
    done = place.run("search", "a man in red clothes lying on the ground", "--store", place.store, "--json")
    text = "the reason says no color" if "no color" in done.stdout else "the reason says nothing about gray"
    return Observed(text=f"{text}; exit {done.returncode}", right="no color" in done.stdout)


@situation("at least 8, 6 and 4 of 10 crops with noise of 25, 40 and 60 gray levels, or a note that nobody is found")
def strong_noise(place: Place) -> Observed:
    """Adds a sensor's noise to the demo."""
    random = np.random.default_rng(0)
    counts, is_right = [], True
    for sigma, least in ((0, 0.0), (25, 0.8), (40, 0.6), (60, 0.4)):
        part = Place(folder=place.folder / str(sigma), code=place.code)
        part.folder.mkdir()
        noisy = (np.clip(i + random.normal(0, sigma, i.shape), 0, 255).astype(np.uint8) for i in demo_frames())
        write_video(part.archive / FALL, noisy)
        report = index(part)
        counts.append(report.get("crops", 0))
        is_told = any("no person was found" in note for note in report.get("notes", []))
        is_right &= counts[-1] >= least * counts[0] or is_told
    return Observed(text=f"crops without noise and with each: {counts}", right=is_right and counts[0] > 5)


@situation("a note that nobody is found although the picture changes")
def a_picture_that_changes_without_people(place: Place) -> Observed:
    """A wall on which bright stripes move for a minute, as a broken camera or rain shows them."""
    lines = np.arange(270)[:, None, None]
    bright = (np.where((lines + 31 * second) % 90 < 20, 220, 60) for second in range(90))
    write_video(place.archive / FALL, (np.broadcast_to(b, (270, 480, 3)).astype(np.uint8) for b in bright), fps=1)
    notes = [note for note in index(place).get("notes", []) if "no person was found" in note]
    return Observed(text="; ".join(notes) or "no word of it", right=bool(notes))


@situation(
    "by default a note on the least height; with the camera's image_size in the settings, more than twice the crops"
)
def small_people_in_4k(place: Place) -> Observed:
    """Lays the demo, made small, on a still 4K picture: people are about 100 px high."""
    still = cv2.resize(next(demo_frames()), (3840, 2160), interpolation=cv2.INTER_CUBIC)

    def enlarge(image: Picture) -> Picture:
        whole = still.copy()
        whole[1200:1560, 1400:2040] = cv2.resize(image, (640, 360), interpolation=cv2.INTER_AREA)
        return whole

    write_video(place.archive / FALL, map(enlarge, demo_frames()))
    own = place.folder / "own.toml"
    own.write_text('[[cameras]]\nname = "gate"\nmax_width = 1920\nimage_size = 1664\n')
    counts, notes = [], []
    for store, more in (("store", ()), ("own", ("--settings", own))):
        done = place.run("index", place.archive, "--store", place.folder / store, "--json", *more)
        report = json.loads(done.stdout)
        counts.append(report["crops"])
        notes.append(any("px in height" in note for note in report["notes"]))
    text = f"{counts[0]} crops, {'a' if notes[0] else 'no'} note; with image_size {counts[1]} crops"
    return Observed(text=text, right=notes == [True, False] and counts[1] > 2 * counts[0])


def examine_blindness(place: Place, image: Picture, word: str, *, noise: float, seconds: int) -> Observed:
    """Films one picture, once a second; the report must name what is wrong."""
    random = np.random.default_rng(0)
    base = image.astype(np.float32)
    frames = (np.clip(base + random.normal(0, noise, base.shape), 0, 255).astype(np.uint8) for _ in range(seconds))
    write_video(place.archive / FALL, frames, fps=1)
    report = index(place)
    notes = [note for note in report.get("notes", []) if word in note]
    return Observed(text="; ".join(notes) or f"no word of it; {report['state']}", right=bool(notes))


@situation("a note that the picture is black")
def a_covered_lens(place: Place) -> Observed:
    """A black picture with a little noise."""
    return examine_blindness(place, np.full((270, 480, 3), 6, np.uint8), "black", noise=3, seconds=120)


@situation("a note that the picture is overexposed")
def an_overexposed_camera(place: Place) -> Observed:
    """A white picture with a dark edge."""
    image = np.full((270, 480, 3), 255, np.uint8)
    image[:, :40] = 90
    return examine_blindness(place, image, "overexposed", noise=1, seconds=120)


@situation("a note that the picture does not change")
def a_hung_camera(place: Place) -> Observed:
    """Ten minutes of the very same picture."""
    image = cv2.resize(next(demo_frames()), (480, 270), interpolation=cv2.INTER_AREA)
    return examine_blindness(place, image, "does not change", noise=0, seconds=600)


@situation("no note about the picture of a still scene with a sensor's noise")
def a_still_scene_is_not_a_hung_camera(place: Place) -> Observed:
    """Ten minutes of a scene in which nothing happens."""
    image = cv2.resize(next(demo_frames()), (480, 270), interpolation=cv2.INTER_AREA)
    seen = examine_blindness(place, image, "the picture", noise=6, seconds=600)
    return Observed(text=seen.text, right=not seen.right)
