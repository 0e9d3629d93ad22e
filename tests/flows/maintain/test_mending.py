"""Correcting cameras and clocks of what is indexed: the store must then say what it would have said from the start."""

import json
import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from anomalylmm.errors import StoreBusyError
from flows.cli import app
from flows.index.indexing import index_archive
from flows.maintain.corrections import Choice, Correction, list_indexed, plan_correction
from flows.maintain.mending import correct_store
from flows.sweep.sweeping import sweep_store
from storage.disk.layout import StoreLayout
from storage.gallery.compacting import compact_store
from storage.hits.analyst import run_sql
from storage.hits.inbox import leave_feedback
from storage.hits.rows import FeedbackRecord
from storage.hits.writer import HitStore
from storage.shards.facts import read_corrections
from storage.shards.quarantine import read_quarantine
from storage.upkeep.maintenance import verify_store
from tests.drawn import QUERY, Blocks, compose_small, write_archive
from tests.faults.content import OF_THE_RUN, read_content
from tests.storage.examples import NOON

RUNNER = CliRunner()
# Under the wrong pattern, both cameras are one; the minute between their first files keeps them apart as streams.
VIDEOS: dict[str, Blocks] = {
    "all/gate/2026-03-28/23-30-00.mp4": (("red", 0, 3), ("blue", 1, 3)),
    "all/gate/2026-03-29/10-00-00.mp4": (("green", 0, 2),),
    "all/yard/2026-03-28/23-30-10.mp4": (("red", 0, 3),),
    "all/yard/2026-03-29/10-00-00.mp4": (("green", 0, 3), ("red", 0, 2)),
}
BROKEN = "all/yard/2026-03-29/11-00-00.mp4"
RIGHT = {"pattern": "all/{camera}/{year}-{month}-{day}/{hour}-{minute}-{second}", "time_zone": "Europe/Berlin"}
WRONG = {"pattern": "{camera}/{any}/{year}-{month}-{day}/{hour}-{minute}-{second}"}  # camera "all", times as UTC
SETTINGS = "[[cameras]]\npattern = '{pattern}'\ntime_zone = '{time_zone}'\n".format(**RIGHT)
SCOPES = {"red": "", "green": "cameras = ['gate']\n", "blue": "daily = ['22:00', '23:00']\n"}
IDS = frozenset({"shard_id", "hit_ids", "incident_id", "directory"})
OF_THE_RANKING = frozenset({"z_score", "coarse_rank", "final_rank", "rank"})  # a sweep that sees fewer shards


def make(root: Path, **camera: str) -> StoreLayout:
    """An archive that was indexed with one pattern and swept."""
    archive = write_archive(root / "archive", videos=VIDEOS, broken=BROKEN)
    queries = root / "queries.toml"
    queries.write_text("\n".join(QUERY.format(color=color) + scope for color, scope in SCOPES.items()))
    layout = StoreLayout(root / "store")
    composition = compose_small(noisy=True, cameras=[camera])
    index_archive(composition, layout, archive)
    sweep_store(composition, layout, queries)
    return layout


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("wrong")
    make(root, **WRONG)
    (root / "settings.toml").write_text(SETTINGS)
    return root


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> StoreLayout:
    return make(tmp_path_factory.mktemp("right"), **RIGHT)


@pytest.fixture
def root(wrong: Path, tmp_path: Path) -> Path:
    """A copy of the archive that was indexed with the wrong pattern, and of its store."""
    return shutil.copytree(wrong, tmp_path / "copy")


@pytest.fixture
def layout(root: Path) -> StoreLayout:
    return StoreLayout(root / "store")


def recamera(layout: StoreLayout, *arguments: str) -> Any:
    return RUNNER.invoke(app, ["recamera", "--store", str(layout.root), *arguments])


def from_settings(layout: StoreLayout) -> Any:
    done = recamera(layout, "--from-settings", "--settings", str(layout.root.parent / "settings.toml"))
    assert done.exit_code == 0, done.output
    return done


def sweep(layout: StoreLayout) -> None:
    sweep_store(compose_small(noisy=True, cameras=[RIGHT]), layout, layout.root.parent / "queries.toml")


def select(layout: StoreLayout, sql: str) -> list[tuple[Any, ...]]:
    return run_sql(layout, sql)[1]


def content(layout: StoreLayout) -> list[str]:
    """What the store says, without ids that depend on the shards' history, and without the broken file."""
    skip = OF_THE_RUN | IDS | OF_THE_RANKING
    tables = ("hits", "judgements", "incidents", "videos", "tracklets", "feedback")
    lines = read_content(layout, skip=skip, tables=tables)
    return sorted(line for line in lines if not line.startswith(("file", "shard ")))


def test_settings_that_were_wrong_are_corrected_as_if_they_had_always_been_right(
    layout: StoreLayout, right: StoreLayout
) -> None:
    from_settings(layout)
    sweep(layout)
    assert content(layout) == content(right)
    assert verify_store(layout, deep=True).problems == ()


@pytest.mark.parametrize(
    "point", ["file.replaced", "shard.renamed", "mending.published", "mending.rows_moved", "mending.shards_removed"]
)
def test_a_correction_that_was_killed_is_finished_by_the_next_sweep(
    layout: StoreLayout, right: StoreLayout, failing: list[str], point: str
) -> None:
    (layout.root.parent / "settings.toml").write_text(SETTINGS)
    failing.append(point)
    result = recamera(layout, "--from-settings", "--settings", str(layout.root.parent / "settings.toml"))
    assert result.exit_code == 130 or isinstance(result.exception, KeyboardInterrupt | SystemExit)
    assert not failing
    sweep(layout)
    assert content(layout) == content(right)
    assert verify_store(layout, deep=True).problems == ()


def test_verify_names_a_correction_that_was_killed_and_gc_finishes_it(layout: StoreLayout, failing: list[str]) -> None:
    failing.append("mending.published")
    recamera(layout, "--camera", "all", "--to", "gate")
    told = [problem for problem in verify_store(layout, deep=False).problems if "corrected" in problem]
    assert len(told) == 1
    assert "anomalylmm gc" in told[0]
    assert RUNNER.invoke(app, ["gc", "--store", str(layout.root)]).exit_code == 0
    assert verify_store(layout, deep=True).problems == ()
    assert {video.facts.camera for video in list_indexed(layout)} == {"gate"}


def test_a_shift_that_was_killed_and_is_repeated_is_applied_once(layout: StoreLayout, failing: list[str]) -> None:
    before = sorted(video.start_utc for video in list_indexed(layout))
    failing.append("mending.published")
    recamera(layout, "--camera", "all", "--shift", "1h")
    repeated = recamera(layout, "--camera", "all", "--shift", "1h")
    assert "has just been finished" in str(repeated.exception)
    after = sorted(video.start_utc for video in list_indexed(layout))
    assert after == [start + timedelta(hours=1) for start in before]
    assert select(layout, "SELECT count(*) FROM hits JOIN videos USING (shard_id, video_id)") == select(
        layout, "SELECT count(*) FROM hits"
    )


def test_an_index_run_says_how_to_correct_what_the_settings_now_read_otherwise(layout: StoreLayout) -> None:
    archive = layout.root.parent / "archive"
    before = index_archive(compose_small(noisy=True, cameras=[RIGHT]), layout, archive).notes
    assert any("4 indexed videos have another camera or time" in note for note in before)
    from_settings(layout)
    after = index_archive(compose_small(noisy=True, cameras=[RIGHT]), layout, archive).notes
    assert not any("recamera" in note for note in after)


def test_a_dry_run_shows_the_change_and_changes_nothing(layout: StoreLayout) -> None:
    before = content(layout)
    shown = recamera(layout, "--camera", "all", "--to", "gate", "--shift", "+1h", "--dry-run")
    assert "4 videos" in shown.stdout
    assert "gate" in shown.stdout
    assert "+1:00:00" in shown.stdout
    assert content(layout) == before
    assert not list(layout.corrections.glob("*"))


def test_a_clock_is_shifted_for_one_camera_and_a_span_of_time(layout: StoreLayout) -> None:
    from_settings(layout)
    before = dict(select(layout, "SELECT hit_id, best_utc FROM hits WHERE video_path LIKE '%gate/2026-03-28%'"))
    done = recamera(layout, "--camera", "gate", "--until", "2026-03-28", "--shift", "-1h30m")
    assert done.exit_code == 0, done.output
    rows = select(layout, "SELECT path, clock_source, start_utc FROM videos ORDER BY path")
    assert [(path[4:19], source) for path, source, _ in rows if source == "corrected"] == [
        ("gate/2026-03-28", "corrected")
    ]
    after = dict(select(layout, "SELECT hit_id, best_utc FROM hits WHERE video_path LIKE '%gate/2026-03-28%'"))
    assert before
    assert after == {hit_id: moment - timedelta(hours=1, minutes=30) for hit_id, moment in before.items()}
    crops = select(
        layout, "SELECT min(wall_clock_utc) - min(start_utc) FROM crops JOIN videos USING (video_id) GROUP BY video_id"
    )
    assert all(timedelta() <= delay < timedelta(seconds=3) for (delay,) in crops)


def test_incidents_are_grouped_again_by_the_corrected_times(layout: StoreLayout) -> None:
    from_settings(layout)
    sweep(layout)
    recamera(layout, "--camera", "yard", "--to", "gate")
    joined = select(layout, "SELECT num_hits FROM incidents WHERE query_name = 'red' AND start_utc < '2026-03-29'")
    assert joined == [(2,)]  # 23:30:00 and 23:30:10, which are one camera now
    recamera(layout, "--video", "all/yard/2026-03-28/*", "--shift", "1h")
    apart = select(layout, "SELECT num_hits FROM incidents WHERE query_name = 'red' AND start_utc < '2026-03-29'")
    assert apart == [(1,), (1,)]


def test_feedback_stays_with_its_hits(layout: StoreLayout) -> None:
    ((hit_id,),) = select(layout, "SELECT hit_id FROM hits WHERE query_name = 'red' ORDER BY hit_id LIMIT 1")
    leave_feedback(layout, FeedbackRecord(hit_id=hit_id, verdict="confirm", who="ann", created_utc=NOON))
    from_settings(layout)
    sweep(layout)
    assert select(layout, "SELECT hit_id FROM hits WHERE feedback = 'confirm'") == [(hit_id,)]


def test_only_queries_whose_scope_changes_are_asked_again(layout: StoreLayout) -> None:
    recamera(layout, "--camera", "all", "--to", "gate")
    composition = compose_small(noisy=True, cameras=[RIGHT])
    report = sweep_store(composition, layout, layout.root.parent / "queries.toml")
    assert [tally.query_name for tally in report.queries] == ["green"]
    assert {camera for (camera,) in select(layout, "SELECT camera FROM hits WHERE query_name = 'green'")} == {"gate"}


def test_answers_about_a_corrected_video_are_erased_with_it(layout: StoreLayout) -> None:
    recamera(layout, "--camera", "all", "--to", "gate")
    erased = RUNNER.invoke(app, ["erase", "--store", str(layout.root), "--camera", "gate", "--yes", "--json"])
    counts = json.loads(erased.stdout)["erasures"][0]["counts"]
    assert counts["num_hits"] > 0
    with HitStore(layout) as hits:
        assert hits.read("SELECT count(*) FROM judgement_cache WHERE len(shard_ids) > 0") == [(0,)]


def test_a_video_that_is_indexed_again_by_another_pipeline_is_corrected_too(layout: StoreLayout) -> None:
    recamera(layout, "--camera", "all", "--to", "gate", "--shift", "2d")
    other = compose_small(noisy=True, cameras=[WRONG], shards={"jpeg_quality": 50}, tracklets={"margin": 0.2})
    report = index_archive(other, layout, layout.root.parent / "archive")
    assert {(unit.camera, unit.date) for unit in report.units if unit.shard_id} == {
        ("gate", "2026-03-30"),
        ("gate", "2026-03-31"),
    }


def test_a_file_that_grows_keeps_its_correction(layout: StoreLayout) -> None:
    recamera(layout, "--camera", "all", "--to", "gate", "--shift", "2h")
    archive = layout.root.parent / "archive"
    path = archive / "all/gate/2026-03-28/23-30-00.mp4"
    path.write_text(path.read_text() + "  ")
    os.utime(path, (0, 0))  # long ago
    report = index_archive(compose_small(noisy=True, cameras=[WRONG]), layout, archive)
    assert report.grown == 1
    ((start, camera),) = select(layout, "SELECT start_utc, camera FROM videos WHERE path LIKE '%gate/2026-03-28%'")
    assert (start.day, start.hour, camera) == (29, 1, "gate")
    assert verify_store(layout, deep=True).problems == ()


def test_a_camera_that_was_renamed_always_also_renames_later_videos(layout: StoreLayout) -> None:
    recamera(layout, "--camera", "all", "--to", "gate", "--always")
    archive = layout.root.parent / "archive"
    path = archive / "all/x/2026-04-01/10-00-00.mp4"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"blocks": [["red", 0, 2]], "name": "new"}))
    os.utime(path, (0, 0))  # long ago
    report = index_archive(compose_small(noisy=True, cameras=[WRONG]), layout, archive)
    assert [unit.camera for unit in report.units] == ["gate"]


def test_a_broken_file_gets_its_new_camera_from_the_next_index_run(layout: StoreLayout) -> None:
    cameras = "SELECT camera FROM quarantine"
    assert select(layout, cameras) == [("all",)]
    index_archive(compose_small(noisy=True, cameras=[RIGHT]), layout, layout.root.parent / "archive")
    assert [entry.camera for entry in read_quarantine(layout)] == ["yard"]


def test_a_broken_file_of_a_camera_that_is_always_renamed_gets_the_new_name_at_once(layout: StoreLayout) -> None:
    recamera(layout, "--camera", "all", "--to", "gate", "--always")
    assert select(layout, "SELECT camera FROM quarantine") == [("gate",)]
    index_archive(compose_small(noisy=True, cameras=[WRONG]), layout, layout.root.parent / "archive")
    assert [entry.camera for entry in read_quarantine(layout)] == ["gate"]


def test_reading_settings_again_leaves_what_was_corrected_by_hand(layout: StoreLayout) -> None:
    recamera(layout, "--video", "*2026-03-28/23-30-00.mp4", "--start", "2026-03-28T12:00:00")
    assert "1 videos were corrected by hand" in from_settings(layout).stdout
    ((start,),) = select(layout, "SELECT start_utc FROM videos WHERE path LIKE '%03-28/23-30-00.mp4'")
    assert start.hour == 12
    named = recamera(
        layout, "--from-settings", "--settings", str(layout.root.parent / "settings.toml"), "--camera", "all"
    )
    assert named.exit_code == 0
    ((start,),) = select(layout, "SELECT start_utc FROM videos WHERE path LIKE '%03-28/23-30-00.mp4'")
    assert (start.hour, start.minute) == (22, 30)


def test_compacted_indexes_of_old_shards_are_removed(layout: StoreLayout) -> None:
    compact_store(layout, min_rows=1)
    recamera(layout, "--camera", "all", "--to", "gate")
    assert verify_store(layout, deep=True).problems == ()
    compact_store(layout, min_rows=1)
    assert verify_store(layout, deep=True).problems == ()


def test_a_correction_while_a_sweep_is_running_changes_nothing(layout: StoreLayout) -> None:
    before = content(layout)
    choice, correction = Choice(cameras=frozenset({"all"})), Correction(camera="gate")
    plan = plan_correction(list_indexed(layout), read_corrections(layout), choice, correction)
    with HitStore(layout), pytest.raises(StoreBusyError):
        correct_store(layout, plan, correction)
    assert content(layout) == before
    assert not list(layout.corrections.glob("*"))


def test_queries_of_a_camera_that_is_gone_are_named(layout: StoreLayout) -> None:
    from_settings(layout)
    shown = recamera(layout, "--camera", "gate", "--to", "entrance", "--dry-run")
    assert "the query 'green' names gate" in " ".join(shown.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--to", "gate"], "--camera"),
        (["--camera", "all"], "--to"),
        (["--camera", "all", "--shift", "an hour"], "+1h"),
        (["--camera", "all", "--shift", "+1h", "--start", "2026-01-01"], "combined"),
        (["--camera", "all", "--from-settings", "--to", "gate"], "--from-settings"),
        (["--camera", "all", "--shift", "-70000d"], "1970"),
        (["--video", "x", "--to", "gate", "--always"], "--always"),
    ],
)
def test_wrong_arguments_are_refused_with_what_to_do(layout: StoreLayout, arguments: list[str], named: str) -> None:
    result = recamera(layout, *arguments)
    assert result.exit_code == 1
    assert named in str(result.exception)


def test_a_choice_that_fits_nothing_lists_the_cameras(layout: StoreLayout) -> None:
    result = recamera(layout, "--camera", "gaet", "--to", "gate")
    assert result.exit_code == 0
    assert "the store's cameras: all" in result.stdout
