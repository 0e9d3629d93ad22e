"""Draws the failure sheet: the query, the picture that answers it and the picture that was ranked first."""

import io
import textwrap
from collections.abc import Sequence
from typing import Any

from PIL import Image as Pictures
from PIL import ImageDraw, ImageFont

from flows.evaluate.benchmark.records import Benchmark, read_picture
from flows.evaluate.report.failures import CATEGORIES, Category, Failure

EACH = 8  # failures per category
SIDE_PX, GAP_PX, WIDTH_PX, HEAD_PX, TITLE_PX = 168, 10, 980, 34, 56
QUALITY = 88
_COLORS: dict[Category, str] = {
    "wrong person": "#b03a2e",
    "wrong behavior": "#b9770e",
    "unlabeled positive": "#1e8449",
    "not known": "#555555",
}
_LINE_CHARACTERS, _MAX_LINES = 74, 8


def draw_sheet(benchmark: Benchmark, failures: Sequence[Failure], title: str) -> bytes:
    """Draws the worst failures of each category as a JPEG, or a sheet that says that there are none."""
    groups = [(category, [item for item in failures if item.category == category]) for category in CATEGORIES]
    groups = [(category, items) for category, items in groups if items]
    height = TITLE_PX + sum(HEAD_PX + min(EACH, len(items)) * (SIDE_PX + GAP_PX) for _, items in groups) + GAP_PX
    sheet = Pictures.new("RGB", (WIDTH_PX, height), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((GAP_PX, GAP_PX), title if groups else f"{title}: no failures", fill="black", font=sheet_font(18))
    legend = "left: a correct picture; right: ranked first"
    pen.text((GAP_PX, GAP_PX + 24), legend, fill="#555555", font=sheet_font(13))
    top = TITLE_PX
    for category, items in groups:
        shown = items[:EACH]
        heading = f"{category}: {len(items)} of {len(failures)} failures, the worst {len(shown)}"
        pen.text((GAP_PX, top + 8), heading, fill=_COLORS[category], font=sheet_font(16))
        top += HEAD_PX
        for item in shown:
            _draw_row(sheet, benchmark, item, top)
            top += SIDE_PX + GAP_PX
    return encode_sheet(sheet)


def _draw_row(sheet: Pictures.Image, benchmark: Benchmark, failure: Failure, top: int) -> None:
    images = [benchmark.images[place] for place in (failure.own, failure.first)]
    for column, image in enumerate(images):
        picture = Pictures.fromarray(read_picture(image.path))
        scale = SIDE_PX / max(picture.size)
        picture = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
        left = GAP_PX + column * (SIDE_PX + GAP_PX) + (SIDE_PX - picture.width) // 2
        sheet.paste(picture, (left, top + (SIDE_PX - picture.height) // 2))
    left = 3 * GAP_PX + 2 * SIDE_PX
    lines = textwrap.wrap(failure.query.text, _LINE_CHARACTERS)
    lines = lines if len(lines) <= _MAX_LINES else [*lines[: _MAX_LINES - 1], "..."]
    pen = ImageDraw.Draw(sheet)
    pen.multiline_text((left, top), "\n".join(lines), fill="black", font=sheet_font(14))
    names = f"{images[0].name} at rank {failure.rank + 1}; first: {images[1].name}"
    pen.text((left, top + SIDE_PX - 20), names, fill="#555555", font=sheet_font(12))


def sheet_font(size: int) -> Any:
    """Loads the font of the sheets in a size in pixels."""
    return ImageFont.load_default(size)


def encode_sheet(sheet: Pictures.Image) -> bytes:
    """Encodes a sheet as JPEG."""
    content = io.BytesIO()
    sheet.save(content, "JPEG", quality=QUALITY)
    return content.getvalue()
