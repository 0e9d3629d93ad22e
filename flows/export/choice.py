"""Which published hits are exported, and all that the store knows of each of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from anomalylmm.errors import ConfigurationError, QueryError, StoreError
from anomalylmm.records import CropRow, SlotVerdict
from flows.sweep.page import read_slot
from storage.disk.layout import StoreLayout
from storage.hits.analyst import Snapshot, open_snapshot
from storage.shards.manifest import ShardManifest, VideoEntry, read_manifest
from storage.shards.reading import load_crops

Row = dict[str, Any]
MAX_NAMED = 5  # unknown ids that one message names
_HITS_SQL = """
SELECT hits.*, asked.text, asked.masked, places.directory
FROM hits LEFT JOIN (SELECT query_version, text, masked FROM queries) AS asked USING (query_version)
LEFT JOIN (SELECT shard_id, directory FROM shards) AS places USING (shard_id)
"""
_ORDER = " ORDER BY confidence DESC, hit_id"
_CONDITIONS = {
    "hit_ids": "hit_id IN (SELECT unnest(?::VARCHAR[]))",
    "put_off": "hit_id IN (SELECT unnest(?::VARCHAR[]))",
    "query_name": "query_name = ?",
    "start_utc": "stop_utc >= ?::TIMESTAMP",
    "stop_utc": "start_utc < ?::TIMESTAMP",
    "sweep_id": "sweep_id = ?",
    "incident_id": "hit_id IN (SELECT unnest(hit_ids) FROM incidents WHERE incident_id = ?)",
}
_OF_HITS = "WHERE hit_id IN (SELECT unnest(?::VARCHAR[]))"
_SLOTS_SQL = f"""
SELECT hit_id, judgement_slots.* FROM judgement_slots
JOIN (SELECT hit_id, query_version, tracklet_id, pipeline FROM hits) AS own
USING (query_version, tracklet_id, pipeline) {_OF_HITS} ORDER BY hit_id, slot_index
"""  # noqa: S608 - the condition is our own
_FEEDBACK_SQL = f"SELECT hit_id, verdict, who, note, created_utc FROM feedback {_OF_HITS} ORDER BY hit_id, created_utc"  # noqa: S608 - the condition is our own


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which hits: all that is given must hold, and something must be given."""

    hit_ids: tuple[str, ...] = ()
    put_off: tuple[str, ...] = ()  # ids of hits as well, but some may have been erased since
    query_name: str = ""
    start_utc: datetime | None = None
    stop_utc: datetime | None = None
    sweep_id: str = ""
    incident_id: str = ""
    sql: str = ""  # a SELECT that gives hit_id

    def __post_init__(self) -> None:
        """Checks that something is chosen.

        Raises:
            ConfigurationError: Nothing is, or the window is empty.
        """
        if not any((*self.conditions(), self.sql)):
            raise ConfigurationError(
                "nothing was chosen to export; give ids of hits, a query's name, a time range, a sweep, an incident, "
                "or a SELECT that gives hit_id"
            )
        if self.start_utc and self.stop_utc and self.start_utc >= self.stop_utc:
            raise ConfigurationError(f"the time range from {self.start_utc} to {self.stop_utc} is empty; swap them")

    def conditions(self) -> dict[str, object]:
        """What is given beside the SQL, as values to bind."""
        given: dict[str, object] = {name: getattr(self, name) for name in _CONDITIONS if getattr(self, name)}
        times = {name: value for name, value in given.items() if isinstance(value, datetime)}
        given |= {name: value.astimezone(UTC).replace(tzinfo=None) for name, value in times.items()}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One hit with all that the store knows of it; ``problems`` says what it can't tell any more."""

    number: int  # 1-based place in the export
    hit: Mapping[str, Any] = field(repr=False)
    slots: tuple[SlotVerdict, ...]
    remarks: tuple[Mapping[str, Any], ...]  # what people said
    models: Mapping[str, str]  # by role
    crop: CropRow | None = field(repr=False, default=None)  # the best one
    video: VideoEntry | None = None
    directory: str = ""  # of its shard, relative to the store; empty if that is gone
    problems: tuple[str, ...] = ()

    @property
    def hit_id(self) -> str:
        """The hit's id."""
        return str(self.hit["hit_id"])

    def span(self, margin_seconds: float) -> tuple[float, float]:
        """Media time of the tracklet with a margin before and after."""
        return max(0.0, self.hit["start_seconds"] - margin_seconds), self.hit["stop_seconds"] + margin_seconds

    @property
    def name(self) -> str:
        """A file name of its own, whatever is in the id."""
        plain = "".join(sign for sign in self.hit_id if sign.isascii() and sign.isalnum())
        return f"{self.number:04d}-{plain[:12]}"


def gather(layout: StoreLayout, choice: Choice, *, most: int) -> list[Evidence]:
    """Finds the chosen hits, most confident first, with what is known of them.

    Raises:
        QueryError: The SQL is not one SELECT that gives ``hit_id``.
        ConfigurationError: An id is unknown, no hit fits, or more than ``most`` do.
        StoreError: No sweep has published yet.
    """
    with open_snapshot(layout) as snapshot:
        hits = _find_hits(snapshot, choice, most)
        ids = [hit["hit_id"] for hit in hits]
        slots = _by_hit(snapshot.select(_SLOTS_SQL, [ids]))
        remarks = _by_hit(snapshot.select(_FEEDBACK_SQL, [ids]))
    manifests: dict[str, ShardManifest | str] = {}
    return [
        _join(layout, number, hit, slots.get(hit["hit_id"], []), remarks.get(hit["hit_id"], []), manifests)
        for number, hit in enumerate(hits, 1)
    ]


def _find_hits(snapshot: Snapshot, choice: Choice, most: int) -> list[Row]:
    given = choice.conditions()
    conditions, values = [_CONDITIONS[name] for name in given], list(given.values())
    if choice.sql:
        conditions.append(_CONDITIONS["hit_ids"])
        values.append(_run_choice(snapshot, choice.sql))
    hits = snapshot.select(f"{_HITS_SQL} WHERE {' AND '.join(conditions)} {_ORDER}", values)
    _refuse_unknown(snapshot, choice)
    if not hits:
        raise ConfigurationError(
            'no published hit meets the conditions; to see what there is: anomalylmm sql "from hits"'
        )
    if len(hits) > most:
        raise ConfigurationError(
            f"{len(hits)} hits are chosen, but at most {most} are exported at once; choose fewer, or raise --most"
        )
    return hits


def _run_choice(snapshot: Snapshot, sql: str) -> list[str]:
    columns, rows = snapshot.run(sql)
    if columns.count("hit_id") != 1:
        given = ", ".join(columns) or "none"
        raise QueryError(f"the SELECT must give one column named hit_id, but gives {given}; name it so")
    place = columns.index("hit_id")
    return [str(row[place]) for row in rows if row[place] is not None]


def _refuse_unknown(snapshot: Snapshot, choice: Choice) -> None:
    known = {hit_id for (hit_id,) in snapshot.read(f"SELECT hit_id FROM hits {_OF_HITS}", [list(choice.hit_ids)])}  # noqa: S608 - the condition is our own
    unknown = [repr(hit_id) for hit_id in choice.hit_ids if hit_id not in known]
    if unknown:
        more = f" and {len(unknown) - MAX_NAMED} more" if len(unknown) > MAX_NAMED else ""
        raise ConfigurationError(
            f"no published hit has the id {', '.join(unknown[:MAX_NAMED])}{more}; the ids of hits are on the report "
            "and in the table hits"
        )


def _by_hit(rows: Sequence[Row]) -> dict[str, list[Row]]:
    return {hit_id: list(group) for hit_id, group in groupby(rows, key=lambda row: row["hit_id"])}


def _join(
    layout: StoreLayout,
    number: int,
    hit: Row,
    slots: Sequence[Row],
    remarks: Sequence[Row],
    manifests: dict[str, ShardManifest | str],
) -> Evidence:
    directory = hit.pop("directory") or ""
    if directory not in manifests:
        manifests[directory] = _read_shard(layout, directory)
    manifest = manifests[directory]
    problems = list(_iter_problems(manifest))
    crop: CropRow | None = None
    if not isinstance(manifest, str):
        try:
            (crop,) = load_crops(layout.root / directory, [hit["crop_id"]])
        except StoreError as error:
            problems.append(str(error))
    return Evidence(
        number=number,
        hit=hit,
        slots=tuple(read_slot(row) for row in slots),
        remarks=tuple(remarks),
        models=_name_models(manifest, hit),
        crop=crop,
        video=_find_video(manifest, hit),
        directory="" if isinstance(manifest, str) else directory,
        problems=tuple(problems),
    )


def _read_shard(layout: StoreLayout, directory: str) -> ShardManifest | str:
    """The manifest of a hit's shard, or why there is none."""
    if not directory:
        return "its shard is not in the store any more"
    try:
        return read_manifest(layout.root / directory)
    except StoreError as error:
        return str(error)


def _iter_problems(manifest: ShardManifest | str) -> Iterator[str]:
    if isinstance(manifest, str):
        yield f"{manifest}: where the person was, and with which models they were found, is not known"


def _name_models(manifest: ShardManifest | str, hit: Row) -> dict[str, str]:
    made = {} if isinstance(manifest, str) else manifest.pipeline
    named = {role: str(made[role]) for role in ("detector", "dual_encoder") if role in made}
    return {**named, "judge": hit["judge_id"]}


def _find_video(manifest: ShardManifest | str, hit: Row) -> VideoEntry | None:
    videos = () if isinstance(manifest, str) else manifest.videos
    return next((video for video in videos if video.video_id == hit["video_id"]), None)
