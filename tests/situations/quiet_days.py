"""Situations of an archive without trouble: they show that the others measure trouble, not the commands."""

import shutil

from tests.end_to_end.demo_archive import DEMO, cut_video
from tests.situations.place import Observed, Place, situation


@situation("both cameras and their start times, from the names")
def the_demo_archive_itself(place: Place) -> Observed:
    """Indexes two short videos of the demo archive."""
    for name in ("square/2026-03-14/12-40-30.mp4", "carpark/2026-03-14/16-05-24.mp4"):
        if (DEMO / name).exists():
            cut_video(name, place.archive / name, 4.0)
    done = place.run("index", place.archive, "--store", place.store)
    found = place.rows("select distinct camera, clock_source from videos order by camera")
    text = f"exit {done.returncode}; {[tuple(row.values()) for row in found]}"
    shutil.rmtree(place.store, ignore_errors=True)
    return Observed(text=text, right=done.returncode == 0 and len(found) == 2)
