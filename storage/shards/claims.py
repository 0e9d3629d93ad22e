"""Finds the shard that already holds a video, just before another is published, so that no crop exists twice."""

from contextlib import suppress

from anomalylmm.errors import StoreBusyError, StoreError
from storage.disk.layout import CROPS_FILE, StoreLayout
from storage.shards.manifest import ShardManifest, read_manifest


def find_holder(layout: StoreLayout, built: ShardManifest) -> ShardManifest | None:
    """The shard of the same camera and day in which another run has meanwhile published all videos of ``built``.

    Raises:
        StoreBusyError: If other shards hold some of its videos, but not all.
    """
    own = {video.video_id for video in built.videos}
    others = [(manifest, own & {video.video_id for video in manifest.videos}) for manifest in _siblings(layout, built)]
    held = set[str]().union(*(ids for _, ids in others))
    if held and held != own:
        paths = sorted(video.path for video in built.videos if video.video_id in held)
        raise StoreBusyError(
            f"Another index run has meanwhile published {len(held)} of {len(own)} videos of camera "
            f"{built.key.camera!r} on {built.key.date}, such as {paths[0]!r}. Run again when it has finished: only "
            "the rest is indexed."
        )
    return next((manifest for manifest, ids in others if ids), None)


def _siblings(layout: StoreLayout, built: ShardManifest) -> list[ShardManifest]:
    """Other intact shards of the camera and day; damaged ones don't count, as their videos are indexed again."""
    found = []
    directory = layout.shard_dir(built.key)
    for sibling in sorted(directory.parent.iterdir()) if directory.parent.is_dir() else ():
        with suppress(StoreError, OSError):
            manifest = read_manifest(sibling)
            is_whole = (sibling / CROPS_FILE).stat().st_size == manifest.files[CROPS_FILE].num_bytes
            if is_whole and sibling != directory:
                found.append(manifest)
    return found
