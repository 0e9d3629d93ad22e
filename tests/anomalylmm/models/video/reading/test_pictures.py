"""Frames as a person would see them: square pixels, upright, standard colors."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from anomalylmm.models.video.children.clip_writing import write_frames
from anomalylmm.models.video.reading.high_dynamic_range import HLG, PQ, to_standard
from anomalylmm.models.video.reading.pictures import upright
from anomalylmm.records import Image
from tests.adapters import open_video
from tests.anomalylmm.models.video.clips import every, rotate, to_hlg, to_pq, to_wide, write_clip

BRICK = (200, 40, 30)


def write_disk(path: Path, size: tuple[int, int], ratio: Fraction) -> Path:
    """Writes a white disk on black as it is stored with pixels of another shape: round once it is shown."""
    width, height = size
    rows, columns = np.mgrid[:height, :width]
    inside = np.hypot((columns - width / 2) * float(ratio), rows - height / 2) < height / 3
    image = np.where(inside[..., None], 255, 0).astype(np.uint8).repeat(3, axis=2)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.sample_aspect_ratio = ratio
        for number in range(4):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read_first(path: Path, **options: object) -> tuple[Image, int, str]:
    """Returns a video's first frame, the width that its header says, and the decoder used."""
    session = open_video(path, sample_fps=10.0, **options)
    batches = list(session)
    return batches[0].images[0], session.header.width_px, session.report.decoder


def extent(image: Image) -> tuple[int, int]:
    """Width and height of what is bright."""
    bright = image.mean(axis=2) > 127
    return int(bright.any(axis=0).sum()), int(bright.any(axis=1).sum())


@pytest.mark.parametrize(
    ("size", "ratio", "shown"),
    [
        ((704, 480), Fraction(40, 33), (480, 853)),
        ((720, 576), Fraction(16, 11), (576, 1047)),
        ((1440, 1080), Fraction(4, 3), (1080, 1920)),
        ((720, 480), Fraction(8, 9), (480, 640)),
        ((640, 480), Fraction(100, 1), (480, 640)),
    ],
)
@pytest.mark.parametrize("decoder", ["pyav", "decord"])
def test_pixels_that_are_not_square_are_made_square(
    tmp_path: Path, decoder: str, size: tuple[int, int], ratio: Fraction, shown: tuple[int, int]
) -> None:
    path = write_disk(tmp_path / "disk.mp4", size, ratio)
    image, width, used = read_first(path, decoder=decoder)
    assert image.shape[:2] == shown
    assert width == shown[1]
    assert used == (decoder if size[0] == shown[1] else "pyav")
    if ratio < 3:
        assert extent(image)[0] == pytest.approx(extent(image)[1], rel=0.02)


def test_oblong_pixels_are_made_square_before_the_picture_is_turned(tmp_path: Path) -> None:
    path = rotate(write_disk(tmp_path / "turned.mp4", (704, 480), Fraction(40, 33)), 90)
    assert read_first(path)[0].shape == (853, 480, 3)
    small = read_first(path, max_width_px=240)[0]
    assert small.shape == (426, 240, 3)
    assert extent(small)[0] == pytest.approx(extent(small)[1], abs=2)


@pytest.mark.parametrize("color", [BRICK, (30, 160, 30), (30, 30, 200), (128, 128, 128), (90, 60, 40)])
def test_colors_of_high_dynamic_range_look_as_they_would_without(color: tuple[int, int, int]) -> None:
    light = to_wide(color)
    signals = {PQ: to_pq(light * 203), HLG: to_hlg(light * 0.203), 14: light ** (1 / 2.4)}
    for transfer, signal in signals.items():
        picture = np.round(signal * 65535).astype(np.uint16).reshape(1, 1, 3)
        np.testing.assert_allclose(to_standard(picture, transfer)[0, 0], color, atol=3)


def test_light_brighter_than_white_keeps_its_order_and_color() -> None:
    grays = np.round(to_pq(np.array([[100.0], [203.0], [400.0], [1000.0]]) * np.ones(3)) * 65535).astype(np.uint16)
    shown = to_standard(grays[None], PQ)[0].astype(int)
    assert (np.diff(shown[:, 0]) > 1).all()
    assert (np.ptp(shown, axis=1) <= 1).all()
    bright_red = to_standard(np.round(to_pq(to_wide(BRICK) * 800) * 65535).astype(np.uint16).reshape(1, 1, 3), PQ)[0, 0]
    assert bright_red[0] > 200
    assert bright_red[1] < 0.5 * bright_red[0]


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_a_frame_is_mapped_where_only_its_transfer_tells_that_it_is_hdr(transfer: int) -> None:
    signal = to_pq(to_wide(BRICK) * 203) if transfer == PQ else to_hlg(to_wide(BRICK) * 0.203)
    picture = np.tile(np.round(signal * 65535).astype(np.uint16), (16, 16, 1))
    frame = av.VideoFrame.from_ndarray(picture, format="rgb48le")
    assert abs(int(upright(frame)[8, 8, 0]) - BRICK[0]) > 20
    frame.color_trc = transfer
    np.testing.assert_allclose(upright(frame)[8, 8], BRICK, atol=3)


GRAYS = (20, 60, 100, 128, 200, 230)


def write_gray(path: Path, codec: str, *, is_full: bool) -> Path:
    """Writes stripes of ``GRAYS`` without colors, in full or limited range."""
    levels = np.repeat(np.array(GRAYS, float), 32)[None].repeat(96, axis=0)
    luma = np.round(levels if is_full else 16 + levels * 219 / 255).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = luma.shape[1], luma.shape[0], "gray"
        stream.options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
        stream.codec_context.color_range = 2 if is_full else 1
        for number in range(4):
            frame = av.VideoFrame.from_ndarray(luma, format="gray")
            frame.pts, frame.time_base, frame.color_range = number, Fraction(1, 10), 2 if is_full else 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("is_full", [True, False])
@pytest.mark.parametrize("codec", ["libx264", "libx265", "ffv1"])
@pytest.mark.parametrize("decoder", ["pyav", "decord"])
def test_a_gray_video_is_neither_too_bright_nor_too_dark(
    tmp_path: Path, decoder: str, codec: str, is_full: bool
) -> None:
    path = write_gray(tmp_path / "gray.mkv", codec, is_full=is_full)
    image = read_first(path, decoder=decoder)[0]
    np.testing.assert_allclose(image[48, 16::32].mean(axis=1), GRAYS, atol=2)


def write_interlaced(path: Path, codec: str, options: dict[str, str], size: tuple[int, int] = (384, 240)) -> Path:
    """Writes a white bar that moves by 12 pixels from field to field."""
    width, height = size
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = width, height, "yuv420p", options
        stream.bit_rate = 6_000_000
        for number in range(6):
            image = np.full((height, width, 3), 60, np.uint8)
            for field in (0, 1):
                start = 40 + 12 * (2 * number + field)
                image[field::2, start : start + 60] = 230
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p", interpolation="POINT")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


INTERLACED = [
    ("libx264", {"x264-params": "tff=1"}),
    ("libx264", {"x264-params": "bff=1"}),
    ("mpeg2video", {"flags": "+ilme+ildct"}),
]


@pytest.mark.parametrize(("codec", "options"), INTERLACED)
@pytest.mark.parametrize("decoder", ["pyav", "decord"])
def test_what_moves_in_interlaced_video_is_not_combed(
    tmp_path: Path, decoder: str, codec: str, options: dict[str, str]
) -> None:
    path = write_interlaced(tmp_path / "i.mp4", codec, options)
    session = open_video(path, sample_fps=25.0, decoder=decoder)
    images = [image for batch in session for image in batch.images]
    assert len(images) == 6
    for image in images:
        assert image.shape == (240, 384, 3)
        bright = image[8:-8, :, 0] > 130
        assert np.ptp(bright.sum(axis=1)) <= 4, "a line is as wide as its neighbor"
        assert np.ptp(bright.argmax(axis=1)) <= 4, "a line begins where its neighbor does"


def test_one_field_of_an_interlaced_frame_is_made_square_turned_and_small(tmp_path: Path) -> None:
    path = write_interlaced(tmp_path / "turned.mp4", *INTERLACED[0])
    assert read_first(rotate(path, 90), max_width_px=120)[0].shape == (192, 120, 3)
    assert read_first(path, max_width_px=192)[1] == 240


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("decoder", ["pyav", "decord"])
def test_a_mirrored_picture_is_shown_as_its_display_matrix_says(tmp_path: Path, decoder: str, degrees: int) -> None:
    path = tmp_path / "mirrored.mp4"
    write_clip(path, times_ms=every(4))
    stored = read_first(path)[0]
    shown = read_first(rotate(path, degrees, mirrored=True), decoder=decoder)[0]
    np.testing.assert_array_equal(shown, np.rot90(stored[::-1], -degrees // 90))


SKIN = (200, 120, 90)


def write_matrix(path: Path, height: int, matrix: int, tag: int | None) -> Path:
    """Writes a picture of one color, made by a matrix and maybe tagged with one."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.options = 320, height, "yuv420p", {"preset": "ultrafast"}
        if tag is not None:
            stream.codec_context.colorspace = tag
        image = np.full((height, 320, 3), SKIN, np.uint8)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p", dst_colorspace=matrix)
        frame.pts, frame.time_base = 0, Fraction(1, 10)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("height", "matrix", "tag"),
    [(720, 1, None), (576, 6, None), (720, 1, 1), (576, 1, 1), (720, 6, 6), (720, 1, 0), (720, 1, 3)],
)
@pytest.mark.parametrize("decoder", ["pyav", "decord"])
def test_colors_without_a_tag_are_those_that_are_usual_for_the_height(
    tmp_path: Path, height: int, matrix: int, tag: int | None, decoder: str
) -> None:
    image, _, _ = read_first(write_matrix(tmp_path / "skin.mp4", height, matrix, tag), decoder=decoder)
    assert np.abs(image.reshape(-1, 3).mean(axis=0) - SKIN).max() < 3


@pytest.mark.parametrize("height", [480, 720])
def test_an_exported_clip_says_what_its_colors_are(tmp_path: Path, height: int) -> None:
    image = np.full((height, 320, 3), SKIN, np.uint8)
    write_frames(tmp_path / "clip.mp4", [(image, 0.0)], {})
    shown, _, _ = read_first(tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert next(container.decode(video=0)).colorspace == (1 if height == 720 else 6)
    assert np.abs(shown.reshape(-1, 3).mean(axis=0) - SKIN).max() < 3
