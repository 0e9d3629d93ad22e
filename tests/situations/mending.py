"""Situations in which a camera or clock was wrong, or footage is missing: what a user does about it, and sees of it."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

from tests.end_to_end.demo_archive import cut_video
from tests.situations.place import Observed, Place, situation

SOURCE = "gate/2026-03-14/10-15-00.mp4"  # a man falls at 6 s and lies
FALL = 10.0  # seconds in which he has fallen
SHORT = 3.0  # seconds without any event
WRITTEN = datetime(2026, 4, 1, tzinfo=UTC).timestamp()
QUERY = '[[query]]\nname = "fall"\ntext = "a man falling to the ground"\nfloor = -10\naccept = 0.1\n'


def index(place: Place, *arguments: str | Path) -> CompletedProcess[str]:
    """Indexes the archive."""
    return place.run("index", place.archive, "--store", place.store, "--quiet", *arguments)


def sweep(place: Place, scope: str = "") -> CompletedProcess[str]:
    """Asks one query, with a scope."""
    queries = place.folder / "queries.toml"
    queries.write_text(QUERY + scope)
    return place.run("sweep", "--store", place.store, "--queries", queries, "--quiet")


def recamera(place: Place, *arguments: str) -> CompletedProcess[str]:
    """Corrects cameras or clocks."""
    return place.run("recamera", "--store", place.store, *arguments)


def write_clips(place: Place, camera: str, starts: Sequence[datetime], seconds: float = SHORT) -> list[Path]:
    """Writes clips of one camera; each has content of its own."""
    paths = [place.archive / camera / f"{start:%Y-%m-%d/%H-%M-%S}.mp4" for start in starts]
    for number, path in enumerate(paths):
        cut_video(SOURCE, path, seconds)
        with path.open("ab") as file:
            file.write(f"{camera} {number}".encode())  # bytes after the end, which decoders ignore
        os.utime(path, (WRITTEN, WRITTEN))  # after their starts, and long ago, so no recorder is still writing them
    return paths


def clips_every(minutes: float, number: int, start: str = "2026-03-14T22:00") -> list[datetime]:
    """Starts of clips at regular times."""
    return [datetime.fromisoformat(start) + place * timedelta(minutes=minutes) for place in range(number)]


def tell(done: CompletedProcess[str]) -> str:
    """What a command said, on one line; of an unknown command only that it is unknown."""
    text = " ".join((done.stdout + done.stderr).split())
    return "no such command" if "No such command" in text else text


def hits(place: Place) -> list[tuple[object, ...]]:
    """Camera and time of all hits."""
    rows = place.rows("select distinct camera, strftime(start_utc, '%d %H:%M') as start from hits order by all")
    return [tuple(row.values()) for row in rows]


@situation("hits, incidents and videos are of the right camera without indexing again, and are erased under its name")
def a_camera_that_was_called_default(place: Place) -> Observed:
    """Renames the camera of videos at the top of the archive."""
    cut_video(SOURCE, place.archive / "2026-03-14_10-15-00.mp4", FALL)
    index(place)
    sweep(place)
    before = hits(place)
    done = recamera(place, "--camera", "default", "--to", "gate")
    cameras = place.rows("select camera from hits union select camera from incidents union select camera from videos")
    crops = place.rows("select distinct camera from crops")
    erased = place.run("erase", "--camera", "gate", "--store", place.store, "--yes")
    left = place.rows("select count(*) as n from hits")
    text = f"{before} -> {cameras}, crops {crops}; then {tell(erased)[:40]}, {left} left"
    gate = [{"camera": "gate"}]
    right = done.returncode == 0 and bool(before) and cameras == gate and crops == gate and left == [{"n": 0}]
    return Observed(text=text, right=right)


@situation("a preview that changes nothing; then hits an hour later, feedback and picture kept, no judge asked again")
def a_clock_that_was_an_hour_slow(place: Place) -> Observed:
    """Shifts one camera."""
    cut_video(SOURCE, place.archive / SOURCE, FALL)
    index(place)
    sweep(place)
    before = hits(place)
    found = place.rows("select hit_id from hits limit 1")
    place.run("feedback", found[0]["hit_id"], "confirm", "--store", place.store)
    shown = recamera(place, "--camera", "gate", "--shift", "+1h", "--dry-run")
    same = hits(place) == before
    recamera(place, "--camera", "gate", "--shift", "+1h")
    after = hits(place)
    again = sweep(place)
    said = place.rows("select feedback from hits where feedback is not null")
    text = f"{before} -> {after}; preview {tell(shown)[-60:]!r}; feedback {said}; then {tell(again)[:40]!r}"
    moved = [(camera, str(start).replace("10:", "11:")) for camera, start in before]
    right = bool(before) and same and after == moved and len(said) == 1 and "nothing new" in tell(again)
    return Observed(text=text, right=right)


@situation("only the days of the wrong clock move")
def a_clock_that_was_wrong_for_some_days(place: Place) -> Observed:
    """Shifts a span of time."""
    write_clips(place, "gate", clips_every(24 * 60, 3))
    index(place)
    sweep(place)
    done = recamera(place, "--camera", "gate", "--since", "2026-03-15", "--until", "2026-03-15", "--shift", "-30m")
    rows = place.rows("select strftime(start_utc, '%d %H:%M') as start from videos order by all")
    starts = [row["start"] for row in rows]
    return Observed(text=f"{starts}; {tell(done)[:60]}", right=starts == ["14 22:00", "15 21:30", "16 22:00"])


@situation("cameras and local times as if the settings had been right from the start")
def a_pattern_and_a_time_zone_that_were_missing(place: Place) -> Observed:
    """Reads the names again by new settings."""
    cut_video(SOURCE, place.archive / "export/cam-gate/2026-03-14/10-15-00.mp4", FALL)
    index(place)
    sweep(place)
    before = place.rows("select distinct camera from videos")
    settings = place.folder / "own.toml"
    settings.write_text(
        "[[cameras]]\npattern = 'export/cam-{camera}/{year}-{month}-{day}/{hour}-{minute}-{second}'\n"
        "time_zone = 'Europe/Berlin'\n"
    )
    index(place, "--settings", settings)
    recamera(place, "--from-settings", "--settings", str(settings))
    after = place.rows(
        "select distinct v.camera, strftime(v.start_utc, '%H:%M') as start, v.time_zone, h.time_zone as of_hits "
        "from videos v join hits h using (video_id)"
    )
    wanted = [{"camera": "gate", "start": "09:15", "time_zone": "Europe/Berlin", "of_hits": "Europe/Berlin"}]
    return Observed(text=f"{before} -> {after}", right=after == wanted)


@situation("one camera, also for footage that is indexed later")
def a_camera_folder_that_was_renamed(place: Place) -> Observed:
    """Renames the folder and says that it is the same camera."""
    first, second = clips_every(60, 2)
    write_clips(place, "gate", [first])
    index(place)
    (place.archive / "gate").rename(place.archive / "entrance")
    write_clips(place, "entrance", [second], SHORT + 1)
    recamera(place, "--camera", "entrance", "--to", "gate", "--always")
    index(place)
    sweep(place)
    rows = place.rows("select camera, count(*) as videos from videos group by all")
    return Observed(text=str(rows), right=rows == [{"camera": "gate", "videos": 2}])


@situation("the next sweep asks a query of that camera, which found nothing before")
def a_query_of_the_right_camera(place: Place) -> Observed:
    """Renames a camera into a query's scope."""
    cut_video(SOURCE, place.archive / "2026-03-14_10-15-00.mp4", FALL)
    index(place)
    sweep(place, 'cameras = ["gate"]\n')
    before = hits(place)
    recamera(place, "--camera", "default", "--to", "gate")
    sweep(place, 'cameras = ["gate"]\n')
    after = hits(place)
    right = before == [] and {camera for camera, _ in after} == {"gate"}
    return Observed(text=f"{before} -> {after}", right=right)


@situation("the next sweep drops hits that lie outside the window by the right clock, and finds none before it")
def a_query_of_a_daily_window(place: Place) -> Observed:
    """Shifts a clock out of a query's window."""
    cut_video(SOURCE, place.archive / SOURCE, FALL)
    index(place)
    scope = 'daily = ["10:00", "11:00"]\n'
    sweep(place, scope)
    before = hits(place)
    recamera(place, "--camera", "gate", "--shift", "2h")
    sweep(place, scope)
    return Observed(text=f"{before} -> {hits(place)}", right=bool(before) and hits(place) == [])


@situation("an old clip whose clock was in the future is erased by age; the others stay")
def retention_by_the_right_clock(place: Place) -> Observed:
    """Shifts a clip before the limit and erases by age."""
    write_clips(place, "gate", clips_every(24 * 60, 2))
    index(place)
    sweep(place)
    recamera(place, "--video", "gate/2026-03-15/*", "--start", "2020-01-01T00:00:00")
    place.run("erase", "--before", "2021-01-01", "--store", place.store, "--yes")
    rows = place.rows("select path from videos")
    return Observed(text=str(rows), right=[row["path"][:15] for row in rows] == ["gate/2026-03-14"])


@situation("the correction is finished by the next sweep; nothing is lost or doubled")
def a_correction_that_is_killed(place: Place) -> Observed:
    """Kills the command while it works."""
    paths = write_clips(place, "gate", clips_every(24 * 60, 4), FALL)
    index(place)
    sweep(place)
    before = place.rows("select count(*) as n, count(distinct hit_id) as hits from crops, hits")
    killed = _kill_once_noted(place, "recamera", "--store", place.store, "--camera", "gate", "--to", "yard")
    sweep(place)
    after = place.rows("select count(*) as n, count(distinct hit_id) as hits from crops, hits")
    rows = place.rows("select camera, count(*) as videos from videos group by all")
    sound = place.run("verify", "--deep", "--store", place.store).returncode
    text = f"killed: {killed}; {rows}; crops x hits {before} -> {after}; verify exits with {sound}"
    wanted = [{"camera": "yard", "videos": len(paths)}]
    return Observed(text=text, right=rows == wanted and before == after and sound == 0)


def _kill_once_noted(place: Place, *arguments: str | Path) -> bool:
    """Kills a command as soon as the correction is written down; False if it ended before."""
    command = [sys.executable, "-m", "flows.cli", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(place.code)}
    with subprocess.Popen(command, cwd=place.folder, env=environment, stdout=-3, stderr=-3) as process:
        while process.poll() is None and not list(place.store.glob("corrections/*")):
            time.sleep(0.005)
        process.kill()
        return process.wait() < 0


@situation("the run says that the camera is gone; the table gaps has it; its hits stay")
def a_camera_whose_folder_is_gone(place: Place) -> Observed:
    """Removes a camera's folder."""
    return _lose(place, shutil.rmtree)


@situation("the run says that the camera is gone; the table gaps has it; its hits stay")
def a_camera_whose_folder_is_empty(place: Place) -> Observed:
    """Empties a camera's folder."""

    def empty(folder: Path) -> None:
        shutil.rmtree(folder)
        folder.mkdir()

    return _lose(place, empty)


def _lose(place: Place, lose: Callable[[Path], None]) -> Observed:
    write_clips(place, "gate", clips_every(60, 1))
    cut_video("carpark/2026-03-14/16-05-24.mp4", place.archive / "carpark/2026-03-14/16-05-24.mp4", SHORT)
    index(place)
    sweep(place)
    lose(place.archive / "gate")
    done = index(place)
    said = re.findall(r"[^.]*gate[^.]*gone[^.]*", tell(done))
    gaps = place.rows("select camera, kind from gaps")
    videos = place.rows("select camera from videos where camera = 'gate'")
    text = f"exit {done.returncode}; {said[:1]}; gaps {gaps}; videos of gate {len(videos)}"
    return Observed(
        text=text, right=bool(said) and gaps[:1] == [{"camera": "gate", "kind": "camera gone"}] and len(videos) == 1
    )


@situation("the run says when nothing was recorded; the table gaps has start and stop")
def a_night_with_a_hole(place: Place) -> Observed:
    """Leaves out two of ten clips that follow each other."""
    starts = clips_every(10, 8)
    write_clips(place, "gate", [start for number, start in enumerate(starts) if number not in (4, 5)])
    done = index(place)
    sweep(place)
    said = re.findall(r"from 2026-03-14 22:30[^.;]*", tell(done))
    gaps = place.rows("select camera, kind, strftime(stop_utc, '%H:%M') as stop from gaps")
    right = bool(said) and gaps == [{"camera": "gate", "kind": "hole", "stop": "23:00"}]
    return Observed(text=f"{said[:1]}; gaps {gaps}", right=right)


@situation("the run says that nothing came from one camera while the other went on")
def a_camera_that_stopped_in_the_night(place: Place) -> Observed:
    """Records less of one camera."""
    write_clips(place, "gate", clips_every(10, 4))
    write_clips(place, "yard", clips_every(10, 8))
    done = index(place)
    sweep(place)
    gaps = place.rows("select camera, kind from gaps")
    said = "gate" in tell(done).split("note:")[-1]
    return Observed(
        text=f"{gaps}; {tell(done)[-200:-100]!r}", right=said and gaps == [{"camera": "gate", "kind": "silent"}]
    )


@situation("no run says that something is missing")
def an_archive_that_is_whole(place: Place) -> Observed:
    """Indexes twice."""
    write_clips(place, "gate", clips_every(10, 5))
    write_clips(place, "yard", clips_every(10, 5))
    said = [json.loads(index(place, "--json").stdout)["notes"] for _ in range(2)]
    return Observed(text=str(said), right=said == [[], []])


@situation("an error that says what was there and asks whether the disk is mounted; hits stay, gaps has both cameras")
def an_archive_that_is_not_mounted(place: Place) -> Observed:
    """Empties the archive's folder."""
    write_clips(place, "gate", clips_every(60, 1))
    write_clips(place, "yard", clips_every(60, 1))
    index(place)
    sweep(place)
    shutil.rmtree(place.archive)
    place.archive.mkdir(exist_ok=True)
    done = index(place)
    gaps = place.rows("select camera, kind from gaps order by camera")
    videos = place.rows("select count(*) as n from videos")
    text = f"exit {done.returncode}; {tell(done)[-150:]!r}; gaps {gaps}; videos {videos}"
    right = done.returncode == 4 and "mounted" in tell(done) and len(gaps) == 2 and videos == [{"n": 2}]
    return Observed(text=text, right=right)


@situation("the new place is taken for the old one; nothing is missing any more, and hits stay")
def an_archive_whose_folder_was_renamed(place: Place) -> Observed:
    """Renames the archive's folder, runs the old command once, and then the new one."""
    write_clips(place, "gate", clips_every(60, 1))
    index(place)
    sweep(place)
    moved = place.archive.rename(place.folder / "moved")
    index(place)
    done = place.run("index", moved, "--store", place.store, "--quiet")
    gaps = place.rows("select camera, kind from gaps")
    text = f"gaps {gaps}; said: {'taken to have moved' in tell(done)}"
    return Observed(text=text, right=gaps == [] and "taken to have moved" in tell(done))
