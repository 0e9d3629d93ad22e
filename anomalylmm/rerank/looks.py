"""Chooses what a judge is shown in each question: views, frames of a moment, focus crops; asks nothing itself."""

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from anomalylmm.footage.crops import cut
from anomalylmm.protocols import Judge, PatchTextMapper
from anomalylmm.records import Clip, Floats, Image, Query
from anomalylmm.rerank.asking import Asker
from anomalylmm.rerank.evidence import Look
from anomalylmm.rerank.saliency import focus_box

MAX_FOCUS_AREA = 0.8  # share of the image; a larger focus crop shows nothing new
SIDES = frozenset({"left", "right", "leftmost", "rightmost", "lefthand", "righthand", "clockwise", "counterclockwise"})


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


def iter_looks(groups: Iterable[Sequence[Image]], asker: Asker, *, mirror: bool) -> Iterator[Look]:
    """Yields a look for each group of views, and each of them mirrored; every group is a moment of its own."""
    for moment, shown in enumerate(groups):
        yield asker.build_look(shown, moment)
        if mirror:
            yield asker.build_look(mirrored(shown), moment)


def names_a_side(text: str) -> bool:
    """Returns whether a sentence mentions left or right, which a mirrored picture swaps."""
    return any(word in SIDES for word in re.findall(r"[a-z]+", text.lower()))


def cut_focus_crops(query: Query, views_of: Sequence[Sequence[Image]], mapper: PatchTextMapper) -> list[list[Image]]:
    """Cuts the region of each candidate's best view that shows the behavior most, unless it is nearly all of it."""
    words = [slot.word for slot in query.cloze.slots if slot.kind == "action"]
    text = f"a person is {' and '.join(words)}" if words else query.text
    best = [views[0] for views in views_of if views]
    maps = iter(mapper.patch_maps(best, text)) if best else iter(())
    return [_cut_focus(views[0], next(maps)) if views else [] for views in views_of]


def _cut_focus(image: Image, patch_map: Floats) -> list[Image]:
    height, width = image.shape[:2]
    left, top, right, bottom = focus_box(patch_map, width, height)
    if (right - left) * (bottom - top) > MAX_FOCUS_AREA * width * height:
        return []
    return [cut(image, (left, top, right, bottom))]
