"""Situations that operators meet and no manual names: dashboard cameras, phones, lost clocks, odd files, two sites."""

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
from av.video.frame import VideoFrame

from tests.situations.place import Observed, Place, situation
from tests.situations.recorders import BERLIN, MORNING, SPRING, compare, index, put

NAME = "2026-03-14 10-15-00.mp4"


@situation("front and rear are two cameras, each with its time")
def dashboard_cameras(place: Place) -> Observed:
    """Names of Viofo, BlackVue, Thinkware and 70mai."""
    named = {
        "van/Movie/2026_0314_101500_000123F.MP4": ("van-front", MORNING),
        "van/Movie/2026_0314_101500_000124R.MP4": ("van-rear", MORNING),
        "taxi/Record/20260314_101500_NF.mp4": ("taxi-front", MORNING),
        "taxi/Record/20260314_101500_NR.mp4": ("taxi-rear", MORNING),
        "bus/cont_rec/REC_2026_03_14_10_15_00_F.MP4": ("bus-front", MORNING),
        "bus/cont_rec/REC_2026_03_14_10_15_00_R.MP4": ("bus-rear", MORNING),
        "truck/Normal/NO20260314-101500-000012F.MP4": ("truck-front", MORNING),
        "truck/Event/EV20260314-101500-000012B.MP4": ("truck-rear", MORNING),
    }
    return compare(place, named)


@situation("camera and start of each, without configuration")
def more_recorders(place: Place) -> Observed:
    """Names from manuals and issue lists of recorders that the first table does not have."""
    named = {
        "blink/26-03-14/10-15-00_Front Door_12.mp4": ("Front Door", MORNING),
        "shed/RecM02_20260314_101500_101545_2A1F808_12AB34.mp4": ("shed", MORNING),
        "shed/RecM02_DST20260714_111500_111545_2A1F808_12AB34.mp4": ("shed", "2026-07-14 09:15:00"),
        "2026-03-14/192.168.1.13_1_S10-15-00E10-16-00.mp4": ("192.168.1.13_1_S", MORNING),
        "20260314-101500-102000_192.168.1.11-CH2.mp4": ("192.168.1.11-CH2", MORNING),
        "hi_quality/00-1c-a6-12-34-56/2026/03/14/10/1773479700000_60000.mp4": ("00-1c-a6-12-34-56", MORNING),
        "lane/2026Y03M14D10H/15M00S.mp4": ("lane", MORNING),
        "lobby/20260314101500-101502-M00_507.mp4": ("lobby", MORNING),
        "patrol/00000_00000020260314101500_0001A.MP4": ("patrol", MORNING),
        "depot/20260314/10/20260314_101500_00.mp4": ("depot", MORNING),
        "玄関/2026年3月14日/10時15分00秒.mp4": ("玄関", MORNING),
        "eufy/T8410P1234567890/20260314101500.mp4": ("T8410P1234567890", MORNING),
    }
    return compare(place, named)


@situation("start of each; no app is taken for a camera")
def screens_calls_and_messengers(place: Place) -> Observed:
    """Names that macOS, Zoom, iOS, DJI, WhatsApp and Samsung give."""
    evening = MORNING.replace("09:", "21:")
    named = {
        "Screen Recording 2026-03-14 at 10.15.00\u202fPM.mov": ("default", evening),
        "GMT20260314-091600_Recording_1920x1080.mp4": ("default", MORNING.replace(":15:", ":16:")),
        "RPReplay_Final1773479820.MP4": ("default", MORNING.replace(":15:", ":17:")),
        "DJI_20260314101800_0001_D.MP4": ("default", MORNING.replace(":15:", ":18:")),
        "WhatsApp Video 2026-03-14 at 10.19.00.mp4": ("default", MORNING.replace(":15:", ":19:")),
        "20260314_102000(0).mp4": ("default", MORNING.replace(":15:", ":20:")),
    }
    return compare(place, named)


@situation("the file's time instead of January 2000; a lonely January 1st is marked")
def clocks_that_begin_again(place: Place) -> Observed:
    """A camera after a power cut."""
    for name in ("2000-01-01/00-00-15", "2012-01-01/02-00-20", "2026-03-14/10-15-00", "2026-03-15/10-15-00"):
        put(place, f"gate/{name}.mp4")
    printed, videos = index(place, BERLIN)
    years = sorted((video["start"][:4], video["clock_doubt"]) for video in videos.values())
    expected = [("2012", "clock_reset"), *[("2026", "")] * 2, ("2026", "clock_not_set file_time")]
    told = "clock_not_set" in printed and "clock_reset" in printed
    return Observed(text=f"{years}, told: {told}", right=years == expected and told)


def _write(source: Path, target: Path, seconds: Callable[[int], float], **options: str) -> None:
    """Writes the frames of a video again at other times, into a container given by the name."""
    base = Fraction(1, 90_000)
    raw = "h264" if target.suffix == ".264" else None
    with av.open(str(source)) as read, av.open(str(target), "w", format=raw, options=options) as written:
        stream = written.add_stream("libx264", rate=20)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        stream.time_base = stream.codec_context.time_base = base
        for number, frame in enumerate(read.decode(video=0)):
            smaller: VideoFrame = frame.reformat(width=640, height=360)
            smaller.pts, smaller.time_base = int(seconds(number) / base), base
            written.mux(stream.encode(smaller))
        written.mux(stream.encode(None))
    os.utime(target, (SPRING.timestamp(), SPRING.timestamp()))


@situation("all are read whole")
def odd_containers(place: Place) -> Observed:
    """Fragments, times that wrap, begin late or below zero, no index, one frame a minute, pauses, a raw stream."""
    put(place, f"gate/{NAME}")
    (place.archive / "gate" / NAME).unlink()
    source = place.folder / "cut.mp4"
    steady: Callable[[int], float] = lambda number: number / 20  # noqa: E731 - one line, used below
    raw_times = {"avoid_negative_ts": "disabled"}
    made = {
        "fragments.mp4": (steady, {"movflags": "frag_keyframe+empty_moov"}),
        "wrap.ts": (lambda number: 95_443.0 + number / 20, {"mpegts_copyts": "1"}),
        "late.mkv": (lambda number: 1_773_479_700.0 + number / 20, raw_times),
        "below zero.mkv": (lambda number: number / 20 - 0.5, raw_times),
        "live.mkv": (steady, {"live": "1"}),
        "lapse.mp4": (lambda number: number * 60.0, {}),
        "pause.mp4": (lambda number: number / 20 + 5 * (number > 9), {}),
        "stream.264": (steady, {}),
    }
    for minute, (name, (times, options)) in enumerate(made.items()):
        _write(source, place.archive / "gate" / f"2026-03-14 10-{minute:02d}-00 {name}", times, **options)
    printed, videos = index(place, BERLIN)
    whole = [path for path, video in videos.items() if float(video["coverage"]) > 0.99]
    rate = "frame_rate" in printed
    text = f"{len(whole)} of {len(made)} whole; the guessed rate of the raw stream is told: {rate}"
    return Observed(text=text, right=len(whole) == len(made) and rate)


@situation("each is named with its reason, and the good one is read")
def files_that_are_no_videos(place: Place) -> Observed:
    """Empty, sparse, a pipe, a web page, a circle of links, and a video whose end is missing."""
    put(place, f"gate/{NAME}")
    folder = place.archive / "gate"
    whole = (place.folder / "cut.mp4").read_bytes()
    for name, content in {"empty": b"", "page": b"<html>404</html>" * 99, "cut": whole[: len(whole) // 2]}.items():
        (folder / f"{name}.mp4").write_bytes(content)
    with (folder / "sparse.mp4").open("wb") as stream:
        stream.truncate(1 << 30)
    os.mkfifo(folder / "pipe.mp4")
    (folder / "one.mp4").symlink_to("two.mp4")
    (folder / "two.mp4").symlink_to("one.mp4")
    printed, videos = index(place, BERLIN)
    bad = ("empty", "page", "cut", "sparse", "pipe", "one", "two")
    told = [name for name in bad if f"{name}.mp4" in printed]
    return Observed(
        text=f"read {len(videos)}; named {len(told)} of {len(bad)}", right=(len(videos), len(told)) == (1, 7)
    )


@situation("all are read, with one camera for one look")
def odd_names(place: Place) -> Observed:
    """Latin-1, a newline, brackets, an emoji, a name of 250 bytes, accents written apart, spaces at the end."""
    names = ("[br]*?", "😀", "x" * 220, "ne\nw", " end ")
    for minute, name in enumerate(names):
        put(place, f"gate/2026-03-14/10-{minute:02d}-00 {name}.mp4")
    put(place, f"gate/latin {NAME}")
    (place.archive / "gate" / f"latin {NAME}").rename(os.fsdecode(os.fsencode(place.archive) + b"/gate/caf\xe9 10.mp4"))
    put(place, f"Haust\u00fcr/{NAME}")
    put(place, f"Haustu\u0308r /{NAME.replace('10-', '11-')}")
    _, videos = index(place, BERLIN)
    doors = {video["camera"] for video in videos.values() if "Haust" in video["camera"]}
    return Observed(text=f"{len(videos)} of 8 read; {sorted(doors)}", right=len(videos) == 8 and len(doors) == 1)


@situation("the run says that one camera can't record twice at one time")
def two_sites_with_one_name_in_one_store(place: Place) -> Observed:
    """Two archives with a camera called gate each, indexed into one store."""
    for site in ("north", "south"):
        put(place, f"{site}/gate/{NAME}")
    printed = [place.run("index", place.archive / site, "--store", place.store) for site in ("north", "south")]
    told = ["at the same time as another" in done.stdout + done.stderr for done in printed]
    return Observed(text=f"told: {told}", right=told == [False, True])


@situation("the run asks whether they are one camera")
def folders_that_differ_in_capital_letters(place: Place) -> Observed:
    """As disks of Windows and Linux make them."""
    put(place, f"Gate/{NAME}")
    put(place, f"gate/{NAME.replace('10-', '11-')}")
    done = place.run("index", place.archive, "--store", place.store, "--dry-run")
    told = "differ only in capital letters" in done.stdout
    return Observed(text=f"told: {told}", right=told)
