"""Situations of files that hold more, less or something else than one track of whole pictures at a usual speed."""

import shutil
from pathlib import Path

import av
import cv2
import numpy as np

from tests.anomalylmm.models.video.clips import write_sound
from tests.anomalylmm.models.video.single_fields import write_single_fields
from tests.situations.passed_over import index, put_old, tell
from tests.situations.pictures import FALL, demo_frames, mean_color, write_video
from tests.situations.pictures import index as index_and_sweep
from tests.situations.place import Observed, Place, situation


def _add_track(path: Path, size: tuple[int, int], *, is_first: bool) -> None:
    """Adds a second video track of gray pictures to a file."""
    whole = path.rename(path.with_name("one-track.mp4"))
    with av.open(str(whole)) as read, av.open(str(path), "w") as written:
        source = read.streams.video[0]
        gray = written.add_stream("libx264", rate=10) if is_first else None
        copied = written.add_stream_from_template(source)
        gray = gray or written.add_stream("libx264", rate=10)
        gray.width, gray.height, gray.pix_fmt = *size, "yuv420p"
        for _ in range(60):
            image = np.full((size[1], size[0], 3), 90, np.uint8)
            written.mux(gray.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        written.mux(gray.encode(None))
        for packet in read.demux(source):
            if packet.dts is not None:
                packet.stream = copied
                written.mux(packet)
    whole.unlink()


@situation("people are found in the larger track, and the file is named")
def a_small_preview_before_the_video(place: Place) -> Observed:
    """A file whose first track is a small preview without people."""
    _add_track(write_video(place.archive / FALL, demo_frames()), (160, 90), is_first=True)
    report = index_and_sweep(place)
    notes = [note for note in report["notes"] if "video tracks" in note and FALL in note]
    return Observed(text=f"{report['crops']} crops; named: {bool(notes)}", right=report["crops"] > 5 and bool(notes))


@situation("1 read; the picture is named as one")
def a_photo_with_the_name_of_a_video(place: Place) -> Observed:
    """A JPEG called .mp4."""
    put_old(place, "gate/2026-03-14/10-00-00.mp4")
    path = place.archive / "gate/2026-03-14/11-00-00.mp4"
    path.write_bytes(cv2.imencode(".jpg", np.full((360, 640, 3), 90, np.uint8))[1].tobytes())
    shutil.copystat(place.archive / "gate/2026-03-14/10-00-00.mp4", path)
    report = index(place)
    text, _ = tell(report, [])
    return Observed(text=text, right=report["videos"] == 1 and "still picture" in report["text"])


@situation("2.0 s, all of them covered")
def fields_coded_one_by_one(place: Place) -> Observed:
    """Interlaced H.264 with a packet for each field (PAFF), as Matroska and as a raw stream."""
    for name in ("10-00-00.mkv", "11-00-00.264"):
        path = place.archive / "gate/2026-03-14" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_single_fields(path, 50)
    (place.archive / "gate/2026-03-14/10-00-00.264").unlink()  # what the Matroska file was made of
    index_and_sweep(place)
    rows = place.rows("select seconds_promised s, coverage c from videos order by path")
    found = [(round(row["s"], 2), round(row["c"], 2)) for row in rows]
    return Observed(text=f"seconds and coverage: {found}", right=found == [(2.0, 1.0)] * 2)


@situation("Completed, coverage 1: only the sound is longer")
def a_sound_track_that_outlasts_the_video(place: Place) -> Observed:
    """As ZoneMinder writes them (its issues 2561 and 2621)."""
    path = place.archive / "gate/2026-03-14/10-00-00.mkv"
    path.parent.mkdir(parents=True)
    write_sound(path, seconds=30, video_seconds=5)
    report = index_and_sweep(place)
    covered = [round(row["coverage"], 2) for row in place.rows("select coverage from videos")]
    return Observed(
        text=f"{report['state']}, coverage {covered}", right=report["state"] == "Completed" and covered == [1]
    )


@situation("a note that the file plays too fast")
def a_thousand_frames_a_second(place: Place) -> Observed:
    """As motionEye wrote them on slow machines (motionEyeOS issue 724)."""
    write_video(place.archive / FALL, demo_frames(), fps=1000)
    notes = [note for note in index_and_sweep(place)["notes"] if "frames a second" in note]
    return Observed(text="; ".join(notes) or "no word of it", right=len(notes) == 1)


@situation("a note that the file is much shorter than its name says")
def a_time_lapse_with_a_span_in_its_name(place: Place) -> Observed:
    """A day in a few seconds."""
    put_old(place, "gate/2026-03-14/001/dav/10/10.15.00-18.15.00[R][0@0][0].mp4")
    notes = [note for note in index(place)["notes"] if "spans in their names" in note]
    return Observed(text="; ".join(notes) or "no word of it", right=len(notes) == 1)


@situation("crops of the same color as of the same video with tags, within a quarter of a gray level")
def high_definition_without_color_tags(place: Place) -> Observed:
    """HD is BT.709 unless it says something else; some phones tag theirs as reserved (Immich issue 31715)."""
    means = []
    for name, tag in (("tagged", 1), ("untagged", None), ("reserved", 3)):
        part = Place(folder=place.folder / name, code=place.code)
        part.folder.mkdir()
        _write_hd(part.archive / FALL, tag)
        index_and_sweep(part)
        means.append(mean_color(part))
    if any(mean is None for mean in means):
        return Observed(text="no crops", right=False)
    apart = [float(np.abs(mean - means[0]).max()) for mean in means[1:] if mean is not None]
    return Observed(text=f"{apart[0]:.2f} and {apart[1]:.2f} levels apart", right=max(apart) < 0.25)


def _write_hd(path: Path, tag: int | None) -> None:
    """Writes the demo in 720 lines with the matrix of BT.709."""
    path.parent.mkdir(parents=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt, stream.options = 1280, 720, "yuv420p", {"preset": "ultrafast"}
        if tag is not None:
            stream.codec_context.colorspace = tag
        for image in demo_frames():
            large = np.ascontiguousarray(cv2.resize(image, (1280, 720))[..., ::-1])  # blue clothes become red ones
            frame = av.VideoFrame.from_ndarray(large, format="rgb24").reformat(format="yuv420p", dst_colorspace=1)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
