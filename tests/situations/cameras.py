"""Situations of pictures that are stored turned or mirrored."""

from collections.abc import Iterable

import numpy as np

from tests.anomalylmm.models.video.clips import rotate
from tests.situations.pictures import FALL, Picture, demo_frames, index, write_video
from tests.situations.place import Observed, Place, situation


def count_crops(place: Place, name: str, frames: Iterable[Picture], turn: tuple[int, bool] | None = None) -> int:
    """Indexes a video in an archive of its own; returns the number of crops."""
    part = Place(folder=place.folder / name, code=place.code)
    part.folder.mkdir()
    path = write_video(part.archive / FALL, frames)
    if turn:
        rotate(path, turn[0], mirrored=turn[1])
    index(part)
    rows = part.rows("select count(*) n from crops")
    return int(rows[0]["n"]) if rows else 0


def examine_turn(place: Place, degrees: int, *, mirrored: bool = False) -> Observed:
    """Stores the demo so that its display matrix makes it upright again: as many people as in the demo itself."""
    turned = (np.rot90(image, degrees // 90) for image in demo_frames())
    stored = (np.ascontiguousarray(image[::-1] if mirrored else image) for image in turned)
    found, want = count_crops(place, "turned", stored, (degrees, mirrored)), count_crops(place, "plain", demo_frames())
    return Observed(text=f"{found} crops; {want} of the video itself", right=abs(found - want) <= 0.1 * want)


@situation("as many crops as of the same video that is not turned, within 10 %")
def stored_turned_by_90_degrees(place: Place) -> Observed:
    """A camera that hangs on its side."""
    return examine_turn(place, 90)


@situation("as many crops as of the same video that is not turned, within 10 %")
def stored_upside_down(place: Place) -> Observed:
    """A camera that hangs from the ceiling."""
    return examine_turn(place, 180)


@situation("as many crops as of the same video that is not flipped, within 10 %")
def stored_mirrored(place: Place) -> Observed:
    """A display matrix that only flips the picture, upside down."""
    return examine_turn(place, 0, mirrored=True)
