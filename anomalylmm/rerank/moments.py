"""Shows moments to a judge in the way it takes them, and joins what it reads of single frames; asks nothing itself."""

from collections.abc import Iterator, Sequence

import numpy as np

from anomalylmm.protocols import Judge
from anomalylmm.records import Clip, Image


def split_moment(clip: Clip, judge: Judge) -> Iterator[Sequence[Image]]:
    """Yields what is shown in each question about a moment.

    A judge of video gets the whole clip, a judge of several pictures as many as it takes, spread over the clip, and a
    judge of one picture one frame after another.
    """
    if judge.moment_way == "single":
        yield from ((image,) for image in clip)
    else:
        yield clip if judge.moment_way == "video" else thin(clip, judge.max_views)


def split_views(views: Sequence[Image], size: int) -> list[Sequence[Image]]:
    """Splits stored views into groups of at most ``size``."""
    return [views[start : start + size] for start in range(0, len(views), size)]


def thin(clip: Clip, count: int) -> Clip:
    """Takes at most ``count`` pictures of a clip, spread evenly, the first and last among them."""
    if len(clip) <= count:
        return clip
    kept = np.unique(np.rint(np.linspace(0, len(clip) - 1, count)).astype(int)).tolist()
    return Clip([clip[number] for number in kept], [clip.pts_seconds[number] for number in kept])


def mirrored(views: Sequence[Image]) -> Sequence[Image]:
    """Mirrors views left to right; a clip stays one."""
    flipped = [np.ascontiguousarray(view[:, ::-1]) for view in views]
    return Clip(flipped, views.pts_seconds) if isinstance(views, Clip) else flipped
