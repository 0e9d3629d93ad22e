"""The report of labeled clips: Markdown, and a sheet of the hits' pictures under their verdicts."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image as Pictures
from PIL import ImageDraw

from anomalylmm.measure.clip_scores import ClipHit, ClipScores, Verdict
from flows.evaluate.report.failure_sheet import encode_sheet, sheet_font
from flows.evaluate.report.markdown import code, write_table
from flows.index.units.cropping import read_jpeg
from flows.runs.terminal import escape

SHEET = "clips_hits.jpg"
EACH = 24  # most confident hits per verdict
COLUMNS, WIDTH_PX, HEIGHT_PX, GAP_PX, CAPTION_PX, HEAD_PX = 4, 320, 160, 8, 34, 30
_COLORS: Mapping[Verdict, str] = {"false": "#b03a2e", "akin": "#b9770e", "right": "#1e8449"}
LEGEND = (
    "A hit is right if its clip is labeled with a behavior of its query at this time, with a tolerance of 1.5 s. It is "
    "akin if the label is another behavior of the same family (the query asks for a fall, the person is lying), and "
    "false in all other cases. A clip is normal if no query asks for what happens in it, and flagged if it has any hit."
)


def say_figures(figures: Mapping[str, Any]) -> list[str]:
    """Writes the main figures as sentences."""
    hourly = figures["false_hits_per_hour"]
    rate = "no footage" if hourly is None else f"{hourly} per hour, from {figures['footage_seconds']} s of footage"
    return [
        f"events found: {figures['events_found']} of {figures['events']}",
        f"hits: {figures['hits_right']} right, {figures['hits_akin']} akin, {figures['hits_false']} false ({rate})",
        f"clips flagged: {figures['anomalous_clips_flagged']} of {figures['anomalous_clips']} anomalous, "
        f"{figures['normal_clips_flagged']} of {figures['normal_clips']} normal",
    ]


def say_event(event: Mapping[str, Any]) -> str:
    """Names an event by its behavior, its clip and, if labeled, its time."""
    start, stop = event["start_seconds"], event["stop_seconds"]
    if start is None and stop is None:
        return f"{event['behavior']} in {event['file']}"
    return f"{event['behavior']} in {event['file']}, {start or 0:g}-{'end' if stop is None else f'{stop:g}'} s"


def write_clip_markdown(document: Mapping[str, Any]) -> str:
    """Writes the report of a document; file names and queries are escaped."""
    figures = document["figures"]
    lists = {
        "Missed events": [say_event(event) for event in document["events"] if not event["found"]],
        "Normal clips flagged": document["normal_clips_flagged"],
        "Clips in which no person was found": document["clips_without_person"],
        "Notes": document["warnings"],
    }
    columns = ("query", "events", "found", "right", "akin", "false")
    models = ", ".join(f"{role.replace('_', ' ')} {code(name)}" for role, name in document["models"].items())
    lines = [
        f"# Labeled clips: {escape(document['folder'])}\n",
        f"Profile **{escape(document['profile'])}**; {models}.\n",
        *(f"- {line}" for line in say_figures(figures)),
        f"\n{LEGEND}\n",
        *write_table(columns, [(escape(row["query"]), *map(row.get, columns[1:])) for row in document["queries"]]),
    ]
    for title, names in lists.items():
        if names:
            lines += [f"\n## {title}\n", *(f"- {escape(name)}" for name in names)]
    return "\n".join([*lines, f"\n![hits]({SHEET})", ""])


def draw_hit_sheet(scores: ClipScores, pictures: Mapping[str, bytes]) -> bytes:
    """Draws the pictures of the most confident hits that are false, akin and right, as a JPEG."""
    groups = [(verdict, [hit for hit, own in scores.verdicts if own == verdict]) for verdict in _COLORS]
    rows = [-(-min(len(hits), EACH) // COLUMNS) for _, hits in groups]
    height = len(groups) * HEAD_PX + sum(rows) * (HEIGHT_PX + CAPTION_PX) + GAP_PX
    sheet = Pictures.new("RGB", (COLUMNS * (WIDTH_PX + GAP_PX) + GAP_PX, height), "white")
    top = 0
    for (verdict, hits), number in zip(groups, rows, strict=True):
        shown = sorted(hits, key=lambda hit: -hit.confidence)[:EACH]
        heading = f"{verdict}: {len(hits)}" + (f", the {EACH} most confident" if len(hits) > EACH else "")
        ImageDraw.Draw(sheet).text((GAP_PX, top + 6), heading, fill=_COLORS[verdict], font=sheet_font(16))
        _draw_group(sheet, shown, pictures, top + HEAD_PX)
        top += HEAD_PX + number * (HEIGHT_PX + CAPTION_PX)
    return encode_sheet(sheet)


def _draw_group(sheet: Pictures.Image, hits: Sequence[ClipHit], pictures: Mapping[str, bytes], top: int) -> None:
    pen = ImageDraw.Draw(sheet)
    for number, hit in enumerate(hits):
        row, column = divmod(number, COLUMNS)
        left, upper = GAP_PX + column * (WIDTH_PX + GAP_PX), top + row * (HEIGHT_PX + CAPTION_PX)
        if hit.hit_id in pictures:
            picture = read_jpeg(pictures[hit.hit_id])
            pair = picture[: picture.shape[1] // 2]  # without the frames of a moment below it
            drawn = cv2.resize(pair, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)
            sheet.paste(Pictures.fromarray(np.asarray(drawn, np.uint8)), (left, upper))
        text = f"{hit.query} {hit.confidence:.2f}, {hit.start_seconds:.1f}-{hit.stop_seconds:.1f} s\n{hit.file[-48:]}"
        pen.multiline_text((left, upper + HEIGHT_PX + 1), text, fill="#333333", font=sheet_font(12), spacing=1)
