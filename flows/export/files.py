"""What an export says in words: tables, a page to look at offline, a manifest; packed as a folder or a zip file."""

import csv
import json
import math
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from anomalylmm.records import SlotVerdict
from flows.export.choice import Evidence
from flows.export.clips import ClipNote
from flows.report.page import render
from storage.disk.files import create_directories, fsync_path, guarded, sha256_file, unique_name
from storage.shards.schema import clean_text

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")  # what makes a spreadsheet take a text for a formula
MANIFEST = "manifest.json"
PUT_OFF = "put_off"  # the manifest's list of hits whose videos could not be reached
PACKED = (".mp4", ".jpg")  # not worth compressing again
CSV_NAMES = (
    "number hit_id query_name text camera best_utc best_local start_utc stop_utc time_zone clock_source video_path "
    "video_digest video_sha256 start_seconds stop_seconds best_seconds verdict confidence reason slots feedback "
    "cosine z_score score affirm rank clip clip_start_seconds picture detector dual_encoder judge pipeline "
    "query_version sweep_id shard_id tracklet_id crop_id problems"
).split()


@contextmanager
def building(output: Path) -> Iterator[Path]:
    """Gives a folder to fill beside the output; it gets the output's name only when all of it is on the disk.

    Raises:
        StoreError: It can't be written.
    """
    output = output.absolute()
    folder = output.with_name(f".{unique_name(output.name)}")
    packed = folder.with_name(f"{folder.name}.zip")
    with guarded("create", folder):
        create_directories(output.parent)
        for name in ("clips", "pictures"):
            (folder / name).mkdir(parents=True)
    try:
        yield folder
        with guarded("write", output):
            if output.suffix.lower() == ".zip":
                pack(folder, packed)
                fsync_path(packed)
                packed.rename(output)
            else:
                sync(folder)
                folder.rename(output)
            fsync_path(output.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        packed.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """One hit with what was written of it; names are relative to the export, empty where there is no such file."""

    evidence: Evidence
    clip: str = ""
    picture: str = ""
    clip_note: ClipNote | None = None
    video_sha256: str = ""
    problems: tuple[str, ...] = ()
    is_put_off: bool = False  # its video could not be reached, but perhaps can be later


def describe_hit(item: Exported) -> dict[str, Any]:
    """All that is known of one exported hit, as JSON can hold it."""
    evidence, hit = item.evidence, item.evidence.hit
    zone = ZoneInfo(hit["time_zone"])
    times = {name: hit[f"{name}_utc"].replace(tzinfo=UTC) for name in ("start", "stop", "best")}
    kept = {name: value for name, value in hit.items() if not isinstance(value, datetime)}
    return {
        "number": evidence.number,
        **kept,
        **{f"{name}_utc": moment.isoformat().replace("+00:00", "Z") for name, moment in times.items()},
        **{f"{name}_local": moment.astimezone(zone).isoformat() for name, moment in times.items()},
        "verdict": "accepted",
        "video_digest": hit["video_id"],
        "video_sha256": item.video_sha256,
        "slots": [asdict(slot) for slot in evidence.slots],
        "said_by_people": [{**remark, "created_utc": f"{remark['created_utc']}Z"} for remark in evidence.remarks],
        "models": dict(evidence.models),
        "clip": item.clip,
        "clip_shows": asdict(item.clip_note) if item.clip_note else None,
        "picture": item.picture,
        "problems": list(item.problems),
    }


def write_tables(folder: Path, items: Sequence[Exported]) -> None:
    """Writes ``hits.json`` and ``hits.csv``.

    Raises:
        OSError: One can't be written.
    """
    rows = [describe_hit(item) for item in items]
    (folder / "hits.json").write_text(dump_json({"hits": rows}), encoding="utf-8")
    (folder / "hits.csv").write_text(
        to_csv([_to_cells(row, item.evidence.slots) for row, item in zip(rows, items, strict=True)]),
        encoding="utf-8-sig",
        newline="",
    )


def dump_json(content: Mapping[str, Any]) -> str:
    """Writes JSON for people and programs; signs that UTF-8 can't hold are replaced, numbers that are none are null."""
    text = json.dumps(_without_nan(content), ensure_ascii=False, indent=1, default=str, allow_nan=False)
    return clean_text(text) + "\n"


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Writes rows as CSV in which no text is taken for a formula."""
    text = StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(CSV_NAMES)
    writer.writerows([make_safe(row.get(name)) for name in CSV_NAMES] for row in rows)
    return clean_text(text.getvalue())


def make_safe(value: object) -> object:
    """Puts an apostrophe before a text that a spreadsheet would run; numbers stay."""
    if isinstance(value, str) and value.startswith(FORMULA_SIGNS):
        return "'" + value
    return "" if _without_nan(value) is None else value


def _to_cells(row: Mapping[str, Any], slots: Sequence[SlotVerdict]) -> dict[str, Any]:
    shown = row["clip_shows"] or {}
    return {
        **row,
        **row["models"],
        "slots": "; ".join(f"{slot.word}: saw {slot.answer}, match {slot.match:.2f}" for slot in slots),
        "problems": "; ".join(row["problems"]),
        "clip_start_seconds": shown.get("start_seconds"),
    }


def write_index(folder: Path, items: Sequence[Exported], facts: Mapping[str, Any]) -> None:
    """Writes ``index.html``; every text is escaped, and nothing is loaded from elsewhere.

    Raises:
        OSError: It can't be written.
    """
    page = render("export.html", hits=[describe_hit(item) for item in items], facts=facts)
    (folder / "index.html").write_text(page, encoding="utf-8", errors="replace")


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> None:
    """Writes ``manifest.json`` with size and digest of every file, and ``SHA256SUMS`` for ``sha256sum --check``.

    Raises:
        OSError: One can't be written.
    """
    files = {
        name: {"num_bytes": (folder / name).stat().st_size, "sha256": sha256_file(folder / name)}
        for name in list_files(folder)
    }
    (folder / MANIFEST).write_text(dump_json({**facts, "files": files}), encoding="utf-8")
    lines = [f"{sha256_file(folder / name)}  {name}\n" for name in list_files(folder)]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def list_files(folder: Path) -> list[str]:
    """Names all files of a folder, relative to it."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def pack(folder: Path, target: Path) -> None:
    """Writes a folder's files into a zip file, under the name that the zip file will have.

    Raises:
        OSError: It can't be written.
    """
    with zipfile.ZipFile(target, "w") as archive:
        for name in list_files(folder):
            how = zipfile.ZIP_STORED if name.endswith(PACKED) else zipfile.ZIP_DEFLATED
            archive.write(folder / name, name, compress_type=how)


def sync(folder: Path) -> None:
    """Puts a folder and all it holds on the disk itself.

    Raises:
        OSError: The disk refuses.
    """
    for path in (*folder.rglob("*"), folder):
        fsync_path(path)
