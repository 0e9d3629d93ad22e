"""From files to shards: nothing is left out, nothing comes twice, whatever the pieces."""

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalylmm.footage.sampling import Sampler
from anomalylmm.records import Crop, Detections, FrameBatch, Image
from flows.index.planning import plan_archive
from flows.index.units.cropping import CropStream
from flows.index.units.streams import Frames, VideoEnd
from flows.settings.model import Settings
from storage.disk.layout import CROPS_FILE, INDEX_FILE, StoreLayout
from storage.shards.reading import load_crops, load_tracklet, read_rows
from storage.shards.schema import table_to_rows
from storage.shards.vectors import open_index, read_vectors
from storage.shards.writer import verify_shard
from tests.adapters import build_tracklets
from tests.drawn import VIDEO, LaneTracker
from tests.fakes import BlockDetector, draw
from tests.storage.examples import DIMENSION, make_key, make_rows, make_video, open_writer, unit_vectors

TIMES = tuple(number / 4 for number in range(24))
FRAMES = tuple(draw([("red", 0, 6), ("blue", 2, 5)], at, 6.0) for at in TIMES)
CAMERAS, CONTENTS = st.sampled_from(["gate", "yard"]), st.integers(0, 9)
STEPS = st.lists(st.floats(1e-3, 3), min_size=1, max_size=60)
CORNERS = st.tuples(*[st.floats(-50, 450, width=32)] * 4)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(CAMERAS, st.integers(1, 3), CONTENTS), min_size=1, max_size=12),
    st.integers(1, 3),
    st.sets(CONTENTS),
    st.sets(CONTENTS),
)
def test_each_content_is_known_quarantined_or_planned_once(
    files: list[tuple[str, int, int]], most: int, known: set[int], bad: set[int]
) -> None:
    with TemporaryDirectory() as folder:
        for number, (camera, day, content) in enumerate(files):
            path = Path(folder) / f"{camera}/2026-03-{day:02d}/10-00-{number:02d}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes([content]) * 64)
        whole = _plan(Path(folder), most, frozenset(), frozenset())
        ids = {Path(folder, path).read_bytes()[0]: video_id for path, video_id in whole.seen}
        names = [frozenset(ids[item] for item in group if item in ids) for group in (known, bad - known)]
        plan = _plan(Path(folder), most, *names)
    planned = [video.video_id for unit in plan.units for video in unit.videos]
    assert sorted([*planned, *names[0], *names[1]]) == sorted(ids.values())
    assert len(planned) + len(plan.duplicates) + plan.known + plan.quarantined == len(files)
    assert all(len(unit.videos) <= most for unit in plan.units)


def _plan(archive: Path, most: int, known: frozenset[str], quarantined: frozenset[str]):
    given_ = Settings.model_validate({"shards": {"max_videos": most}})
    return plan_archive(archive, given_, known=known, quarantined=quarantined, probe_start=lambda _: None)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=24))
def test_frames_in_any_pieces_give_the_same_crops(sizes: list[int]) -> None:
    stops = [0, *(stop for stop in accumulate(sizes) if stop < len(TIMES)), len(TIMES)]
    detector = CountingDetector()
    stream = CropStream(Settings.model_validate({"gate": {"enabled": False}}), detector, LaneTracker)
    assert _describe(_iter_crops(stream, stops)) == WHOLE
    assert stream.counts.frames == len(TIMES)
    assert detector.sizes == [8, 8, 8]  # full batches, whatever comes


class CountingDetector(BlockDetector):
    """Notes how many frames it is given at a time."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        self.sizes.append(len(images))
        return super().detect(images)


def _iter_crops(stream: CropStream, stops: list[int]) -> Iterator[Crop]:
    for start, stop in pairwise(stops):
        batch = FrameBatch(images=FRAMES[start:stop], pts_seconds=TIMES[start:stop])
        yield from stream.follow(stream.look(Frames(video=VIDEO, batch=batch))).crops
    end = Frames(video=VIDEO, end=VideoEnd(video=VIDEO), ends_stream=True)
    yield from stream.follow(stream.look(end)).crops


def _describe(crops: Iterator[Crop]) -> list[tuple[str, str, float, bytes]]:
    return [(crop.crop_id, crop.tracklet_id, crop.pts_seconds, crop.image.tobytes()) for crop in crops]


WHOLE = _describe(
    _iter_crops(
        CropStream(Settings.model_validate({"gate": {"enabled": False}}), BlockDetector(), LaneTracker),
        [0, len(TIMES)],
    )
)


@given(STEPS, st.floats(0.2, 30))
def test_the_sampler_picks_the_first_frame_at_or_after_each_sample_time(steps: list[float], rate: float) -> None:
    times = list(accumulate(steps))
    sampler = Sampler(rate)
    picked = [at for at in times if sampler.wants(at)]
    slots = [np.floor((at - times[0]) * rate + 1e-6) for at in times]  # the newest sample time that a frame has reached
    assert picked == [at for before, slot, at in zip([-1, *slots], slots, times, strict=False) if slot > before]
    assert all(earlier < later for earlier, later in pairwise(picked))


@settings(max_examples=20)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=4), st.integers(0, 1000))
def test_a_shard_gives_back_what_was_written_however_it_was_appended(sizes: list[int], seed: int) -> None:
    rows = make_rows("a", unit_vectors(sum(sizes), seed))
    with TemporaryDirectory() as folder:
        layout = StoreLayout(Path(folder))
        with open_writer(layout, make_key("a")) as writer:
            for start, stop in pairwise(accumulate([0, *sizes])):
                writer.append(rows[start:stop])
            manifest = writer.publish([make_video("a")], seconds=1.0)
        directory = layout.shard_dir(manifest.key)
        assert verify_shard(directory, deep=True) == []
        assert manifest.rows == len(rows)
        back = table_to_rows(read_rows(directory, np.arange(len(rows))))
        vectors = read_vectors(open_index(directory / INDEX_FILE, len(rows), DIMENSION), np.arange(len(rows)))
        wanted = np.random.default_rng(seed).permutation(len(rows))[:5]
        some = load_crops(directory, [rows[number].crop_id for number in wanted])
        tracklets = {row.tracklet_id for row in rows[:9]}
        followed = [row.crop_id for name in sorted(tracklets) for row in load_tracklet(directory, name)]
        assert (directory / CROPS_FILE).is_file()
    assert [row.crop_id for row in back] == [row.crop_id for row in rows]
    for row, other in zip([*rows, *(rows[number] for number in wanted)], [*back, *some], strict=True):
        names = [name for name in type(row).__slots__ if name != "vector"]
        assert [getattr(row, name) for name in names] == [getattr(other, name) for name in names]
        assert np.array_equal(row.vector, other.vector)
    assert np.array_equal(vectors, np.array([row.vector for row in rows], np.float32).reshape(-1, DIMENSION))
    assert followed == [row.crop_id for row in rows if row.tracklet_id in tracklets]


@given(
    st.integers(2, 400),
    st.integers(2, 400),
    st.floats(0, 2),
    st.lists(st.lists(CORNERS, max_size=4), min_size=1, max_size=8),
)
def test_every_crop_is_inside_its_frame_and_its_tracklet(
    width: int, height: int, margin: float, frames: list[list[tuple[float, ...]]]
) -> None:
    builder = build_tracklets("v", min_detections=1, margin=margin, max_crop_px=200)
    image = np.zeros((height, width, 3), np.uint8)
    for number, boxes in enumerate(frames):
        found = Detections(
            boxes_xyxy_px=np.array(boxes, np.float32).reshape(-1, 4), scores=np.full(len(boxes), 0.9, np.float32)
        )
        builder.add(found, np.arange(len(boxes)), image, number / 4)
    builder.finish()
    crops = [crop for tracklet in builder.iter_closed() for crop in tracklet]
    assert len({crop.crop_id for crop in crops}) == len(crops)
    for crop in crops:
        x0, y0, x1, y1 = crop.box_xyxy_px
        left, top, right, bottom = crop.context_xyxy_px
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert crop.image.size > 0
        assert max(crop.image.shape[:2]) <= min(200, max(right - left, bottom - top))
        assert crop.tracklet_start_seconds <= crop.pts_seconds <= crop.tracklet_stop_seconds
