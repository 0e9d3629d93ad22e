"""Small shards, queries and sweeps to test with."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from anomalylmm.records import Cloze, CropRow, Query, Slot, SlotVerdict, Verdict
from storage.disk.layout import ShardKey, StoreLayout
from storage.hits.rows import (
    CoverageRecord,
    HitRecord,
    IncidentRecord,
    JudgementRecord,
    SweepContent,
    SweepRecord,
    ThresholdRecord,
)
from storage.shards.manifest import ShardManifest, VideoEntry
from storage.shards.quarantine import QuarantineEntry
from storage.shards.writer import ShardWriter

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DIMENSION = 8
PIPELINE = "p1"


def unit_vectors(number: int, seed: int = 0, dimension: int = DIMENSION) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((number, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def make_row(name: str, vector: np.ndarray, *, camera: str = "gate", number: int = 0) -> CropRow:
    return CropRow(
        crop_id=f"{name}-{number:04d}",
        tracklet_id=f"{name}-t{number // 3}",
        video_id=f"video-{name}",
        video_path=f"{camera}/{name}.mp4",
        camera=camera,
        pts_seconds=float(number),
        wall_clock_utc=NOON + timedelta(seconds=number),
        clock_source="path_pattern",
        box_xyxy_px=(1.0, 2.0, 3.5, 4.0),
        context_xyxy_px=(0.0, 0.0, 8.0, 8.0),
        frame_width_px=640,
        frame_height_px=480,
        score=0.75,
        sharpness=12.5,
        tracklet_start_seconds=float(number // 3 * 3),
        tracklet_stop_seconds=float(number // 3 * 3 + 2),
        tracklet_num_detections=3,
        jpeg=f"jpeg {name} {number}".encode(),
        vector=vector,
    )


def make_rows(name: str, vectors: np.ndarray, *, camera: str = "gate") -> list[CropRow]:
    return [make_row(name, vector, camera=camera, number=number) for number, vector in enumerate(vectors)]


def make_video(name: str, *, time_zone: str = "UTC") -> VideoEntry:
    return VideoEntry(
        video_id=f"video-{name}",
        path=f"gate/{name}.mp4",
        size_bytes=1000,
        start_utc=NOON,
        clock_source="path_pattern",
        time_zone=time_zone,
        width_px=640,
        height_px=480,
        seconds_promised=60.0,
        seconds_decoded=60.0,
        num_frames=60,
        decoder="decord",
        status="complete",
        coverage=1.0,
    )


def make_key(name: str, *, camera: str = "gate", pipeline: str = PIPELINE) -> ShardKey:
    return ShardKey(pipeline_digest=pipeline, camera=camera, date="2026-03-01", shard_id=name)


def open_writer(layout: StoreLayout, key: ShardKey, *, dimension: int = DIMENSION, encoder: str = "e") -> ShardWriter:
    return ShardWriter(layout, key, pipeline={"detector": "yolo", "fps": 2}, encoder_id=encoder, dimension=dimension)


def publish_shard(
    layout: StoreLayout, name: str, rows: Sequence[CropRow], *, camera: str = "gate", time_zone: str = "UTC"
) -> ShardManifest:
    with open_writer(layout, make_key(name, camera=camera)) as writer:
        writer.append(rows)
        return writer.publish([make_video(name, time_zone=time_zone)], seconds=1.5)


def make_query(version: str = "q1") -> Query:
    slot = Slot(start=6, stop=11, word="falling", kind="action", contrasts=("walking",))
    cloze = Cloze(text="a man falls", slots=(slot,), masked="a man ____")
    return Query(name="fall", text="a man falls", cloze=cloze, version=version, accept=0.5)


def make_hit(sweep_id: str = "s1", tracklet_id: str = "a-t0", camera: str = "gate") -> HitRecord:
    return HitRecord(
        query_version="q1",
        query_name="fall",
        sweep_id=sweep_id,
        pipeline=PIPELINE,
        tracklet_id=tracklet_id,
        crop_id="a-0001",
        video_id="video-a",
        video_path="gate/a.mp4",
        camera=camera,
        shard_id="a",
        start_seconds=0.0,
        stop_seconds=2.0,
        best_seconds=1.0,
        start_utc=NOON,
        stop_utc=NOON + timedelta(seconds=2),
        best_utc=NOON + timedelta(seconds=1),
        clock_source="path_pattern",
        time_zone="UTC",
        box_xyxy_px=(1.0, 2.0, 3.5, 4.0),
        rank=0,
        cosine=0.3,
        z_score=4.0,
        score=0.8,
        confidence=0.9,
        affirm=0.7,
        reason="A man lies on the ground.",
        judge_id="judge",
        picture_path="s1/hit.jpg",
        created_utc=NOON,
    )


def make_sweep(sweep_id: str = "s1", **changes: object) -> SweepRecord:
    values: dict[str, object] = {
        "sweep_id": sweep_id,
        "started_utc": NOON,
        "finished_utc": NOON,
        "pipeline": PIPELINE,
        "judge_id": "judge",
        "profile": "pocket",
        "status": "Completed",
        **dict.fromkeys(("num_queries", "num_shards", "num_candidates", "num_judged"), 1),
        **dict.fromkeys(("num_calls", "num_cached", "num_hits"), 1),
        "seconds": 2.0,
    }
    return SweepRecord(**{**values, **changes})  # type: ignore[arg-type]


def make_judgement(sweep_id: str = "s1", tracklet_id: str = "a-t0") -> JudgementRecord:
    slot = SlotVerdict(
        word="falling", kind="action", answer="falling", match=1.0, probability=0.9, prior=0.2, saliency=0.8
    )
    verdict = Verdict(
        tracklet_id=tracklet_id,
        accepted=True,
        confidence=0.9,
        score=0.8,
        affirm=0.7,
        slots=(slot,),
        reason="A man lies on the ground.",
        judge_id="judge",
        num_calls=3,
        seconds=0.5,
    )
    return JudgementRecord(
        query_version="q1",
        query_name="fall",
        sweep_id=sweep_id,
        pipeline=PIPELINE,
        video_id="video-a",
        camera="gate",
        shard_id="a",
        crop_id="a-0001",
        coarse_rank=0,
        final_rank=0,
        cosine=0.3,
        z_score=4.0,
        verdict=verdict,
        created_utc=NOON,
    )


def make_content(sweep_id: str = "s1", tracklet_id: str = "a-t0", **changes: object) -> SweepContent:
    hit = make_hit(sweep_id, tracklet_id)
    incident = IncidentRecord(
        incident_id=f"i-{sweep_id}",
        sweep_id=sweep_id,
        query_version="q1",
        query_name="fall",
        camera="gate",
        start_utc=NOON,
        stop_utc=NOON,
        hit_ids=(hit.hit_id,),
        best_hit_id=hit.hit_id,
    )
    return SweepContent(
        sweep=make_sweep(sweep_id, **changes),
        coverage=(CoverageRecord(query_version="q1", shard_id="a"),),
        hits=(hit,),
        judgements=(make_judgement(sweep_id, tracklet_id),),
        incidents=(incident,),
    )


def make_threshold(**changes: object) -> ThresholdRecord:
    fields = {
        "query_version": "q1",
        "query_name": "fall",
        "judge_id": "judge",
        "accept": 0.5,
        "threshold": 0.6,
        "num_confirmed": 1,
        "num_rejected": 9,
        "bound": 0.3,
        "evidence": "why",
        "created_utc": NOON,
    }
    return ThresholdRecord(**{**fields, **changes})


def make_entry(**changes: object) -> QuarantineEntry:
    values = {
        "video_id": "v1",
        "pipeline_digest": PIPELINE,
        "path": "gate/\udcff\n.mp4",
        "camera": "gate",
        "size_bytes": 7,
        "reason": "moov atom not found",
        "tries": 1,
        "first_utc": NOON,
        "last_utc": NOON,
    }
    return QuarantineEntry(**{**values, **changes})  # type: ignore[arg-type]
