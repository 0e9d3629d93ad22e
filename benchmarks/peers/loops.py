"""The loops that people write, as peers to measure against: one step after the other, nothing bounded, no resume.

``every_frame`` looks at every frame, one at a time. ``tuned`` is the same loop with the best settings that ultralytics
offers. ``same_models`` has our detector, tracker, joints and encoder, so that only the pipeline differs.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from anomalylmm.models.detect.yolo import choose_file, import_ultralytics
from anomalylmm.models.weights import resolve
from anomalylmm.records import Image
from benchmarks.peers.flat_store import FlatStore
from benchmarks.peers.seen import Look
from flows.composition import Composition
from flows.index.listing.archive_files import list_archive
from flows.settings.model import Settings

YOLO = "pocket/detector"  # the YOLO of this package: the loop that people write calls YOLO.track
YOLO_SIDE = 640  # the size that it was trained for; at 416 it loses events
BATCH = 8


def index_every_frame(settings: Settings, archive: Path, folder: Path) -> list[Look]:
    """Every frame to YOLO.track by ONNX Runtime, every box to the encoder."""
    store = _open_store(settings, 1)
    for path, name in _iter_videos(archive):
        model, fps = import_ultralytics().YOLO(str(resolve(YOLO, "detector").path), task="detect"), _fps(path)
        options = {"imgsz": YOLO_SIDE, "conf": settings.detector.confidence, "device": "cpu", "verbose": False}
        for number, frame in enumerate(_iter_frames(path, 1)):
            found = model.track(frame[..., ::-1], persist=True, tracker="bytetrack.yaml", **options)[0]
            for box in found.boxes.xyxy.numpy():
                store.add(frame, box, name, number / fps)
    store.write(folder)
    return store.looks


def index_tuned(settings: Settings, archive: Path, folder: Path) -> list[Look]:
    """As many frames a second as we look at, in batches by OpenVINO; one crop a second of each track."""
    store = _open_store(settings, settings.encoder.batch_size)
    file = choose_file(resolve(YOLO, "detector"), "cpu", "openvino")
    for path, name in _iter_videos(archive):
        model = import_ultralytics().YOLO(str(file), task="detect")
        stride, step_seconds = _stride(path, settings)
        thin = Thin(settings.tracklets.seconds_per_crop)
        results = model.track(
            str(path),
            stream=True,
            vid_stride=stride,
            batch=BATCH,
            tracker="bytetrack.yaml",
            imgsz=YOLO_SIDE,
            conf=settings.detector.confidence,
            device="cpu",
            verbose=False,
        )
        for number, found in enumerate(results):
            seconds = number * step_seconds
            tracks = [] if found.boxes.id is None else found.boxes.id.int().tolist()
            for track, box in zip(tracks, found.boxes.xyxy.numpy(), strict=False):
                if thin.wants(track, seconds):
                    store.add(found.orig_img[..., ::-1], box, name, seconds)
    store.write(folder)
    return store.looks


def index_same_models(settings: Settings, archive: Path, folder: Path) -> list[Look]:
    """As many frames a second as we look at, with our models in batches; one crop a second of each track."""
    store, composition = _open_store(settings, settings.encoder.batch_size), Composition(settings)
    for path, name in _iter_videos(archive):
        stride, step_seconds = _stride(path, settings)
        thin = Thin(settings.tracklets.seconds_per_crop)
        tracker, number = composition.build_tracker(), 0
        for batch in iter_batches(_iter_frames(path, stride), BATCH):
            found = composition.detector.detect(batch)
            if composition.bodies:
                composition.bodies.read(batch, found)
            for frame, persons in zip(batch, found, strict=True):
                tracks = tracker.update(persons, frame).tolist()
                for track, box in zip(tracks, persons.boxes_xyxy_px, strict=True):
                    if track >= 0 and thin.wants(track, number * step_seconds):
                        store.add(frame, box, name, number * step_seconds)
                number += 1
    store.write(folder)
    return store.looks


class Thin:
    """Chooses when a track has a crop: the first time, and when enough time has passed."""

    def __init__(self, seconds_per_crop: float) -> None:
        """Begins a video."""
        self._every, self._last = seconds_per_crop, dict[int, float]()

    def wants(self, track: int, seconds: float) -> bool:
        """Tells whether a track is to have a crop now."""
        if seconds - self._last.get(track, -np.inf) < self._every:
            return False
        self._last[track] = seconds
        return True


def iter_batches(frames: Iterator[Image], size: int) -> Iterator[list[Image]]:
    """Gives all frames in order, so many at a time; the last batch may be smaller."""
    while batch := list(islice(frames, size)):
        yield batch


def _open_store(settings: Settings, batch_size: int) -> FlatStore:
    return FlatStore(resolve(settings.encoder.weights, "dual_encoder").path, batch_size)


def _iter_videos(archive: Path) -> Iterator[tuple[Path, str]]:
    for path in list_archive(archive).videos:
        yield path, path.relative_to(archive).as_posix()


def _fps(path: Path) -> float:
    return float(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS))


def _stride(path: Path, settings: Settings) -> tuple[int, float]:
    """How many frames make a step, and how many seconds."""
    stride = max(1, round(_fps(path) / settings.decode.sample_fps))
    return stride, stride / _fps(path)


def _iter_frames(path: Path, stride: int) -> Iterator[Image]:
    """Gives every n-th frame, RGB; the others are decoded but not converted."""
    stream = cv2.VideoCapture(str(path))
    while True:
        good, frame = stream.read()
        if not good:
            return
        yield np.asarray(frame[..., ::-1], np.uint8)
        for _ in range(stride - 1):
            stream.grab()
