"""The clip of one hit: bystanders' heads blurred, the asked person's box and the time drawn where wanted."""

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from anomalylmm.footage.edits import FrameEdit
from anomalylmm.protocols import ClipCutter
from flows.export.choice import Evidence
from flows.export.looking import Scene
from flows.report.page import media_time

TINY_PX = 32  # width of frames of which only the times are wanted


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


def write_clip(
    cutter: ClipCutter, source: Path, evidence: Evidence, style: ClipStyle, scene: Scene | None, target: Path
) -> ClipNote:
    """Writes the clip of one hit; a frame that was not looked at is left out, since nobody knows its heads.

    Raises:
        VideoError: The source can't be decoded there, or the clip can't be written.
        ValueError: The style needs a scene and none was given.
    """
    if scene is None and style.needs_detector:
        raise ValueError("heads can't be blurred or boxes drawn without knowing who is where")
    span = evidence.span(style.margin_seconds)
    edits: dict[float, FrameEdit] | None = None
    if scene is not None:
        edits = plan_edits(evidence.hit, style, scene.heads, scene)
    elif style.burn_times:
        with closing(cutter.iter_frames(source, *span, TINY_PX)) as frames:
            edits = plan_edits(evidence.hit, style, [pts_seconds for _, pts_seconds in frames], None)
    start, stop, num_frames = cutter.render(source, *span, target, edits)
    return ClipNote(
        start_seconds=start,
        stop_seconds=stop,
        num_frames=num_frames,
        num_asked=len(scene.asked) if scene else 0,
        num_blurred=sum(bool(edit.blurred) for edit in edits.values()) if edits else 0,
    )


def plan_edits(
    hit: Mapping[str, Any], style: ClipStyle, times: Iterable[float], scene: Scene | None
) -> dict[float, FrameEdit]:
    """Says what is drawn over the frame of each time."""
    return {
        time: FrameEdit(
            blurred=tuple(scene.heads[time]) if scene and style.blur else (),
            framed=scene.asked.get(time) if scene and style.draw_box else None,
            text=describe_moment(hit, time) if style.burn_times else "",
        )
        for time in times
    }


def describe_moment(hit: Mapping[str, Any], pts_seconds: float) -> str:
    """Says where and when a frame is from: camera, local wall clock with its zone, media time."""
    moment = hit["start_utc"].replace(tzinfo=UTC) + timedelta(seconds=pts_seconds - hit["start_seconds"])
    local = moment.astimezone(ZoneInfo(hit["time_zone"]))
    return (
        f"{hit['camera']}  {local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 100000} {hit['time_zone']}  "
        f"{media_time(pts_seconds)}"
    )
