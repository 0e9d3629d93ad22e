"""Reads the 2026 challenge: ``query_index.txt``, ``query_text.json`` and a folder of pictures.

The texts are a dict from query id to caption, a list, or lines (of JSON or of plain text). A list or lines without
ids follow the order of ``query_index.txt``. The challenge does not publish the correct answers; a user who has them
can add ``ground_truth.txt`` (one line per query, the names of its pictures).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from anomalylmm.errors import ArchiveError, ConfigurationError
from flows.evaluate.benchmark.records import Benchmark, BenchmarkQuery, GalleryImage
from flows.evaluate.benchmark.rows import Row, read_captions, read_id, read_lines, read_text, read_values

INDEX, TEXTS, GALLERY, TRUTH = "query_index.txt", "query_text.json", "gallery", "ground_truth.txt"
SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp"))
_ID_KEYS = ("query_index", "query_id", "index", "id", "image_id")
_TEXT_KEYS = ("caption", "text", "query")


def read_challenge(root: Path, split: str) -> Benchmark:
    """Reads the challenge's queries and gallery.

    Raises:
        ArchiveError: A file, the gallery or its pictures are missing.
        ConfigurationError: A row is wrong; the message names file and line.
    """
    missing = [str(root / name) for name in (INDEX, TEXTS) if not (root / name).is_file()]
    if not (root / GALLERY).is_dir():
        missing.append(f"{root / GALLERY}/ (a folder; unpack gallery.zip)")
    if missing:
        raise ArchiveError(f"missing: {', '.join(missing)}; --root must be the challenge's test folder")
    paths = sorted(path for path in (root / GALLERY).iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ArchiveError(f"{root / GALLERY} contains no pictures; unpack gallery.zip there")
    images = tuple(GalleryImage(image_id=path.stem, name=f"{GALLERY}/{path.name}", path=path) for path in paths)
    index = _read_index(root / INDEX)
    texts = _read_texts(root / TEXTS, index)
    truth = _read_truth(root / TRUTH, index, images) if (root / TRUTH).is_file() else [()] * len(index)
    queries = tuple(
        BenchmarkQuery(
            query_id=row.value,
            text=texts[row.value],
            positives=positives,
            own=positives[0] if positives else None,
            where=row.where,
        )
        for row, positives in zip(index, truth, strict=True)
    )
    return Benchmark(name="pab-2026", split=split, images=images, queries=queries)


def _read_index(path: Path) -> list[Row]:
    rows = read_lines(path)
    if not rows:
        raise ConfigurationError(f"{path} is empty; expected one query id per line")
    seen: dict[str, str] = {}
    for row in rows:
        if row.value in seen:
            raise ConfigurationError(f"{row.where}: query {row.value!r} is already on {seen[row.value]}")
        seen[row.value] = row.place
    return rows


def _read_texts(path: Path, index: Sequence[Row]) -> dict[str, str]:
    rows = _read_text_rows(path)
    named = [_read_named(row) for row in rows]
    if all(not name for name, _ in named):
        if len(named) != len(index):
            raise ConfigurationError(
                f"{path} has {len(named)} texts without ids, but {index[0].file} has {len(index)} queries; "
                "expected the same number, in the same order"
            )
        return {row.value: text for row, (_, text) in zip(index, named, strict=True)}
    for row, (name, _) in zip(rows, named, strict=True):
        if not name:
            raise ConfigurationError(f"{row.where}: expected one of the keys {', '.join(_ID_KEYS)}, as in other rows")
    texts = dict(named)
    for row in index:
        if row.value not in texts:
            raise ConfigurationError(f"{row.where}: query {row.value!r} has no text in {path}")
    return texts


def _read_text_rows(path: Path) -> list[Row]:
    text = read_text(path)
    if text.lstrip()[:1] not in ("", "[", "{", '"'):
        return read_lines(path)
    rows = read_values(path)
    only = rows[0].value
    if len(rows) > 1 or not isinstance(only, dict) or any(key in only for key in _TEXT_KEYS):
        return rows
    return [_name_value(rows[0], str(name), value) for name, value in only.items()]


def _name_value(row: Row, name: str, value: object) -> Row:
    """Turns an entry of the dict form into a row."""
    given = dict(value) if isinstance(value, Mapping) else {_TEXT_KEYS[0]: value}
    return Row(value={**given, _ID_KEYS[0]: name}, file=row.file, place=f"key {name!r}")


def _read_named(row: Row) -> tuple[str, str]:
    """Reads a row's query id (empty if it has none) and its first text."""
    if not isinstance(row.value, dict):
        return "", read_captions(row.value, row.where, "text")[0]
    key = next((key for key in _TEXT_KEYS if key in row.value), _TEXT_KEYS[0])
    text = read_captions(row.value.get(key), row.where, key)[0]
    name = next((key for key in _ID_KEYS if key in row.value), "")
    return read_id(row.value[name], row.where, name) if name else "", text


def _read_truth(path: Path, index: Sequence[Row], images: Sequence[GalleryImage]) -> list[tuple[int, ...]]:
    rows = read_lines(path)
    if len(rows) != len(index):
        raise ConfigurationError(f"{path} has {len(rows)} lines, but {index[0].file} has {len(index)} queries")
    places = {name: place for place, image in enumerate(images) for name in (image.image_id, image.path.name)}
    for row in rows:
        for name in row.value.split():
            if name not in places:
                raise ConfigurationError(f"{row.where}: expected names of pictures in {GALLERY}/, found {name!r}")
    return [tuple(places[name] for name in row.value.split()) for row in rows]
