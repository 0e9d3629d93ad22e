"""Reads the 2026 challenge: ``query_index.txt``, ``query_text.json`` and a folder of pictures.

The texts are a dict from query id to caption, a list, or lines (of JSON, or of plain text); a list or lines without
ids are in the order of ``query_index.txt``. The challenge keeps the truth to itself: a file ``ground_truth.txt`` (one
line a query, the names of its pictures) is read where the user has one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from anomalylmm.errors import ArchiveError, ConfigurationError
from flows.evaluate.benchmark.json_rows import Row, read_text, read_values
from flows.evaluate.benchmark.records import Benchmark, BenchmarkQuery, GalleryImage
from flows.evaluate.benchmark.row_fields import read_captions, read_id

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
        raise ArchiveError(f"{', '.join(missing)} missing; --root must be the challenge's test folder")
    images = _list_gallery(root)
    index = _read_index(root / INDEX)
    texts = _read_texts(root / TEXTS, index)
    truth = _read_truth(root / TRUTH, index, images) if (root / TRUTH).is_file() else [()] * len(index)
    queries = tuple(
        BenchmarkQuery(
            query_id=str(row.value),
            text=texts[str(row.value)],
            positives=positives,
            own=positives[0] if positives else None,
            where=row.where,
        )
        for row, positives in zip(index, truth, strict=True)
    )
    return Benchmark(name="pab-2026", root=root, split=split, images=images, queries=queries)


def _list_gallery(root: Path) -> tuple[GalleryImage, ...]:
    paths = sorted(path for path in (root / GALLERY).iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ArchiveError(f"{root / GALLERY} holds no picture; unpack gallery.zip there")
    return tuple(GalleryImage(image_id=path.stem, name=f"{GALLERY}/{path.name}", path=path) for path in paths)


def _plain_lines(path: Path) -> list[Row]:
    lines = enumerate(read_text(path).split("\n"), 1)
    return [Row(value=line.strip(), file=path, line=number) for number, line in lines if line.strip()]


def _read_index(path: Path) -> list[Row]:
    rows = _plain_lines(path)
    if not rows:
        raise ConfigurationError(f"{path} is empty; expected one query id a line")
    seen: dict[str, int] = {}
    for row in rows:
        if row.value in seen:
            raise ConfigurationError(f"{row.where}: query {row.value!r} stands in line {seen[row.value]} too")
        seen[row.value] = row.line
    return rows


def _read_texts(path: Path, index: Sequence[Row]) -> dict[str, str]:
    rows = _read_text_rows(path)
    named = [_read_named(row) for row in rows]
    if all(not name for name, _ in named):
        if len(named) != len(index):
            raise ConfigurationError(
                f"{path} holds {len(named)} texts without ids, but {index[0].file} names {len(index)} queries; "
                "expected as many, in the same order"
            )
        return {str(row.value): text for row, (_, text) in zip(index, named, strict=True)}
    for row, (name, _) in zip(rows, named, strict=True):
        if not name:
            raise ConfigurationError(f"{row.where}: expected one of the keys {', '.join(_ID_KEYS)} as in other rows")
    texts = dict(named)
    for row in index:
        if row.value not in texts:
            raise ConfigurationError(f"{row.where}: query {row.value!r} has no text in {path}; expected one")
    return texts


def _read_text_rows(path: Path) -> list[Row]:
    text = read_text(path).lstrip()
    if text and text[0] not in '[{"':
        return _plain_lines(path)
    rows = read_values(path)
    only = rows[0].value
    if len(rows) == 1 and isinstance(only, dict) and not any(key in only for key in _TEXT_KEYS):
        return [_name_value(rows[0], str(name), value) for name, value in only.items()]
    return rows


def _name_value(row: Row, name: str, value: object) -> Row:
    """Makes a row of an entry of the dict form; its line is where the key is written."""
    given = dict(value) if isinstance(value, Mapping) else {_TEXT_KEYS[0]: value}
    lines = read_text(row.file).split("\n")
    line = next((number for number, text in enumerate(lines, 1) if f'"{name}"' in text), row.line)
    return Row(value={**given, _ID_KEYS[0]: name}, file=row.file, line=line)


def _read_named(row: Row) -> tuple[str, str]:
    """Reads a row's query id (empty where it has none) and text, the first one where there are several."""
    if not isinstance(row.value, dict):
        return "", read_captions(row.value, row.where, "text")[0]
    key = next((key for key in _TEXT_KEYS if key in row.value), _TEXT_KEYS[0])
    text = read_captions(row.value.get(key), row.where, key)[0]
    name = next((key for key in _ID_KEYS if key in row.value), "")
    return read_id(row.value[name], row.where, name) if name else "", text


def _read_truth(path: Path, index: Sequence[Row], images: Sequence[GalleryImage]) -> list[tuple[int, ...]]:
    rows = _plain_lines(path)
    if len(rows) != len(index):
        raise ConfigurationError(f"{path} has {len(rows)} lines, but {index[0].file} names {len(index)} queries")
    places = {name: place for place, image in enumerate(images) for name in (image.image_id, image.path.name)}
    return [tuple(_place_of(name, row, places) for name in row.value.split()) for row in rows]


def _place_of(name: str, row: Row, places: Mapping[str, int]) -> int:
    if name not in places:
        raise ConfigurationError(f"{row.where}: expected names of pictures in {GALLERY}/, found {name!r}")
    return places[name]
