"""Situations of names and clocks: layouts of recorders, clock changes, times of files and containers."""

import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import av

from tests.end_to_end.demo_archive import SQUARE, cut_video
from tests.situations.place import Observed, Place, situation

BERLIN = 'time_zone = "Europe/Berlin"\n'
QUERY = '[[query]]\nname = "fall"\ntext = "a person falls"\n'
SPRING = datetime(2026, 4, 1, tzinfo=UTC)  # after all recordings of March: files were copied then
Named = Mapping[str, tuple[str, str]]  # path -> camera, start in UTC


def put(place: Place, name: str, modified: datetime = SPRING, created: datetime | None = None) -> float:
    """Puts a short video with a content of its own into the archive; returns its duration in seconds."""
    source, target = place.folder / "cut.mp4", place.archive / name
    if not source.exists():
        cut_video(SQUARE, source, 1.5)
    target.parent.mkdir(parents=True, exist_ok=True)
    if created:
        _write_created(source, target.with_suffix(".mp4"), created)
        target.with_suffix(".mp4").rename(target)
    else:
        shutil.copyfile(source, target)
    with target.open("ab") as stream:  # a free box with the name, so that no two files are duplicates
        content = name.encode()
        stream.write((8 + len(content)).to_bytes(4, "big") + b"free" + content)
    os.utime(target, (modified.timestamp(), modified.timestamp()))
    with av.open(str(source)) as opened:
        return (opened.duration or 0) / 1e6


def _write_created(source: Path, target: Path, created: datetime) -> None:
    with av.open(str(source)) as opened, av.open(str(target), "w") as written:
        written.metadata["creation_time"] = f"{created:%Y-%m-%dT%H:%M:%S.000000Z}"
        copied = written.add_stream_from_template(opened.streams.video[0])
        for packet in opened.demux(opened.streams.video[0]):
            if packet.dts is not None:
                packet.stream = copied
                written.mux(packet)


def index(place: Place, settings: str = "") -> tuple[str, dict[str, dict[str, str]]]:
    """Indexes the archive and publishes; returns what the command printed, and the table of videos by path."""
    (place.folder / "settings.toml").write_text(settings, encoding="utf-8")
    (place.folder / "queries.toml").write_text(QUERY, encoding="utf-8")
    options = ("--store", place.store, "--settings", place.folder / "settings.toml")
    done = place.run("index", place.archive, *options)
    place.run("sweep", *options, "--queries", place.folder / "queries.toml")
    rows = place.rows("select *, strftime(start_utc, '%Y-%m-%d %H:%M:%S') as start from videos")
    shutil.rmtree(place.store, ignore_errors=True)
    return done.stdout + done.stderr, {row["path"]: {"clock_doubt": "", **row} for row in rows}


def compare(place: Place, expected: Named, settings: str = BERLIN) -> Observed:
    """Puts files, indexes them and says which have another camera or start than expected."""
    for name in expected:
        put(place, name)
    _, videos = index(place, settings)
    wrong = [
        f"{name}: {videos[name]['camera']}, {videos[name]['start']}" if name in videos else f"{name}: not read"
        for name, facts in expected.items()
        if name not in videos or (videos[name]["camera"], videos[name]["start"]) != facts
    ]
    text = f"{len(expected) - len(wrong)} of {len(expected)} right"
    return Observed(text=text + "".join(f"; {item}" for item in wrong), right=not wrong)


MORNING = "2026-03-14 09:15:00"  # 10:15 in Berlin


@situation("camera and start of each, without configuration")
def names_of_common_recorders(place: Place) -> Observed:
    """Names of network cameras and of programs that record them."""
    return compare(
        place,
        {
            "2026-03-14/10/front_door/06.56.mp4": ("front_door", "2026-03-14 10:06:56"),
            "yard.20260314_101500.mp4": ("yard", MORNING),
            "RLC-810A_00_20260314101500.mp4": ("RLC-810A", MORNING),
            "ch01_20260314101500.mp4": ("ch01", MORNING),
            "side/2026-03-14/001/dav/10/10.15.00-10.16.00[R][0@0][0].mp4": ("side", MORNING),
            "Front Door 3-14-2026, 10.15.00am.mp4": ("Front Door", MORNING),
            "Back Door-20260314-101500-1773479700.mp4": ("Back Door", MORNING),
            "7/26/03/14/10/15/00/event.mp4": ("7", MORNING),
            "KEY/gate/2026-03-14T10-15-00.mp4": ("gate", MORNING),
            "garage/01-20260314101500.mkv": ("garage", MORNING),
            "Camera1/2026-03-14/10-15-00.mp4": ("Camera1", MORNING),
            "20260314_101400_CAFE_ACCC8E123456/20260314_10/20260314_101500_1234.mkv": ("ACCC8E123456", MORNING),
            "kitchen/20260314/10/15.mp4": ("kitchen", MORNING),
            "T8410P1234567890/20260314101500.mp4": ("T8410P1234567890", MORNING),
            "hall/14-03-2026/10-15-00.mp4": ("hall", MORNING),
            "attic/1773479700123.mp4": ("attic", MORNING),
            "20260314-10h15m00s-Cellar.mp4": ("Cellar", MORNING),
            "Stored/lane.20260314_101500.1234.3-1.mp4": ("lane", MORNING),
        },
    )


@situation("start of each; no camera is invented")
def names_of_phones(place: Place) -> Observed:
    """Names of Android phones; the Pixel's are in UTC."""
    return compare(
        place,
        {
            "VID_20260314_101500.mp4": ("default", MORNING),
            "PXL_20260314_091600123.mp4": ("default", "2026-03-14 09:16:00"),
            "20260314_101700.mp4": ("default", "2026-03-14 09:17:00"),
        },
    )


@situation("the zone in the name counts")
def names_with_a_zone(place: Place) -> Observed:
    """ISO times with Z and an offset."""
    return compare(
        place,
        {
            "gate/2026-03-14T09-15-00Z.mp4": ("gate", MORNING),
            "gate/2026-03-14T10-16-00+01:00.mp4": ("gate", "2026-03-14 09:16:00"),
        },
    )


@situation("both cameras with their times")
def an_own_pattern_beside_a_recorders_names(place: Place) -> Observed:
    """A pattern of the user's that fits one camera only."""
    pattern = '[[cameras]]\npattern = "disk/{camera}@{year}.{month}.{day} {hour}h{minute}"\ntime_zone = "Asia/Tokyo"\n'
    named = {
        "disk/dock@2026.03.14 18h15.mp4": ("dock", MORNING),
        "yard.20260314_101500.mp4": ("yard", MORNING),
    }
    return compare(place, named, BERLIN + pattern)


@situation("March 4th, as a neighboring file says")
def a_day_and_month_that_could_be_swapped(place: Place) -> Observed:
    """Month-first names, of which only one shows the order."""
    return compare(
        place,
        {
            "gate 03-04-2026 10-15-00.mp4": ("gate", MORNING.replace("14", "04")),
            "gate 03-14-2026 10-15-00.mp4": ("gate", MORNING),
        },
    )


@situation("not midnight, and marked")
def a_date_without_a_time(place: Place) -> Observed:
    """A name that holds only the day."""
    put(place, "gate/2026-03-14.mp4")
    _, videos = index(place, BERLIN)
    video = videos.get("gate/2026-03-14.mp4", {})
    text = f"{video.get('start')}, {video.get('clock_source')}, doubt {video.get('clock_doubt')!r}"
    right = "2026-03-14" in str(video.get("start")) and "date_only" in video.get("clock_doubt", "")
    return Observed(text=text, right=right)


@situation("marked, and not read as a date")
def an_impossible_date(place: Place) -> Observed:
    """February 31st."""
    put(place, "gate/2026-02-31/12-00-00.mp4")
    _, videos = index(place, BERLIN)
    video = videos.get("gate/2026-02-31/12-00-00.mp4", {})
    text = f"{video.get('camera')}, {video.get('clock_source')}, doubt {video.get('clock_doubt')!r}"
    right = video.get("camera") == "gate" and "impossible_date" in video.get("clock_doubt", "")
    return Observed(text=text, right=right)


@situation("starts its duration before the file's time; the run says that only file times were there")
def a_file_without_any_time_but_its_own(place: Place) -> Observed:
    """The file was last changed when the recording ended."""
    end = datetime(2026, 3, 14, 9, 15, 10, tzinfo=UTC)
    duration = put(place, "gate/clip.mp4", modified=end)
    printed, videos = index(place)
    video = videos.get("gate/clip.mp4", {})
    start = datetime.fromisoformat(video["start"]).replace(tzinfo=UTC) if video else end
    is_told = "file_time" in printed
    text = f"{(end - start).total_seconds():.0f} s before its end, {video.get('clock_source')}, told: {is_told}"
    return Observed(text=text, right=abs((end - start).total_seconds() - duration) < 1.01 and is_told)


@situation("1 s after 10:15 in Berlin, and marked")
def a_container_with_the_local_time_as_utc(place: Place) -> Observed:
    """The file's time shows that the container's time is not UTC."""
    end = datetime(2026, 3, 14, 9, 15, 1, tzinfo=UTC)
    put(place, "gate/clip.mp4", modified=end, created=datetime(2026, 3, 14, 10, 15, tzinfo=UTC))
    _, videos = index(place, BERLIN)
    video = videos.get("gate/clip.mp4", {})
    text = f"{video.get('start')}, {video.get('clock_source')}, doubt {video.get('clock_doubt')!r}"
    return Observed(text=text, right=str(video.get("start"))[:15] == MORNING[:15] and bool(video.get("clock_doubt")))


@situation("two moments an hour apart")
def the_hour_that_occurs_twice(place: Place) -> Observed:
    """Clocks are put back; the recorder adds a number to the second file of one name."""
    return compare(
        place,
        {
            "gate/2025-10-26/02-30-00.mp4": ("gate", "2025-10-26 00:30:00"),
            "gate/2025-10-26/02-30-00_1.mp4": ("gate", "2025-10-26 01:30:00"),
        },
    )


@situation("marked, and no two videos begin at one moment")
def the_hour_that_is_missing(place: Place) -> Observed:
    """Clocks are put forward, but not the recorder's."""
    for name in ("02-00-00", "02-30-00", "03-00-00"):
        put(place, f"gate/2026-03-29/{name}.mp4")
    _, videos = index(place, BERLIN)
    starts = sorted(video["start"] for video in videos.values())
    marked = sum("missing_hour" in video["clock_doubt"] for video in videos.values())
    return Observed(
        text=f"{', '.join(starts)}; {marked} marked", right=len(videos) == len(set(starts)) == 3 and marked == 3
    )


@situation("cameras, times, their sources, and what is unsure; nothing is stored")
def a_look_before_indexing(place: Place) -> Observed:
    """The option --dry-run."""
    put(place, "yard.20260314_101500.mp4")
    put(place, "gate/clip.mp4")
    done = place.run("index", place.archive, "--store", place.store, "--dry-run")
    told = [word for word in ("yard", "2026-03-14 10:15:00", "the path", "unsure") if word in done.stdout]
    text = f"exit {done.returncode}; shown: {', '.join(told) or 'nothing'}; store made: {place.store.exists()}"
    return Observed(text=text, right=done.returncode == 0 and len(told) == 4 and not place.store.exists())
