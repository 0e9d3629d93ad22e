"""Runs one side of the search benchmark in this process, which is a fresh one, and prints JSON.

Usage: python -m benchmarks.peers.search_sides SIDE SHELF SCRATCH K
"""

import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import faiss
import numpy as np

from anomalylmm.models.weights import resolve
from anomalylmm.records import CropRow, Floats
from benchmarks.peers.shelves import Laps, Shelf
from flows.composition import Composition, ImageTextEncoder
from flows.index.units.cropping import read_jpeg
from flows.settings.model import load_settings
from storage.disk.layout import ShardKey, StoreLayout, make_shard_id
from storage.gallery.compacting import compact_store
from storage.gallery.gallery import Gallery, count_crops
from storage.shards.manifest import VideoEntry
from storage.shards.writer import ShardWriter

PROFILE = "pocket"
PIPELINE, CAMERA, VIDEO, DAY = "peers", "camera", "video", datetime(2026, 1, 1, tzinfo=UTC)
NO_THRESHOLD = -1.0  # VisualAISearch leaves out what is under 0.1, whatever k is


class NotInstalledError(Exception):
    """A peer that is not there, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a side found."""

    found: Sequence[Sequence[int | str]]  # rows, or ids of crops
    note: str = ""


@dataclass(frozen=True, slots=True)
class PictureModel:
    """Our encoder with the three methods that VisualAISearch calls of CLIP."""

    encoder: ImageTextEncoder

    def encode_image(self, picture: Any) -> Any:
        return _to_tensor(self.encoder.encode_images([np.array(picture.convert("RGB"))]))

    def tokenize(self, texts: Sequence[str]) -> Sequence[str]:
        return texts

    def encode_text(self, texts: Sequence[str]) -> Any:
        return _to_tensor(self.encoder.encode_texts(texts))


def search_by_ultralytics(shelf: Shelf, scratch: Path, k: int, laps: Laps) -> Answers:
    """VisualAISearch as it is; only the model that it builds is ours."""
    import torch  # noqa: F401  before ultralytics, which would leave it one thread

    from anomalylmm.models.detect.yolo import import_ultralytics

    encoder, texts = _open_encoder(), _read_texts(shelf)
    import_ultralytics()
    from ultralytics.solutions.similarity_search import VisualAISearch

    laps.end("load")
    with _in_place_of_clip(PictureModel(encoder)), chdir(scratch):  # it writes its two files where it is started
        searcher = VisualAISearch(data=str(shelf.pictures))
    laps.end("build")
    names = [searcher.search(text, k=k, similarity_thresh=NO_THRESHOLD) for text in texts]
    laps.end("search")
    return Answers(found=[[int(Path(name).stem) for name in own] for own in names])


def search_by_clip_retrieval(shelf: Shelf, scratch: Path, k: int, laps: Laps) -> Answers:
    """clip_inference as it is with our model, then the index that autofaiss chooses for its vectors."""
    build_index = _import_autofaiss()
    try:
        import clip_retrieval  # noqa: F401
    except ImportError as error:
        raise NotInstalledError(str(error)) from error
    from benchmarks.peers.clip_retrieval_loop import ClipLikeModel, embed_folder

    encoder, texts = _open_encoder(), _read_texts(shelf)
    model = ClipLikeModel(resolve(load_settings(PROFILE).encoder.weights, "dual_encoder").path)
    laps.end("load")
    vectors, names = embed_folder(model, shelf.pictures, scratch / "embedded")
    index, about = build_index(vectors, save_on_disk=False, metric_type="ip", verbose=logging.ERROR)
    faiss.write_index(index, str(scratch / "knn.index"))
    laps.end("build")
    rows = index.search(encoder.encode_texts(texts), k)[1]
    laps.end("search")
    return Answers(found=[[int(names[row]) for row in own if row >= 0] for own in rows], note=_describe_index(about))


def search_by_ours(shelf: Shelf, scratch: Path, k: int, laps: Laps) -> Answers:
    """Pictures to a published shard in batches, then one search for all queries."""
    encoder, texts = _open_encoder(), _read_texts(shelf)
    laps.end("load")
    layout = StoreLayout(scratch)
    key = ShardKey(
        pipeline_digest=PIPELINE, camera=CAMERA, date=DAY.date().isoformat(), shard_id=make_shard_id([VIDEO], PIPELINE)
    )
    with ShardWriter(layout, key, pipeline={}, encoder_id=encoder.model_id, dimension=encoder.dimension) as writer:
        for rows in _iter_rows(encoder, sorted(shelf.pictures.iterdir())):
            writer.append(rows)
        writer.publish([_describe_video()], 0.0)
    laps.end("build")
    results = Gallery.open(layout, PIPELINE).search(encoder.encode_texts(texts), k)
    laps.end("search")
    return Answers(found=[[int(crop.crop_id) for crop in result] for result in results])


def search_by_autofaiss(shelf: Shelf, scratch: Path, k: int, laps: Laps) -> Answers:
    """The index that autofaiss chooses and tunes by itself, written to disk."""
    build_index = _import_autofaiss()
    vectors, queries = np.load(shelf.vectors), np.load(shelf.queries)
    laps.end("load")
    index, about = build_index(vectors, save_on_disk=False, metric_type="ip", verbose=logging.ERROR)
    faiss.write_index(index, str(scratch / "knn.index"))  # its own writing fails: its notes hold a NumPy float
    laps.end("build")
    rows = index.search(queries, k)[1]
    laps.end("search")
    return Answers(found=[own[own >= 0].tolist() for own in rows], note=_describe_index(about))


def search_compacted(shelf: Shelf, scratch: Path, k: int, laps: Laps) -> Answers:
    """Our compacted index of shards that are there already."""
    layout = StoreLayout(shutil.copytree(shelf.store.root, scratch / "store"))
    laps.begin()
    queries = np.load(shelf.queries)
    laps.end("load")
    report = compact_store(layout, min_rows=0)
    laps.end("build")
    gallery = Gallery.open(layout, next(iter(count_crops(layout))))
    results = gallery.search(queries, k)
    laps.end("search")
    size = sum(made.num_bytes for made in report.built) / gallery.num_crops
    note = f"{report.num_indexes} of codes, {report.num_loose} loose shards; {size:.0f} bytes a vector with its row"
    return Answers(found=[[crop.crop_id for crop in result] for result in results], note=note)


def encode_plainly(shelf: Shelf, scratch: Path, k: int, laps: Laps) -> Answers:  # noqa: ARG001
    """No side: writes the vectors that all are measured by, each picture encoded alone."""
    encoder = _open_encoder()
    paths = sorted(shelf.pictures.iterdir())
    np.save(shelf.vectors, np.concatenate([encoder.encode_images([read_jpeg(path.read_bytes())]) for path in paths]))
    np.save(shelf.queries, encoder.encode_texts(_read_texts(shelf)))
    return Answers(found=[], note=encoder.model_id)


Side = Callable[[Shelf, Path, int, Laps], Answers]
SIDES: Mapping[str, Side] = {
    "VisualAISearch": search_by_ultralytics,
    "clip-retrieval": search_by_clip_retrieval,
    "ours": search_by_ours,
    "autofaiss": search_by_autofaiss,
    "compacted": search_compacted,
    "truth": encode_plainly,
}


def main() -> None:
    """Runs the side, and prints what it took and what it found."""
    side, shelf, scratch, k = sys.argv[1], Shelf(Path(sys.argv[2])), Path(sys.argv[3]), int(sys.argv[4])
    laps, out = Laps(), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # peers print, and processes of theirs do so after the end
    try:
        answers = SIDES[side](shelf, scratch, k, laps)
        told = {"steps": laps.seconds, "found": list(map(list, answers.found)), "note": answers.note}
    except NotInstalledError as error:
        told = {"missing": str(error)}
    print(json.dumps(told), file=out, flush=True)


@contextmanager
def _in_place_of_clip(model: PictureModel) -> Iterator[None]:
    """Has VisualAISearch build this model: the module that it asks imports CLIP, whose weights are a download."""
    name = "ultralytics.nn.text_model"
    real, replaced = sys.modules.get(name), ModuleType(name)
    replaced.build_text_model = lambda *_, **__: model  # type: ignore[attr-defined]
    sys.modules[name] = replaced
    try:
        yield
    finally:
        del sys.modules[name]
        if real:
            sys.modules[name] = real


def _import_autofaiss() -> Callable[..., Any]:
    os.environ.setdefault("TQDM_DISABLE", "1")
    try:
        from autofaiss import build_index
    except ImportError as error:
        raise NotInstalledError(str(error)) from error
    return cast("Callable[..., Any]", build_index)


def _describe_index(about: Mapping[str, Any]) -> str:
    chosen = " ".join(filter(None, (about["index_key"], about["index_param"])))
    return f"{chosen}; {about['size in bytes'] / about['nb vectors']:.0f} bytes a vector"


def _open_encoder() -> ImageTextEncoder:
    return Composition(load_settings(PROFILE)).encoder


def _read_texts(shelf: Shelf) -> list[str]:
    texts: list[str] = json.loads(shelf.texts.read_text(encoding="utf-8"))
    return texts


def _to_tensor(vectors: Floats) -> Any:
    import torch

    return torch.from_numpy(vectors)


def _iter_rows(encoder: ImageTextEncoder, paths: Sequence[Path]) -> Iterator[list[CropRow]]:
    size = load_settings(PROFILE).encoder.batch_size
    for start in range(0, len(paths), size):
        some = paths[start : start + size]
        jpegs = [path.read_bytes() for path in some]
        vectors = encoder.encode_images([read_jpeg(jpeg) for jpeg in jpegs])
        yield [_to_row(path.stem, jpeg, vector) for path, jpeg, vector in zip(some, jpegs, vectors, strict=True)]


def _to_row(name: str, jpeg: bytes, vector: Floats) -> CropRow:
    box = (0.0, 0.0, 1.0, 1.0)
    return CropRow(
        crop_id=name,
        tracklet_id=name,
        video_id=VIDEO,
        video_path=f"{VIDEO}.mp4",
        camera=CAMERA,
        pts_seconds=0.0,
        wall_clock_utc=DAY,
        clock_source="path_pattern",
        box_xyxy_px=box,
        context_xyxy_px=box,
        frame_width_px=1,
        frame_height_px=1,
        score=1.0,
        sharpness=0.0,
        tracklet_start_seconds=0.0,
        tracklet_stop_seconds=0.0,
        tracklet_num_detections=1,
        jpeg=jpeg,
        vector=vector,
    )


def _describe_video() -> VideoEntry:
    return VideoEntry(
        video_id=VIDEO,
        path=f"{VIDEO}.mp4",
        size_bytes=1,
        start_utc=DAY,
        clock_source="path_pattern",
        time_zone="UTC",
        width_px=1,
        height_px=1,
        seconds_promised=1.0,
        seconds_decoded=1.0,
        num_frames=1,
        decoder="none",
        status="complete",
        coverage=1.0,
    )


if __name__ == "__main__":
    main()
