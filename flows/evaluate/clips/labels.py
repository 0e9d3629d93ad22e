"""Reads what labeled clips show: a ``labels.csv`` beside them, written by a person."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from anomalylmm.errors import ArchiveError, ConfigurationError
from anomalylmm.measure.clip_scores import ClipEvent
from anomalylmm.query.lexicon import Lexicon
from flows.index.archive_files import VIDEO_SUFFIXES
from flows.settings.own_files import read_own_file, show_value

LABELS_FILE = "labels.csv"
FORM = (
    "it needs the columns file and behaviors (several divided by ;), and may have start_seconds, stop_seconds, "
    "kind (video or image) and part; others are ignored"
)
NOTHING = frozenset(("", "other", "none", "nothing", "normal"))  # what else people write for everyday behavior
MAX_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipLabels:
    """The clips that are measured and what they show."""

    files: tuple[str, ...]  # relative to the folder, each once
    events: tuple[ClipEvent, ...]
    unknown: tuple[str, ...] = ()  # behaviors that the lexicon does not know
    num_skipped: int = 0  # rows about pictures, or about clips that were not asked for


def read_labels(folder: Path, lexicon: Lexicon, *, labels: Path | None = None, only: Sequence[str] = ()) -> ClipLabels:
    """Reads the labels of a folder of clips.

    Args:
        folder: The clips; paths in the labels are relative to it.
        lexicon: Brings the words of the labels to those of the queries.
        labels: Another file than ``labels.csv`` in the folder.
        only: Patterns such as ``videos/0*``, or values of the column part; all clips where none is given.

    Raises:
        ArchiveError: The folder or a clip is missing.
        ConfigurationError: The labels are missing or wrong; the message names line and remedy.
    """
    if not folder.is_dir():
        raise ArchiveError(f"{str(folder)!r} is not a folder; name the folder of your labeled clips")
    path = labels or folder / LABELS_FILE
    if not path.exists():
        raise ConfigurationError(f"{path} does not exist; write one line a clip into it: {FORM}")
    rows = [(number, row) for number, row in _read_rows(path) if _is_video(row)]
    num_rows = len(rows)
    rows = [(number, row) for number, row in rows if _is_chosen(row, only)]
    if not rows:
        raise ConfigurationError(_say_nothing_left(path, num_rows, only))
    files: dict[str, None] = {}
    events: list[ClipEvent] = []
    unknown: dict[str, None] = {}
    for number, row in rows:
        where = f"{path}, line {number}"
        file = _check_file(folder, row["file"], where)
        files[file] = None
        known, odd = _read_behaviors(row["behaviors"], lexicon)
        unknown |= dict.fromkeys(odd)
        start, stop = _read_seconds(row, where)
        events += [ClipEvent(file=file, behavior=word, start_seconds=start, stop_seconds=stop) for word in known]
    if unknown and not events:
        raise ConfigurationError(_say_unknown(path, unknown, lexicon))
    return ClipLabels(
        files=tuple(files),
        events=tuple(dict.fromkeys(events)),
        unknown=tuple(unknown),
        num_skipped=num_rows - len(rows),
    )


def _read_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Gives the rows with the lines they end on."""
    try:
        text = read_own_file(path, "CSV").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    columns = reader.fieldnames or ()
    missing = [name for name in ("file", "behaviors") if name not in columns]
    if missing:
        found = show_value(", ".join(columns))
        raise ConfigurationError(f"{path} has no column {' and no column '.join(missing)}, only {found}; {FORM}")
    try:
        for row in reader:
            yield reader.line_num, {key: (value or "").strip() for key, value in row.items() if isinstance(key, str)}
    except csv.Error as error:
        raise ConfigurationError(f"{path}, line {reader.line_num}: {error}; mend that line") from error


def _is_video(row: Mapping[str, str]) -> bool:
    if row.get("kind"):
        return row["kind"].lower() in ("video", "clip")
    suffix = PurePosixPath(row["file"]).suffix.lower()
    return suffix in VIDEO_SUFFIXES or not suffix


def _is_chosen(row: Mapping[str, str], only: Sequence[str]) -> bool:
    return not only or any(fnmatch(row["file"], pattern) or row.get("part") == pattern for pattern in only)


def _say_nothing_left(path: Path, num_rows: int, only: Sequence[str]) -> str:
    if num_rows:
        return f"none of the {num_rows} rows of {path} fits {', '.join(map(show_value, only))}; mend --only"
    return f"{path} names no video; {FORM}"


def _check_file(folder: Path, given: str, where: str) -> str:
    path = PurePosixPath(given)
    if not given or path.is_absolute() or ".." in path.parts:
        raise ConfigurationError(f"{where}: the file {show_value(given)} must be a path inside the folder {folder}")
    if not (folder / path).is_file():
        raise ArchiveError(f"{where}: there is no file {show_value(str(folder / path))}; mend the path or the line")
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        raise ConfigurationError(f"{where}: {show_value(given)} does not end as a video does; mend file or kind")
    return path.as_posix()


def _read_behaviors(cell: str, lexicon: Lexicon) -> tuple[list[str], list[str]]:
    """Gives the behaviors that the lexicon knows, in its words, and those that it does not."""
    words = [word.strip().lower() for word in cell.split(";") if word.strip().lower() not in NOTHING]
    canonical = [lexicon.canonical(word, "action") for word in words]
    known = lexicon.words("action")
    return [word for word in canonical if word in known], [word for word in canonical if word not in known]


def _say_unknown(path: Path, unknown: Mapping[str, None], lexicon: Lexicon) -> str:
    shown = ", ".join(map(show_value, list(unknown)[:MAX_SHOWN]))
    return f"no behavior in {path} is known ({shown}); known are {', '.join(lexicon.words('action'))}"


def _read_seconds(row: Mapping[str, str], where: str) -> tuple[float | None, float | None]:
    start, stop = (_read_second(row.get(name, ""), name, where) for name in ("start_seconds", "stop_seconds"))
    if start is not None and stop is not None and stop <= start:
        raise ConfigurationError(f"{where}: stop_seconds {stop:g} is not after start_seconds {start:g}; mend that line")
    return start, stop


def _read_second(cell: str, name: str, where: str) -> float | None:
    if not cell:
        return None
    try:
        value = float(cell)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ConfigurationError(f"{where}: {name} is {show_value(cell)}; write seconds of the clip such as 3.5")
    return value
