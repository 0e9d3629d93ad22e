"""The clip of one hit: bystanders' heads blurred, the asked person's box and the time drawn where wanted."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import cv2

from anomalylmm.protocols import ClipCutter, PersonDetector
from anomalylmm.records import Box, CropRow, Floats, Image
from flows.export.bystanders import HOLD_SECONDS, Sighting, blur_regions, bystander_heads, follow
from flows.export.choice import Evidence
from flows.report.page import media_time
from flows.report.pictures import BOX_COLOR

BATCH = 8  # frames shown to the detector at once
TEXT_SHARE = 0.035  # height of burnt-in text, of the frame's
FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipStyle:
    """How clips look."""

    margin_seconds: float = 2.0  # before and after the tracklet
    blur: bool = True
    draw_box: bool = False
    burn_times: bool = False

    @property
    def needs_detector(self) -> bool:
        """Whether anybody must be found anew."""
        return self.blur or self.draw_box


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipNote:
    """What a written clip shows."""

    start_seconds: float  # media time of its first frame
    stop_seconds: float  # of its last
    num_frames: int
    num_asked: int  # frames in which the asked person was recognized; 0 where nobody was looked for
    num_blurred: int  # frames in which a head was blurred


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Who is where in every frame of a clip, in pixels of the source."""

    width_px: int
    asked: dict[float, Box]  # by time
    heads: dict[float, list[Box]]  # to be blurred, by time

    def heads_near(self, pts_seconds: float) -> list[Box]:
        """Heads to be blurred in the frame of a time; none where no frame is near."""
        nearest = min(self.heads, key=lambda time: abs(time - pts_seconds), default=None)
        if nearest is None or abs(nearest - pts_seconds) > HOLD_SECONDS:
            return []
        return self.heads[nearest]


def look(cutter: ClipCutter, detector: PersonDetector, source: Path, evidence: Evidence, style: ClipStyle) -> Scene:
    """Finds everybody anew in every frame of a clip, and who of them is the person asked about.

    Raises:
        VideoError: The source can't be decoded there.
    """
    times: list[float] = []
    boxes: list[Floats] = []
    waiting: list[Image] = []
    width_px = 0
    with closing(cutter.iter_frames(source, *evidence.span(style.margin_seconds))) as frames:
        for image, pts_seconds in frames:
            width_px = width_px or image.shape[1]
            times.append(pts_seconds)
            waiting.append(image)
            if len(waiting) == BATCH:
                boxes += [found.boxes_xyxy_px for found in detector.detect(waiting)]
                waiting = []
    boxes += [found.boxes_xyxy_px for found in detector.detect(waiting)] if waiting else []
    asked = follow(times, boxes, _sight(evidence.crop, width_px))
    heads = bystander_heads(times, boxes, asked)
    own = {time: _to_box(found[mine]) for time, found, mine in zip(times, boxes, asked, strict=True) if mine >= 0}
    return Scene(width_px=width_px, asked=own, heads=dict(zip(times, heads, strict=True)))


def write_clip(
    cutter: ClipCutter, source: Path, evidence: Evidence, style: ClipStyle, scene: Scene | None, target: Path
) -> ClipNote:
    """Writes the clip of one hit.

    Args:
        cutter: Reads and writes frames.
        source: The video.
        evidence: The hit.
        style: How.
        scene: Who is where; None only where nothing is blurred and no box drawn.
        target: The file to write.

    Raises:
        VideoError: The source can't be decoded there, or the clip can't be written.
        ValueError: The style needs a scene and none was given.
    """
    if scene is None and style.needs_detector:
        raise ValueError("heads can't be blurred or boxes drawn without knowing who is where")
    written: list[float] = []
    num_frames = cutter.write(target, _iter_drawn(cutter, source, evidence, style, scene, written))
    return ClipNote(
        start_seconds=written[0],
        stop_seconds=written[-1],
        num_frames=num_frames,
        num_asked=len(scene.asked) if scene else 0,
        num_blurred=sum(bool(heads) for heads in scene.heads.values()) if scene and style.blur else 0,
    )


def _sight(crop: CropRow | None, width_px: int) -> Sighting | None:
    """The crop's box in pixels of the source: the index may have seen smaller frames."""
    if crop is None:
        return None
    left, top, right, bottom = (value * width_px / max(1, crop.frame_width_px) for value in crop.box_xyxy_px)
    return Sighting(pts_seconds=crop.pts_seconds, box_xyxy_px=(left, top, right, bottom))


def _to_box(corners: Floats) -> Box:
    return float(corners[0]), float(corners[1]), float(corners[2]), float(corners[3])


def _iter_drawn(
    cutter: ClipCutter,
    source: Path,
    evidence: Evidence,
    style: ClipStyle,
    scene: Scene | None,
    written: list[float],
) -> Iterator[tuple[Image, float]]:
    """Decodes again and draws; a frame that was not looked at is left out, since nobody knows its heads."""
    with closing(cutter.iter_frames(source, *evidence.span(style.margin_seconds))) as frames:
        for image, pts_seconds in frames:
            if scene is not None and pts_seconds not in scene.heads:
                continue
            drawn = blur_regions(image, scene.heads[pts_seconds]) if scene and style.blur else image.copy()
            if scene and style.draw_box and pts_seconds in scene.asked:
                _draw_box(drawn, scene.asked[pts_seconds])
            if style.burn_times:
                _burn(drawn, describe_moment(evidence.hit, pts_seconds))
            written.append(pts_seconds)
            yield drawn, pts_seconds


def describe_moment(hit: Mapping[str, Any], pts_seconds: float) -> str:
    """Says where and when a frame is from: camera, local wall clock with its zone, media time."""
    moment = hit["start_utc"].replace(tzinfo=UTC) + timedelta(seconds=pts_seconds - hit["start_seconds"])
    local = moment.astimezone(ZoneInfo(hit["time_zone"]))
    return (
        f"{hit['camera']}  {local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 100000} {hit['time_zone']}  "
        f"{media_time(pts_seconds)}"
    )


def _draw_box(image: Image, box: Box) -> None:
    corners = [round(value) for value in box]
    cv2.rectangle(image, corners[:2], corners[2:], BOX_COLOR, max(1, image.shape[0] // 240))


def _burn(image: Image, text: str) -> None:
    """Writes white on black at the lower edge; the font knows ASCII only."""
    plain = text.encode("ascii", "replace").decode()
    height, width = image.shape[:2]
    scale = TEXT_SHARE * height / 22  # this font is 22 pixels tall at scale 1
    (wide, tall), below = cv2.getTextSize(plain, FONT, scale, 1)
    scale *= min(1.0, (width - 8) / max(1, wide))
    cv2.rectangle(image, (0, height - tall - 2 * below), (width, height), (0, 0, 0), -1)
    cv2.putText(image, plain, (4, height - below), FONT, scale, (255, 255, 255), 1, cv2.LINE_AA)
