"""A long archive: 500 files of 20 cameras in five layouts, over three nights of which one has a clock change."""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import av

from tests.end_to_end.demo_archive import SQUARE, cut_video
from tests.situations.place import Observed, Place, situation
from tests.situations.recorders import BERLIN, QUERY, put

ZONE = ZoneInfo("Europe/Berlin")
FIRST_EVENING = datetime(2026, 10, 23, 20, tzinfo=UTC)  # in the night from 24 to 25 October, an hour is repeated
STEP, FILES_A_NIGHT, NIGHTS = timedelta(minutes=50), 8, 3
Layout = Callable[[int, datetime, datetime], tuple[str, str]]  # number, UTC and local start -> camera, path


def _frigate(number: int, utc: datetime, _: datetime) -> tuple[str, str]:
    return f"porch_{number}", f"frigate/{utc:%Y-%m-%d/%H}/porch_{number}/{utc:%M.%S}.mp4"


def _blue_iris(number: int, _: datetime, local: datetime) -> tuple[str, str]:
    return f"yard{number}", f"blueiris/yard{number}.{local:%Y%m%d_%H%M%S}.mp4"


def _reolink(number: int, _: datetime, local: datetime) -> tuple[str, str]:
    return f"RLC{number}", f"reolink/RLC{number}_00_{local:%Y%m%d%H%M%S}.mp4"


def _dahua(number: int, _: datetime, local: datetime) -> tuple[str, str]:
    stop = local + timedelta(minutes=1)
    span = f"{local:%H.%M.%S}-{stop:%H.%M.%S}"
    return f"side{number}", f"dahua/side{number}/{local:%Y-%m-%d}/001/dav/{local:%H}/{span}[R][0@0][0].mp4"


def _unifi(number: int, _: datetime, local: datetime) -> tuple[str, str]:
    half = f"{local:%I.%M.%S}{local:%p}".lower().lstrip("0")
    return f"Front Door {number}", f"unifi/Front Door {number} {local.month}-{local.day}-{local.year}, {half}.mp4"


LAYOUTS: tuple[Layout, ...] = (_frigate, _blue_iris, _reolink, _dahua, _unifi)


def list_starts() -> list[datetime]:
    """Returns the 25 starts of each camera, in UTC."""
    nights = [FIRST_EVENING + timedelta(days=night) for night in range(NIGHTS)]
    starts = [evening + STEP * number for evening in nights for number in range(FILES_A_NIGHT)]
    return [*starts, nights[-1] + STEP * FILES_A_NIGHT]


def build_truth() -> dict[str, tuple[str, datetime]]:
    """Returns camera and start of all 500 files by path."""
    truth: dict[str, tuple[str, datetime]] = {}
    for layout in LAYOUTS:
        for number in range(1, 5):
            for start in list_starts():
                camera, path = layout(number, start, start.astimezone(ZONE))
                truth[path] = camera, start
    return truth


@situation("each file's camera, start within 1 s, coverage within 1 %; the grown file once; four cameras gone")
def five_hundred_files_of_three_nights(place: Place) -> Observed:
    """Indexes twice: a file grows and a mount disappears between the two runs."""
    truth = build_truth()
    for path, (_, start) in truth.items():
        put(place, path, modified=start + timedelta(seconds=1.5))
    growing = "blueiris/yard1.20261026_060000.ts"
    whole = _write_stream(place)
    _put_part(place, growing, whole, len(whole) * 6 // 10)
    options = _write_settings(place)
    first = place.run("index", place.archive, *options)
    shutil.rmtree(place.archive / "dahua")
    _put_part(place, growing, whole, len(whole))
    second = place.run("index", place.archive, *options)
    place.run("sweep", *options, "--queries", place.folder / "queries.toml")
    wrong = _compare(place, truth)
    grown = place.rows(f"select seconds_decoded from videos where path = '{growing}'")
    gone = place.rows("select distinct camera from gaps where kind = 'camera gone'")
    text = (
        f"{len(truth)} files, exit {first.returncode} and {second.returncode}; {len(truth) - len(wrong)} right; "
        f"grown file: {len(grown)} rows; cameras gone: {sorted(row['camera'] for row in gone)}"
    )
    text += "".join(f"; {item}" for item in wrong[:10])
    return Observed(text=text, right=not wrong and len(grown) == 1 and len(gone) == 4)


def _compare(place: Place, truth: dict[str, tuple[str, datetime]]) -> list[str]:
    rows = place.rows("select path, camera, coverage, epoch(start_utc) as start from videos")
    found = {row["path"]: row for row in rows}
    wrong = []
    for path, (camera, start) in truth.items():
        row = found.get(path)
        if row is None:
            wrong.append(f"{path}: not there")
        elif row["camera"] != camera or abs(row["start"] - start.timestamp()) > 1 or row["coverage"] < 0.99:
            shift = row["start"] - start.timestamp()
            wrong.append(f"{path}: {row['camera']}, {shift:+.0f} s, coverage {row['coverage']:.2f}")
    return wrong


def _write_settings(place: Place) -> tuple[object, ...]:
    (place.folder / "settings.toml").write_text(BERLIN, encoding="utf-8")
    (place.folder / "queries.toml").write_text(QUERY, encoding="utf-8")
    return "--store", place.store, "--settings", place.folder / "settings.toml"


def _write_stream(place: Place) -> bytes:
    """A transport stream of four seconds, which can be read while it is still growing."""
    source, target = place.folder / "long.mp4", place.folder / "long.ts"
    cut_video(SQUARE, source, 4.0)
    with av.open(str(source)) as opened, av.open(str(target), "w") as written:
        copied = written.add_stream_from_template(opened.streams.video[0])
        for packet in opened.demux(opened.streams.video[0]):
            if packet.dts is not None:
                packet.stream = copied
                written.mux(packet)
    return target.read_bytes()


def _put_part(place: Place, name: str, content: bytes, size: int) -> None:
    target = place.archive / name
    target.write_bytes(content[:size])
    moment = datetime(2026, 10, 26, 6, tzinfo=UTC).timestamp()
    os.utime(target, (moment, moment))
