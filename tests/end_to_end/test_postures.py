"""Postures from the detector's boxes to the hit: joints in Parquet and SQL, coarse search, verdict, with stand-ins."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomalylmm.models.pose.posture_head import load_head
from anomalylmm.models.weights import resolve
from anomalylmm.posture.bodies import BodyReader
from anomalylmm.posture.classes import CHANNELS
from anomalylmm.records import Detections, Floats, Image
from flows.index.indexing import index_archive
from flows.settings.model import load_settings
from flows.sweep.sweeping import open_gallery, sweep_store
from storage.disk.layout import StoreLayout
from storage.hits.analyst import run_sql
from storage.upkeep.maintenance import verify_store
from tests.anomalylmm.posture.bodies import lying, standing
from tests.fakes import FakeComposition, compose, write_video

FALLS_AT_X = 150  # of the picture, where whoever walks to the right goes down
QUERY = '[[query]]\nname = "{name}"\ntext = "{text}"\nfloor = -10\naccept = 0.5\n'


class FallingPose:
    """Sees figures that stand in the left of the picture and lie in the right of it."""

    model_id = "falling-pose@1"

    def estimate(self, images: Sequence[Image], persons: Sequence[Detections]) -> list[Floats]:
        return [
            np.stack([_joints(box) for box in found.boxes_xyxy_px] or [standing()])[: len(found)] for found in persons
        ]


def _joints(box: Floats) -> Floats:
    x, bottom = float(box[0] + box[2]) / 2, float(box[3])
    return standing(x, bottom - 45) if x < FALLS_AT_X else lying(x, bottom - 10)


class Posing(FakeComposition):
    """The stand-ins with poses; the head is the shipped one."""

    @cached_property
    def bodies(self) -> Any:
        return BodyReader(FallingPose(), load_head(resolve("pocket/posture", "posture")))

    def model_ids(self) -> dict[str, str]:
        return {**super().model_ids(), "pose": FallingPose.model_id}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    write_video(folder / "gate/2026-03-14/10-00-00.mp4", [("red", 0, 6)])
    return folder


@pytest.fixture(scope="module")
def layout(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> StoreLayout:
    layout = StoreLayout(tmp_path_factory.mktemp("store"))
    index_archive(compose(), layout, archive)  # as it was before there were poses
    index_archive(_posing(), layout, archive)
    return layout


def _posing() -> Posing:
    return Posing(load_settings("pocket", environment={}).model_copy(update={"decode": compose().settings.decode}))


def _sweep(layout: StoreLayout, name: str, text: str) -> None:
    queries = layout.root / f"{name}.toml"
    queries.write_text(QUERY.format(name=name, text=text), encoding="utf-8")
    sweep_store(_posing(), layout, queries)


def test_vectors_carry_a_number_for_each_posture(layout: StoreLayout) -> None:
    gallery = open_gallery(_posing(), layout)
    assert gallery.dimension == 4 + len(CHANNELS)
    assert open_gallery(compose(), layout).dimension == 4
    assert verify_store(layout, deep=True).is_clean


def test_who_falls_is_found_by_the_joints_though_the_judge_sees_a_walk(layout: StoreLayout) -> None:
    _sweep(layout, "fall", "a person falling to the ground")
    _, hits = run_sql(layout, "select reason, best_seconds from hits where query_name = 'fall'")
    assert len(hits) == 1
    assert "joints: falling 0." in hits[0][0]
    _, slots = run_sql(layout, "select word, probability, posture, match from judgement_slots where word = 'falling'")
    _, judged, seen, match = slots[0]
    assert judged < 0.1
    assert seen > 0.6
    assert judged < match < seen


def test_what_joints_do_not_show_is_left_to_the_judge(layout: StoreLayout) -> None:
    _sweep(layout, "phone", "a person talking on the phone")
    _, slots = run_sql(layout, "select posture, match = probability from judgement_slots where word = 'phoning'")
    assert slots == [(None, True)]


def test_analysts_see_postures_of_new_crops_and_none_of_old_ones(layout: StoreLayout) -> None:
    _sweep(layout, "lying", "a person lying on the ground")
    _, rows = run_sql(
        layout,
        "select pipeline, count(*), count(posture), max(fall_score), max(trunk_angle_degrees), max(len(keypoints)), "
        "max(len(posture_scores)) from crops group by pipeline order by count(posture)",
    )
    (_, old, none, *empty), (_, new, all_of_them, falls, angle, joints, scores) = rows
    assert (none, empty) == (0, [None] * 4)
    assert old == new == all_of_them > 3
    assert falls > 0.6
    assert angle > 80
    assert (joints, scores) == (51, len(CHANNELS))
