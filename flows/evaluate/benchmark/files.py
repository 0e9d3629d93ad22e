"""Reads benchmarks in PAB's layouts as users have them; every error names the file and the line or row.

Layouts: ``annotation/<split>/attr.json`` or the older ``pair.json`` (``attr_0.json`` ... for PAB's training part),
``annotation/<split>/ucc.json``, and the 2026 challenge's ``query_index.txt`` with ``query_text.json``.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from anomalylmm.errors import ArchiveError, ConfigurationError
from flows.evaluate.benchmark.challenge_files import read_challenge
from flows.evaluate.benchmark.names import CAPTIONS, BenchmarkName
from flows.evaluate.benchmark.records import Benchmark, BenchmarkQuery, GalleryImage
from flows.evaluate.benchmark.rows import Row, read_captions, read_id, read_objects

MAX_NAMED = 5  # missing files that a message lists
_OTHER_SPELLING = {"wentrong": "wentwrong", "wentwrong": "wentrong"}


def read_benchmark(
    name: BenchmarkName, root: Path, *, split: str = "test", captions: str = CAPTIONS, limit: int | None = None
) -> Benchmark:
    """Reads one split of a benchmark from the user's own copy.

    Args:
        name: The benchmark.
        root: The folder that contains ``annotation`` (for the 2026 challenge ``query_index.txt`` and ``gallery``).
        split: The folder under ``annotation``.
        captions: The key of the sentences that are the queries: ``caption``, or for the rendered benchmark
            ``captions_held_out``.
        limit: The maximum number of queries, drawn with a fixed seed; the gallery stays complete.

    Raises:
        ArchiveError: A file or picture is missing; the message names it.
        ConfigurationError: A row is wrong; the message names file and line.
    """
    if not root.is_dir():
        raise ArchiveError(f"{root} is not a folder; use --root to name the folder of your copy of {name}")
    if name == "pab-2026":
        return read_challenge(root, split).take(limit)
    rows = [row for file in _find_annotations(root, split, is_ucc=name == "ucc") for row in read_objects(file)]
    images = tuple(_read_image(row, root) for row in rows)
    _check_images(images, may_repeat_ids=name == "ucc")
    queries = tuple(_iter_queries(images, rows, captions))
    return Benchmark(name=name, split=split, images=images, queries=queries).take(limit)


def _find_annotations(root: Path, split: str, *, is_ucc: bool) -> list[Path]:
    folder = root / "annotation" / split
    wanted = [folder / f"{stem}.json" for stem in (("ucc",) if is_ucc else ("attr", "pair"))]
    for path in wanted:
        if path.is_file():
            return [path]
    numbered = [file for path in wanted for file in folder.glob(f"{path.stem}_*.json")]
    if not numbered:
        names = " or ".join(map(str, wanted))
        raise ArchiveError(f"{names} is missing; --root must be the folder that contains annotation/{split}")
    return sorted(numbered, key=lambda path: (path.stem.partition("_")[0], len(path.stem), path.stem))


def _read_image(row: Row, root: Path) -> GalleryImage:
    name = row.value.get("image")
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError(f'{row.where}: image: expected a path like "test/0.jpg", found {name!r}')
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ConfigurationError(f"{row.where}: image: expected a path inside {root}, found {name!r}")
    extra = {key: value for key, value in row.value.items() if key not in ("image", "image_id")}
    if extra.get("twin") is not None:
        extra["twin"] = read_id(extra["twin"], row.where, "twin")
    other = root.joinpath(*(_OTHER_SPELLING.get(part, part) for part in Path(name).parts))
    return GalleryImage(
        image_id=read_id(row.value.get("image_id"), row.where, "image_id"),
        name=name,
        path=other if other.is_file() and not (root / name).is_file() else root / name,
        captions=read_captions(row.value.get(CAPTIONS), row.where, CAPTIONS),
        extra=extra,
        where=row.where,
    )


def _iter_queries(images: Sequence[GalleryImage], rows: Sequence[Row], key: str) -> Iterator[BenchmarkQuery]:
    """Yields one query per caption; its positives are all pictures with the same image id."""
    places: dict[str, list[int]] = {}
    for place, image in enumerate(images):
        places.setdefault(image.image_id, []).append(place)
    for place, (image, row) in enumerate(zip(images, rows, strict=True)):
        texts = image.captions if key == CAPTIONS else read_captions(row.value.get(key), row.where, key)
        for number, text in enumerate(texts):
            yield BenchmarkQuery(
                query_id=f"{place}-{image.image_id}-{number}",
                text=text,
                positives=tuple(places[image.image_id]),
                own=place,
                where=image.where,
            )


def _check_images(images: Sequence[GalleryImage], *, may_repeat_ids: bool) -> None:
    """Raises an error if pictures are missing, ids are used twice or a twin is unknown."""
    missing = [image for image in images if not image.path.is_file()]
    if missing:
        named = "; ".join(f"{image.path} (of {image.where})" for image in missing[:MAX_NAMED])
        more = f" and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
        raise ArchiveError(
            f"{len(missing)} of {len(images)} pictures are missing: {named}{more}; unpack the pictures there"
        )
    first: dict[str, str] = {}
    for image in images:
        if image.image_id in first and not may_repeat_ids:
            raise ConfigurationError(
                f"{image.where}: image_id {image.image_id!r} is already used in {first[image.image_id]}; expected one "
                "row per id (only ucc has several positives per query)"
            )
        first.setdefault(image.image_id, image.where)
    for image in images:
        if image.twin_id and image.twin_id not in first:
            raise ConfigurationError(
                f"{image.where}: twin: expected the image_id of another row, but no row has {image.twin_id!r}"
            )
