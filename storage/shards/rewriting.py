"""Copies crops, pictures and vectors of some videos of a shard to a new one, without decoding anything."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from anomalylmm.errors import ShardError
from anomalylmm.records import CropRow, shared_fields
from storage.disk.layout import CROPS_FILE, ShardKey, StoreLayout
from storage.shards.facts import VideoFacts
from storage.shards.manifest import ShardManifest, VideoEntry, read_manifest
from storage.shards.schema import table_to_rows
from storage.shards.writer import ShardWriter

REMOVED = ".erased."  # in the names of shards being removed


def rewrite_shard(
    layout: StoreLayout, directory: Path, key: ShardKey, kept: Collection[str], facts: Mapping[str, VideoFacts]
) -> ShardManifest:
    """Publishes a shard with the videos to be ``kept`` of another one; the other one stays.

    The new facts are by video id; their camera must be that of the key.

    Raises:
        ShardError: If the old shard can't be read.
        StoreError: If the new one can't be written.
    """
    manifest = read_manifest(directory)
    videos = {video.video_id: video for video in manifest.videos if video.video_id in set(kept)}
    changed = {video_id: _change_video(video, facts.get(video_id)) for video_id, video in videos.items()}
    shifts = {video_id: changed[video_id].start_utc - video.start_utc for video_id, video in videos.items()}
    ids = pa.array(sorted(videos), pa.string())
    with ShardWriter(
        layout, key, pipeline=manifest.pipeline, encoder_id=manifest.encoder_id, dimension=manifest.dimension
    ) as writer:
        try:
            with pq.ParquetFile(directory / CROPS_FILE) as file:
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group)
                    rows = table_to_rows(table.filter(pc.is_in(table.column("video_id"), value_set=ids)))
                    writer.append([_change_row(row, key, changed, shifts) for row in rows])
        except (OSError, pa.ArrowException) as error:
            raise ShardError(f"Can't read {directory / CROPS_FILE}: {error}. Run: anomalylmm verify") from error
        return writer.publish(list(changed.values()), manifest.seconds)


def _change_video(video: VideoEntry, facts: VideoFacts | None) -> VideoEntry:
    if facts is None:
        return video
    return replace(video, **shared_fields(VideoEntry, facts))


def _change_row(
    row: CropRow, key: ShardKey, videos: Mapping[str, VideoEntry], shifts: Mapping[str, timedelta]
) -> CropRow:
    return replace(
        row,
        camera=key.camera,
        wall_clock_utc=row.wall_clock_utc + shifts[row.video_id],
        clock_source=videos[row.video_id].clock_source,
    )
