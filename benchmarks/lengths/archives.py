"""Archives of repeated videos: any number of cameras, all with the same pictures and no two with the same content."""

from pathlib import Path

from benchmarks.lengths.repeating import check_video, repeat
from flows.index.planning import plan_archive
from flows.settings.model import Settings

FIRST_VIDEO = "2026-03-14/00-00-00.mp4"  # midnight, so that the longest one is of one day


def make_archive(source: Path, folder: Path, cameras: int, seconds: float) -> float:
    """Makes one video a camera, each checked to decode and to be so long; gives the seconds of all together."""
    total = 0.0
    for number in range(1, cameras + 1):
        name = f"camera-{number:03d}"
        path = folder / name / FIRST_VIDEO
        path.parent.mkdir(parents=True)
        true_seconds = repeat(source, path, seconds, comment=name)
        check_video(path, true_seconds)
        total += true_seconds
    return total


def check_plan(archive: Path, settings: Settings, cameras: int) -> None:
    """Looks whether planning takes every camera's video for another one.

    Raises:
        ValueError: It does not.
    """
    nothing = frozenset[str]()
    plan = plan_archive(archive, settings, known=nothing, quarantined=nothing, probe_start=lambda _: None)
    if plan.duplicates or len(plan.units) != cameras:
        raise ValueError(
            f"{cameras} cameras were made, but the plan has {len(plan.units)} units "
            f"and {len(plan.duplicates)} duplicates"
        )
