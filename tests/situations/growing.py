"""Situations of files that are still being written, and of files that have grown since they were indexed."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av

from tests.end_to_end.demo_archive import DEMO
from tests.situations.passed_over import LONG_AGO, index, put_old, tell, write_settings
from tests.situations.place import Observed, Place, situation

FALL = "gate/2026-03-14/10-15-00.mp4"
MAX_KILLS = 6


@situation("the file that changed a moment ago is named and left out, and read an hour later")
def a_file_that_is_being_written(place: Place) -> Observed:
    """Puts a new file beside an old one, indexes, and indexes again when it is no longer new."""
    put_old(place, "gate/2026-03-14/10-00-00.mp4")
    new = put_old(place, "gate/2026-03-14/11-00-00.mp4", 2.0)
    os.utime(new)
    first = index(place)
    text, is_named = tell(first, ["11-00-00.mp4"])
    os.utime(new, (time.time() - 3600, time.time() - 3600))
    second = index(place)
    right = is_named and (first["videos"], second["videos"]) == (1, 1)
    return Observed(text=f"{text}; then {second['videos']} more", right=right)


@situation("2 read: with settle_seconds = 0 a new file is read at once")
def settling_switched_off(place: Place) -> Observed:
    """Puts a new file beside an old one and switches settling off."""
    put_old(place, "gate/2026-03-14/10-00-00.mp4")
    os.utime(put_old(place, "gate/2026-03-14/11-00-00.mp4", 2.0))
    report = index(place, *write_settings(place, "[archive]\nsettle_seconds = 0\n"))
    return Observed(text=tell(report, [])[0], right=report["videos"] == 2)


@situation("2 read: in a fresh copy all files are new, and none is being written")
def a_fresh_copy(place: Place) -> Observed:
    """Indexes an archive that was copied a moment ago."""
    for hour, seconds in ((10, 2.0), (11, 3.0)):
        os.utime(put_old(place, f"gate/2026-03-14/{hour}-00-00.mp4", seconds))
    report = index(place)
    return Observed(text=tell(report, [])[0], right=report["videos"] == 2)


def write_stream(place: Place) -> bytes:
    """A recording of the demo archive, in which somebody falls, as a transport stream that can be cut anywhere."""
    path = place.folder / "whole.ts"
    with av.open(str(DEMO / FALL)) as opened, av.open(str(path), "w", format="mpegts") as written:
        stream = opened.streams.video[0]
        copied = written.add_stream_from_template(stream)
        for packet in opened.demux(stream):
            if packet.dts is not None:
                packet.stream = copied
                written.mux(packet)
    return path.read_bytes()


def write_old(path: Path, content: bytes) -> None:
    """Writes a file that looks as if it was finished long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (LONG_AGO, LONG_AGO))


def count(place: Place) -> dict[str, Any]:
    """Sweeps and counts what analysts see."""
    place.run("sweep", "--store", place.store)
    sql = """
    SELECT (SELECT count(*) FROM videos) AS videos,
    (SELECT round(sum(seconds_decoded)) FROM videos) AS "seconds",
    (SELECT count(DISTINCT crop_id) - count(*) FROM crops) AS double_crops,
    count(*) AS hits, count(DISTINCT (query_version, best_utc, camera)) AS events, count(feedback) AS said,
    (SELECT count(*) FROM judgements) AS judgements FROM hits
    """
    return next(iter(place.rows(sql)), {"videos": 0, "hits": 0, "events": 0, "said": 0, "judgements": 0})


@situation("1 video before and after; hits grow in number, none double, and what people said stays")
def a_file_that_grew(place: Place) -> Observed:
    """Indexes the first part of a recording, confirms a hit, and indexes the whole recording."""
    whole, path = write_stream(place), place.archive / "gate/2026-03-14/10-15-00.ts"
    write_old(path, whole[: int(len(whole) * 0.7)])
    index(place)
    before = count(place)
    for row in place.rows("select hit_id from hits limit 1"):
        place.run("feedback", row["hit_id"], "confirm", "--store", place.store)
    write_old(path, whole)
    index(place)
    after = count(place)
    right = before["videos"] == after["videos"] == 1 and after["hits"] == after["events"] >= before["hits"] > 0
    right = right and after["said"] == 1 and after["double_crops"] == 0 and after["seconds"] > before["seconds"]
    return Observed(text=f"before {before}, after {after}", right=right)


@situation("1 video: the recorder wrote the duration into the header when it ended the file")
def a_matroska_file_that_is_finished(place: Place) -> Observed:
    """Indexes a Matroska file while it is open for writing, and again when it is closed."""
    path = place.archive / "gate/2026-03-14/10-15-00.mkv"
    path.parent.mkdir(parents=True)
    with av.open(str(DEMO / FALL)) as opened, av.open(str(path), "w") as written:
        stream = opened.streams.video[0]
        copied = written.add_stream_from_template(stream)
        for packet in opened.demux(stream):
            if packet.dts is not None:
                packet.stream = copied
                written.mux(packet)
        part = path.read_bytes()
    whole = path.read_bytes()
    write_old(path, part)
    first = index(place)
    write_old(path, whole)
    second = index(place)
    found = count(place)
    text = f"{first['state']} with {first['videos']}, then {second['state']} with {found['videos']} videos"
    return Observed(text=text, right=first["videos"] == 1 and second["state"] == "Completed" and found["videos"] == 1)


@situation("2 videos: a ring-buffer recorder used the name again for another recording")
def a_name_used_again(place: Place) -> Observed:
    """Replaces an indexed file by a longer one of another time."""
    path = put_old(place, "gate/ring-00.mp4", 2.0)
    index(place)
    shutil.copyfile(DEMO / FALL, path)
    os.utime(path, (LONG_AGO + 86_400, LONG_AGO + 86_400))
    index(place)
    found = count(place)
    return Observed(text=f"{found['videos']} videos", right=found["videos"] == 2)


@situation("1 video: an unfinished MP4 is named, and read when it is finished")
def an_mp4_without_its_end(place: Place) -> Observed:
    """Indexes an MP4 of which only the beginning is there, then the whole."""
    path = place.archive / "gate/2026-03-14/10-15-00.mp4"
    whole = (DEMO / FALL).read_bytes()
    write_old(path, whole[: len(whole) // 2])
    first = index(place)
    write_old(path, whole)
    os.utime(path, (LONG_AGO + 60, LONG_AGO + 60))
    second = index(place)
    found = count(place)
    text = f"{first['state']}, then {second['state']} with {found['videos']} videos"
    return Observed(text=text, right=second["state"] == "Completed" and found["videos"] == 1)


@situation("1 video, whenever the index run that replaces the shorter version is killed")
def killed_while_a_grown_file_is_indexed(place: Place) -> Observed:
    """Kills the second index run several times, each time a little later, and looks at the store after each."""
    whole, path = write_stream(place), place.archive / "gate/2026-03-14/10-15-00.ts"
    write_old(path, whole[: int(len(whole) * 0.7)])
    index(place)
    numbers = {count(place)["videos"]}
    write_old(path, whole)
    for step in range(MAX_KILLS):
        command = [sys.executable, "-m", "flows.cli", "index", str(place.archive), "--store", str(place.store)]
        environment = os.environ | {"PYTHONPATH": str(place.code)}
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            try:
                run.wait(5.0 + 2.5 * step)
            except subprocess.TimeoutExpired:
                run.kill()
        numbers |= {row["n"] for row in place.rows("select count(*) n from videos")}
    index(place)
    found = count(place)
    right = numbers == {1} and found["videos"] == 1 and found["hits"] == found["events"]
    return Observed(text=f"videos at any time: {sorted(numbers)}, at the end: {found}", right=right)
