"""A store with every kind of data about its footage, to test erasing; and ways to search it for remains."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from storage.disk.layout import StoreLayout, make_shard_id
from storage.hits.analyst import open_snapshot, run_sql
from storage.hits.inbox import leave_feedback, leave_search
from storage.hits.rows import CoverageRecord, FeedbackRecord, HitRecord, IncidentRecord, SearchRecord, SweepContent
from storage.hits.writer import HitStore
from storage.shards.manifest import ShardManifest
from storage.shards.quarantine import record_quarantine
from storage.upkeep.erasure_log import ErasureRule
from tests.storage.examples import (
    NOON,
    PIPELINE,
    make_entry,
    make_hit,
    make_judgement,
    make_key,
    make_query,
    make_row,
    make_sweep,
    make_video,
    open_writer,
    unit_vectors,
)

MORNING, EVENING = NOON - timedelta(hours=4), NOON + timedelta(hours=6)
OLD = ErasureRule(before_utc=NOON)
CAMERAS = {"am": "gate", "pm": "gate", "old": "yard", "new": "yard"}
NOT_COMPARED = {"erasures": ("erasure_id", "begun_utc"), "shards": ("created_utc",)}


def name_of(video: str) -> str:
    return f"unmistakable-{video}.mp4"


def jpeg_of(video: str, number: int) -> bytes:
    return b"\xff\xd8" + np.random.default_rng([*video.encode(), number]).bytes(300)


def publish_videos(
    layout: StoreLayout, videos: dict[str, datetime], camera: str = "gate", tracklet: str = ""
) -> ShardManifest:
    """A shard of several videos, four crops each, all in one tracklet if it has a name."""
    rows, entries = [], []
    for seed, (video, start) in enumerate(videos.items()):
        path = f"{camera}/{name_of(video)}"
        entries.append(replace(make_video(video), path=path, start_utc=start))
        for number, vector in enumerate(unit_vectors(4, seed=seed)):
            row = make_row(video, vector, camera=camera, number=number)
            row = replace(row, tracklet_id=tracklet or row.tracklet_id)
            moment = start + timedelta(seconds=number)
            rows.append(replace(row, video_path=path, wall_clock_utc=moment, jpeg=jpeg_of(video, number)))
    shard_id = make_shard_id([entry.video_id for entry in entries], PIPELINE)
    with open_writer(layout, make_key(shard_id, camera=camera)) as writer:
        writer.append(rows)
        return writer.publish(entries, seconds=1.5)


def sweep(layout: StoreLayout, found: dict[str, str], tracklet: str = "") -> None:
    """A published sweep with one hit and one judgement per video (mapped to its shard), all in one incident."""
    hits, judgements = [], []
    for number, (video, shard_id) in enumerate(found.items()):
        picture = f"pictures/{video}.jpg"
        (layout.reports / picture).parent.mkdir(exist_ok=True)
        (layout.reports / picture).write_bytes(jpeg_of(video, 99))
        place = {"video_id": f"video-{video}", "shard_id": shard_id, "crop_id": f"{video}-0001"}
        hit = make_hit(tracklet_id=tracklet or f"{video}-t0")
        moment = NOON + timedelta(seconds=number)
        hits.append(
            replace(
                hit,
                video_path=f"{CAMERAS[video]}/{name_of(video)}",
                camera=CAMERAS[video],
                picture_path=picture,
                confidence=0.9 - number / 10,
                start_utc=moment,
                stop_utc=moment + timedelta(seconds=1),
                **place,
            )
        )
        judgements.append(replace(make_judgement(tracklet_id=tracklet or f"{video}-t0"), **place))
    coverage = tuple(CoverageRecord(query_version="q1", shard_id=shard_id) for shard_id in sorted({*found.values()}))
    content = SweepContent(
        sweep=make_sweep(), coverage=coverage, hits=tuple(hits), judgements=tuple(judgements), incidents=(_join(hits),)
    )
    with HitStore(layout) as store:
        store.register_query(make_query())
        store.record_sweep(content)
        store.cache_judgements({f"answer-{shard_id}": "{}" for shard_id in found.values()}, [*found.values()])
        store.cache_judgements({"about-no-picture": "{}"})
        store.publish()


def _join(hits: list[HitRecord]) -> IncidentRecord:
    return IncidentRecord(
        incident_id="i",
        sweep_id="s1",
        query_version="q1",
        query_name="fall",
        camera="gate",
        start_utc=NOON,
        stop_utc=hits[-1].start_utc,
        hit_ids=tuple(hit.hit_id for hit in hits),
        best_hit_id=hits[0].hit_id,
    )


def build(layout: StoreLayout) -> None:
    """Three shards (one of a morning and an evening, an old one, a new one) with every kind of data about them."""
    mixed = publish_videos(layout, {"am": MORNING, "pm": EVENING}).key.shard_id
    old = publish_videos(layout, {"old": MORNING}, camera="yard").key.shard_id
    new = publish_videos(layout, {"new": EVENING}, camera="yard").key.shard_id
    sweep(layout, {"am": mixed, "pm": mixed, "old": old, "new": new})
    record_quarantine(layout, replace(make_entry(), path="gate/unmistakable-bad.mp4", first_utc=MORNING))
    said = [(hit_id, path) for hit_id, path in run_sql(layout, "SELECT hit_id, video_path FROM hits")[1]]
    for hit_id, path in said:
        leave_feedback(
            layout, FeedbackRecord(hit_id=hit_id, verdict="confirm", who="ann", created_utc=NOON, note=f"see {path}")
        )
    for crop_id in ("am-0001", "pm-0001"):
        text = f"unmistakable-search-{crop_id}"
        leave_search(
            layout,
            SearchRecord(text=text, who="ann", created_utc=NOON, seconds=0.1, num_results=3, filters={"like": crop_id}),
        )
    (layout.reports / "search-latest.html").write_bytes(jpeg_of("am", 1))
    (layout.reports / "pictures" / "of-a-killed-sweep.jpg").write_bytes(jpeg_of("am", 2))
    with HitStore(layout) as store:
        store.publish()


MIXED, PLAIN, NEW = (
    make_shard_id([f"video-{name}" for name in names], PIPELINE) for names in (["am", "pm"], ["old"], ["new"])
)


def holding(layout: StoreLayout, piece: bytes) -> list[str]:
    """The files of the store whose content or name contains a piece of data."""
    files = [path for path in sorted(layout.root.rglob("*")) if path.is_file()]
    return [str(path.relative_to(layout.root)) for path in files if piece in path.read_bytes() + str(path).encode()]


def read_all(layout: StoreLayout) -> dict[str, list[tuple[object, ...]]]:
    with open_snapshot(layout) as snapshot:
        names = [name for (name,) in snapshot.run("SELECT table_name FROM duckdb_tables() ORDER BY 1")[1]]
        lists = {name: f" EXCLUDE ({', '.join(NOT_COMPARED[name])})" if name in NOT_COMPARED else "" for name in names}
        return {name: snapshot.run(f"SELECT *{lists[name]} FROM {name} ORDER BY ALL")[1] for name in names}


def list_files(layout: StoreLayout) -> list[str]:
    files = (path.relative_to(layout.root).as_posix() for path in layout.root.rglob("*") if path.is_file())
    return sorted(file for file in files if not file.startswith("erasures/"))
