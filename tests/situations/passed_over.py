"""Situations of files that are no footage, are passed over, or are still being written."""

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.end_to_end.demo_archive import SQUARE, cut_video
from tests.situations.place import Observed, Place, Situation, situation

FORMATS = {
    ".264": ("h264", "libx264"),
    ".265": ("hevc", "libx265"),
    ".avc": ("h264", "libx264"),
    ".dav": ("mpeg", "mpeg2video"),
    ".divx": ("avi", "mpeg4"),
    ".m2v": ("mpeg2video", "mpeg2video"),
    ".mjpg": ("mjpeg", "mjpeg"),
    ".mxf": ("mxf", "mpeg2video"),
    ".ps": ("mpeg", "mpeg1video"),
    ".qt": ("mov", "libx264"),
}
LONG_AGO = 1_773_480_000.0  # 2026-03-14, so that no file looks as if it were being written


def put_old(place: Place, name: str, seconds: float = 3.0) -> Path:
    """Puts a piece of the demo archive into the archive, last changed long ago."""
    path = cut_video(SQUARE, place.folder / "cut.mp4", seconds)
    target = place.archive / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
    os.utime(target, (LONG_AGO, LONG_AGO))
    return target


def index(place: Place, *options: str | Path) -> dict[str, Any]:
    """Indexes the archive; the text of the command is under ``text``, for what only people see."""
    done = place.run("index", place.archive, "--store", place.store, "--json", *options)
    try:
        return {**json.loads(done.stdout), "text": done.stdout + done.stderr}
    except ValueError:
        return {"text": done.stdout + done.stderr, "videos": 0, "state": f"exit {done.returncode}"}


def write_settings(place: Place, text: str) -> tuple[str, Path]:
    """Writes a file of settings; returns the option that names it."""
    path = place.folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return "--settings", path


def tell(report: dict[str, Any], names: Iterable[str]) -> tuple[str, bool]:
    """Says how many videos were read, and which of the names the output names."""
    unnamed = [name for name in names if name not in report["text"]]
    text = f"{report['state']}: {report['videos']} read" + (f", not named: {', '.join(unnamed)}" if unnamed else "")
    lost = "".join(f"; {item['path']}: {item['reason']}" for item in report.get("unreadable", []))
    return text + lost, not unnamed


def not_read(words: str, *names: str) -> Situation:
    """A situation with one video to read and some that must not be read but be named."""

    def examine(place: Place) -> Observed:
        put_old(place, "gate/2026-03-14/10-00-00.mp4")
        for number, name in enumerate(names):
            put_old(place, name, 1.0 + number / 5)
        report = index(place)
        text, is_named = tell(report, [Path(name).name for name in names])
        return Observed(text=text, right=is_named and report["videos"] == 1)

    examine.__name__ = words
    return Situation(expected=f"1 read, {len(names)} named", examine=examine)


bins = not_read(
    "recycle bins",
    "$RECYCLE.BIN/S-1-5-21/$RX12.mp4",
    "#recycle/gate/deleted-1.mp4",
    "@Recycle/deleted-2.mp4",
    ".Trash-1000/files/deleted-3.mp4",
)
systems = not_read(
    "folders of a system or NAS",
    "gate/@eaDir/x.mp4/SYNOVIDEO_1.mp4",
    "System Volume Information/volume.mp4",
    "lost+found/12345.mp4",
)
copies = not_read(
    "snapshots and versions",
    ".snapshot/daily/gate/snapshot-1.mp4",
    "@Recently-Snapshot/gate/snapshot-2.mp4",
    ".stversions/gate/10-00-00~20260314.mp4",
)
unfinished = not_read(
    "hidden and unfinished files",
    "gate/2026-03-14/.11-00-00.mp4",
    "gate/2026-03-14/12-00-00.mp4.part",
    "gate/2026-03-14/13-00-00.mp4.crdownload",
    "gate/2026-03-14/14-00-00.mp4~",
    "gate/2026-03-14/15-00-00.tmp",
)
unknown = not_read("videos without a known extension", "gate/2026-03-14/recording0001", "gate/2026-03-14/11-00-00.vid")


@situation("1 read, and none of the others taken for a video")
def thumbnails_and_texts_beside_videos(place: Place) -> Observed:
    """What motionEye, Google Takeout, PhotoPrism and others keep beside ``video.mp4``."""
    path = put_old(place, "gate/2026-03-14/10-00-00.mp4")
    for suffix in ("thumb", "json", "xmp", "jpg", "srt", "md5"):
        path.with_name(f"{path.name}.{suffix}").write_bytes(b"no video" * 99)
    report = index(place)
    passed = report.get("passed_over", [])
    return Observed(
        text=f"{report['videos']} read, {len(passed)} passed over", right=report["videos"] == 1 and not passed
    )


formats = not_read(
    "formats of recorders that no decoder reads", "gate/2026-03-14.bvr", "F0FC_0_rotating_1773479700.ubv"
)


@situation("1 read, the AppleDouble file named and not counted as damaged")
def a_file_of_a_mac(place: Place) -> Observed:
    """Puts the companion file that macOS writes on foreign disks beside a video."""
    put_old(place, "gate/2026-03-14/10-00-00.mp4")
    (place.archive / "gate/2026-03-14/._10-00-00.mp4").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00" + bytes(4000))
    report = index(place)
    text, is_named = tell(report, ["._10-00-00.mp4"])
    return Observed(text=text, right=is_named and report["state"] == "Completed" and report["videos"] == 1)


@situation("1 read: of the user's patterns, exclude leaves one out and include takes a hidden one")
def patterns_of_the_user(place: Place) -> Observed:
    """Excludes a folder of tests, and includes a hidden folder."""
    put_old(place, "gate/tests/10-00-00.mp4")
    put_old(place, ".cameras/yard/2026-03-14/10-00-00.mp4", 2.0)
    options = write_settings(place, '[archive]\nexclude = ["tests/"]\ninclude = [".cameras/"]\n')
    report = index(place, *options)
    text, is_named = tell(report, ["gate/tests/10-00-00.mp4"])
    return Observed(text=text, right=is_named and report["videos"] == 1)


@situation("all read, 2 s each")
def formats_of_recorders(place: Place) -> Observed:
    """Writes one video in each format that FFmpeg can write, raw streams without times too."""
    for number, (suffix, (container, codec)) in enumerate(FORMATS.items()):
        path = place.archive / f"gate/2026-03-14/10-{number:02d}-00{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w", format=container) as written:
            stream = written.add_stream(codec, rate=25)
            stream.width, stream.height = 176, 144
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for frame in range(50):
                picture = np.full((144, 176, 3), frame + number, np.uint8)
                written.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            written.mux(stream.encode())
        os.utime(path, (LONG_AGO, LONG_AGO))
    report = index(place)
    text = f"{report['state']}: {report['videos']} of {len(FORMATS)} read, {report.get('video_seconds', 0)} s"
    right = report["videos"] == len(FORMATS) and abs(report["video_seconds"] - 2 * len(FORMATS)) < len(FORMATS) / 4
    return Observed(text=text, right=right)


@situation("1 video of camera gate, although links to its folder and file and a circle exist")
def links_inside_the_archive(place: Place) -> Observed:
    """Links a folder and a file of the archive, and the archive into itself."""
    put_old(place, "gate/2026-03-14/10-00-00.mp4")
    (place.archive / "again").symlink_to("gate")
    (place.archive / "latest.mp4").symlink_to("gate/2026-03-14/10-00-00.mp4")
    (place.archive / "gate/circle").symlink_to("..")
    report = index(place)
    text, _ = tell(report, [])
    return Observed(text=f"{text}, {len(report.get('duplicates', []))} duplicates", right=report["videos"] == 1)


@situation("1 video of camera gate: the visible name of a folder that is kept under a hidden one")
def a_link_to_a_hidden_folder(place: Place) -> Observed:
    """Keeps the footage in a hidden folder, to which a visible link leads."""
    put_old(place, ".pool/gate/2026-03-14/10-00-00.mp4")
    (place.archive / "gate").symlink_to(".pool/gate")
    place.run("index", place.archive, "--store", place.store)
    place.run("sweep", "--store", place.store)
    found = place.rows("select path, camera from videos")
    return Observed(text=str(found), right=[row["camera"] for row in found] == ["gate"])


@situation("1 read and the links out named; 3 read if the settings allow it")
def links_out_of_the_archive(place: Place) -> Observed:
    """Links a folder and a file outside the archive."""
    put_old(place, "gate/2026-03-14/10-00-00.mp4")
    outside = place.folder / "other/2026-03-14"
    outside.mkdir(parents=True)
    for number, seconds in enumerate((1.5, 2.0)):
        shutil.move(put_old(place, "moved.mp4", seconds), outside / f"1{number}-00-00.mp4")
    (place.archive / "yard").symlink_to(place.folder / "other")
    (place.archive / "gate/2026-03-14/11-00-00.mp4").symlink_to(outside / "11-00-00.mp4")
    first = index(place)
    text, is_named = tell(first, ["yard", "11-00-00.mp4"])
    second = index(place, *write_settings(place, "[archive]\nfollow_links_out = true\n"))
    numbers = (first["videos"], second["videos"])
    return Observed(text=f"{text}; then {second['videos']} more", right=is_named and numbers == (1, 2))


@situation("the duplicate is named in the text, with the camera that owns the video")
def duplicates_in_the_text(place: Place) -> Observed:
    """Puts the same recording into the folders of two cameras."""
    for camera in ("gate", "yard"):
        put_old(place, f"{camera}/2026-03-14/10-00-00.mp4")
    text = place.run("index", place.archive, "--store", place.store).stdout
    told = [line.strip() for line in text.splitlines() if "yard/2026-03-14/10-00-00.mp4" in line]
    return Observed(text=" ".join(told) or "not named", right=any("gate" in line for line in told))
