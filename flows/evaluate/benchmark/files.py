"""Reads benchmarks in PAB's layouts as their users have them; every complaint names file and line.

Layouts: ``annotation/<split>/attr.json`` or the older ``pair.json`` (``attr_0.json`` ... for PAB's training part),
``annotation/<split>/ucc.json``, and the 2026 challenge's ``query_index.txt`` with ``query_text.json``.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from anomalylmm.errors import ArchiveError, ConfigurationError
from flows.evaluate.benchmark.challenge_files import read_challenge
from flows.evaluate.benchmark.json_rows import Row, read_objects
from flows.evaluate.benchmark.records import Benchmark, BenchmarkName, BenchmarkQuery, GalleryImage
from flows.evaluate.benchmark.row_fields import read_captions, read_id

NAMES: tuple[BenchmarkName, ...] = ("rendered", "pab", "ucc", "pab-2026")
CAPTIONS = "caption"
MAX_NAMED = 5  # missing files that a message lists
_READ_KEYS = frozenset(("image", "image_id"))
_OTHER_SPELLING = {"wentrong": "wentwrong", "wentwrong": "wentrong"}


def read_benchmark(
    name: BenchmarkName, root: Path, *, split: str = "test", captions: str = CAPTIONS, limit: int | None = None
) -> Benchmark:
    """Reads one split of a benchmark from the user's own copy.

    Args:
        name: One of ``NAMES``.
        root: The folder that holds ``annotation`` (or, for the 2026 challenge, ``query_index.txt`` and ``gallery``).
        split: The folder under ``annotation``.
        captions: The key of the sentences to ask; ``caption``, or for the rendered benchmark ``captions_held_out``.
        limit: At most so many queries, drawn by a fixed seed; the gallery stays whole.

    Raises:
        ArchiveError: A file or picture is missing; the message names it.
        ConfigurationError: A row is wrong; the message names file and line.
    """
    if not root.is_dir():
        raise ArchiveError(f"{root} is not a folder; name the folder of your copy of {name} with --root")
    if name == "pab-2026":
        return read_challenge(root, split).take(limit)
    files = _find_annotations(root, split, "ucc" if name == "ucc" else "")
    rows = [row for file in files for row in read_objects(file)]
    images = tuple(_read_image(row, root) for row in rows)
    _refuse_missing(images)
    if name != "ucc":
        _refuse_double_ids(images)
    _refuse_unknown_twins(images)
    queries = tuple(_iter_queries(images, rows, captions))
    return Benchmark(name=name, root=root, split=split, images=images, queries=queries).take(limit)


def _find_annotations(root: Path, split: str, stem: str) -> list[Path]:
    folder = root / "annotation" / split
    stems = (stem,) if stem else ("attr", "pair")
    for name in stems:
        if (folder / f"{name}.json").is_file():
            return [folder / f"{name}.json"]
    numbered = [path for name in stems for path in folder.glob(f"{name}_*.json")]
    if numbered:
        return sorted(numbered, key=lambda path: (path.stem.partition("_")[0], len(path.stem), path.stem))
    wanted = " or ".join(str(folder / f"{name}.json") for name in stems)
    raise ArchiveError(f"{wanted} is missing; --root must be the folder that holds annotation/{split}")


def _read_image(row: Row, root: Path) -> GalleryImage:
    name = row.value.get("image")
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError(f'{row.where}: image: expected a path like "test/0.jpg", found {name!r}')
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ConfigurationError(f"{row.where}: image: expected a path inside {root}, found {name!r}")
    extra = {key: value for key, value in row.value.items() if key not in _READ_KEYS}
    if extra.get("twin") is not None:
        extra["twin"] = read_id(extra["twin"], row.where, "twin")
    return GalleryImage(
        image_id=read_id(row.value.get("image_id"), row.where, "image_id"),
        name=name,
        path=_locate(root, name),
        captions=read_captions(row.value.get(CAPTIONS), row.where, CAPTIONS),
        extra=extra,
        where=row.where,
    )


def _locate(root: Path, name: str) -> Path:
    """Finds a picture under either spelling of PAB's folder of what went wrong."""
    path = root / name
    if path.is_file():
        return path
    parts = [_OTHER_SPELLING.get(part, part) for part in Path(name).parts]
    other = root.joinpath(*parts)
    return other if other.is_file() else path


def _iter_queries(images: Sequence[GalleryImage], rows: Sequence[Row], key: str) -> Iterable[BenchmarkQuery]:
    """Yields one query a caption; its positives are all pictures of the same image id."""
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


def _refuse_missing(images: Sequence[GalleryImage]) -> None:
    missing = [image for image in images if not image.path.is_file()]
    if missing:
        named = "; ".join(f"{image.path} (of {image.where})" for image in missing[:MAX_NAMED])
        more = f" and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
        raise ArchiveError(
            f"{len(missing)} of {len(images)} pictures are missing: {named}{more}; unpack the pictures there"
        )


def _refuse_double_ids(images: Sequence[GalleryImage]) -> None:
    seen: dict[str, str] = {}
    for image in images:
        if image.image_id in seen:
            raise ConfigurationError(
                f"{image.where}: image_id {image.image_id!r} is that of {seen[image.image_id]} too; expected one row "
                "an id (only ucc has several positives a query)"
            )
        seen[image.image_id] = image.where


def _refuse_unknown_twins(images: Sequence[GalleryImage]) -> None:
    known = {image.image_id for image in images}
    for image in images:
        if image.twin_id and image.twin_id not in known:
            raise ConfigurationError(
                f"{image.where}: twin: expected the image_id of another row, but no row has {image.twin_id!r}"
            )
