"""Reads ``labels.csv``, in which a person wrote what the clips of a folder show."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from anomalylmm.errors import ArchiveError, ConfigurationError
from anomalylmm.measure.clip_scores import ClipEvent
from anomalylmm.query.lexicon import Lexicon
from flows.index.listing.containers import VIDEO_SUFFIXES
from flows.settings.own_files import read_own_file, show_value

LABELS_FILE = "labels.csv"
FORM = (
    "it needs the columns file and behaviors (several separated by ;), and may have start_seconds, stop_seconds, "
    "kind (video or image) and part; other columns are ignored"
)
NOTHING = frozenset(("", "other", "none", "nothing", "normal"))  # words that people write for everyday behavior
MAX_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipLabels:
    """The clips to measure and what they show."""

    files: tuple[str, ...]  # relative to the folder, without repetition
    events: tuple[ClipEvent, ...]
    unknown: tuple[str, ...]  # behaviors that the lexicon does not know


def read_labels(folder: Path, lexicon: Lexicon, *, labels: Path | None = None, only: Sequence[str] = ()) -> ClipLabels:
    """Reads the labels of a folder of clips.

    Args:
        folder: The clips; paths in the labels are relative to it.
        lexicon: Translates the words of the labels to those of the queries.
        labels: The file to read instead of ``labels.csv`` in the folder.
        only: Patterns such as ``videos/0*``, or values of the column part; all clips if empty.

    Raises:
        ArchiveError: The folder or a clip is missing.
        ConfigurationError: The labels are missing or wrong; the message names the line and says what to do.
    """
    if not folder.is_dir():
        raise ArchiveError(f"{str(folder)!r} is not a folder; give the folder of your labeled clips")
    path = labels or folder / LABELS_FILE
    if not path.exists():
        raise ConfigurationError(f"{path} does not exist; create it with one line per clip: {FORM}")
    rows = [(number, row) for number, row in _read_rows(path) if _is_video(row)]
    if not rows:
        raise ConfigurationError(f"{path} names no video; {FORM}")
    chosen = [(number, row) for number, row in rows if _is_chosen(row, only)]
    if not chosen:
        patterns = ", ".join(map(show_value, only))
        raise ConfigurationError(f"none of the {len(rows)} rows of {path} matches {patterns}; correct --only")
    files: dict[str, None] = {}
    events: list[ClipEvent] = []
    unknown: dict[str, None] = {}
    for number, row in chosen:
        where = f"{path}, line {number}"
        file = _check_file(folder, row["file"], where)
        files[file] = None
        known, odd = _read_behaviors(row["behaviors"], lexicon)
        unknown |= dict.fromkeys(odd)
        start, stop = _read_seconds(row, where)
        events += [ClipEvent(file=file, behavior=word, start_seconds=start, stop_seconds=stop) for word in known]
    if unknown and not events:
        shown = ", ".join(map(show_value, list(unknown)[:MAX_SHOWN]))
        known_words = ", ".join(lexicon.words("action"))
        raise ConfigurationError(f"the lexicon knows no behavior in {path} ({shown}); it knows {known_words}")
    return ClipLabels(files=tuple(files), events=tuple(dict.fromkeys(events)), unknown=tuple(unknown))


def _read_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the rows, each with the line on which it ends."""
    try:
        text = read_own_file(path, "CSV").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    columns = reader.fieldnames or ()
    missing = [name for name in ("file", "behaviors") if name not in columns]
    if missing:
        found = show_value(", ".join(columns))
        raise ConfigurationError(f"{path} has no column {' and no column '.join(missing)}, but has {found}; {FORM}")
    try:
        for row in reader:
            yield reader.line_num, {key: (value or "").strip() for key, value in row.items() if isinstance(key, str)}
    except csv.Error as error:
        raise ConfigurationError(f"{path}, line {reader.line_num}: {error}; correct that line") from error


def _is_video(row: Mapping[str, str]) -> bool:
    if row.get("kind"):
        return row["kind"].lower() in ("video", "clip")
    suffix = PurePosixPath(row["file"]).suffix.lower()
    return suffix in VIDEO_SUFFIXES or not suffix


def _is_chosen(row: Mapping[str, str], only: Sequence[str]) -> bool:
    return not only or any(fnmatch(row["file"], pattern) or row.get("part") == pattern for pattern in only)


def _check_file(folder: Path, given: str, where: str) -> str:
    path = PurePosixPath(given)
    if not given or path.is_absolute() or ".." in path.parts:
        raise ConfigurationError(f"{where}: the file {show_value(given)} must be a path inside the folder {folder}")
    if not (folder / path).is_file():
        raise ArchiveError(
            f"{where}: there is no file {show_value(str(folder / path))}; correct the path or remove the line"
        )
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        raise ConfigurationError(f"{where}: {show_value(given)} has no suffix of a video; correct file or kind")
    return path.as_posix()


def _read_behaviors(cell: str, lexicon: Lexicon) -> tuple[list[str], list[str]]:
    """Splits the behaviors into those that the lexicon knows, in its words, and the others."""
    words = [word.strip().lower() for word in cell.split(";") if word.strip().lower() not in NOTHING]
    canonical = [lexicon.canonical(word, "action") for word in words]
    known = lexicon.words("action")
    return [word for word in canonical if word in known], [word for word in canonical if word not in known]


def _read_seconds(row: Mapping[str, str], where: str) -> tuple[float | None, float | None]:
    start, stop = (_read_second(row.get(name, ""), name, where) for name in ("start_seconds", "stop_seconds"))
    if start is not None and stop is not None and stop <= start:
        raise ConfigurationError(
            f"{where}: stop_seconds {stop:g} is not after start_seconds {start:g}; correct that line"
        )
    return start, stop


def _read_second(cell: str, name: str, where: str) -> float | None:
    if not cell:
        return None
    try:
        value = float(cell)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ConfigurationError(
            f"{where}: {name} is {show_value(cell)}; write a number of seconds in the clip, such as 3.5"
        )
    return value
