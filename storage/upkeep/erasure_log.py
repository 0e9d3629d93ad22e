"""What was erased and must not come back: one small file an erasure, without any picture, file name or query."""

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from anomalylmm.errors import StoreError
from storage.disk.files import create_directories, guarded, replace_file
from storage.disk.layout import StoreLayout
from storage.shards.schema import clean_text, require_utc

ErasureStamp = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureRule:
    """Which videos to erase: all that fits, and at least one of the fields must be given."""

    before_utc: datetime | None = None  # what began before
    cameras: tuple[str, ...] = ()  # of these cameras; empty: of all
    spared_cameras: tuple[str, ...] = ()  # but not of these
    videos: tuple[str, ...] = ()  # these only: ids, or paths as the table videos lists them

    def __post_init__(self) -> None:
        """Checks that the rule says something, so that nothing given is never taken for everything.

        Raises:
            StoreError: If it is empty, or its moment has no time zone.
        """
        if not self.before_utc and not self.cameras and not self.videos:
            raise StoreError("an erasure rule must name a moment, a camera or a video, but is empty; give one of them")
        if self.before_utc:
            object.__setattr__(self, "before_utc", require_utc("before_utc", self.before_utc))

    def admits_camera(self, camera: str) -> bool:
        """Whether videos of this camera can fall under the rule."""
        return camera not in self.spared_cameras and (not self.cameras or camera in self.cameras)

    def matches(self, *, video_id: str, path: str, camera: str, start_utc: datetime) -> bool:
        """Whether a video falls under the rule."""
        is_named = not self.videos or not {video_id, path, clean_text(path)}.isdisjoint(self.videos)
        is_old = self.before_utc is None or start_utc < self.before_utc
        return is_named and is_old and self.admits_camera(camera)

    def describe(self) -> str:
        """The rule in words; says how many videos were named, not which."""
        parts = [f"began before {self.before_utc.isoformat(timespec='seconds')}" if self.before_utc else ""]
        parts += [f"of {', '.join(self.cameras)}" if self.cameras else ""]
        parts += [f"not of {', '.join(self.spared_cameras)}" if self.spared_cameras else ""]
        parts += [f"named, {len(self.videos)}" if self.videos else ""]
        return "videos " + ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoomedShard:
    """A shard that holds videos to erase."""

    directory: str  # relative to the store
    rest_id: str  # id of the shard that takes the videos to keep; empty where nothing is kept
    num_videos: int  # to erase
    num_crops: int

    @property
    def shard_id(self) -> str:
        """Its id."""
        return self.directory.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """One erasure: what falls under it while it is carried out, the least that must be known afterwards."""

    erasure_id: str
    begun_utc: datetime
    rule: str  # in words
    rules: tuple[ErasureRule, ...]  # those with a moment, which footage not seen yet can fall under
    video_ids: tuple[str, ...] = field(repr=False)
    shards: tuple[DoomedShard, ...] = field(repr=False, default=())
    search_ids: tuple[str, ...] = field(repr=False, default=())  # searches for more like an erased crop; while pending
    is_finished: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def shard_ids(self) -> tuple[str, ...]:
        """The shards that are gone, rewritten ones too."""
        return tuple(shard.shard_id for shard in self.shards)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedFootage:
    """What must not be indexed again."""

    video_ids: frozenset[str]
    rules: tuple[ErasureRule, ...]
    lifted: frozenset[str]  # what somebody asked to index again

    @classmethod
    def read(cls, layout: StoreLayout) -> Self:
        """All that was erased, less what was lifted since.

        Raises:
            StoreError: If a note can't be read.
        """
        erased: set[str] = set()
        lifted: set[str] = set()
        rules: dict[ErasureRule, None] = {}
        for content in _iter_contents(layout):
            lifted |= set(content.get("lifted_video_ids", ()))
            erased |= set(content.get("video_ids", ()))
            lifted -= set(content.get("video_ids", ()))
            rules |= dict.fromkeys(_revive_rules(content.get("rules", ())))
        return cls(video_ids=frozenset(erased), rules=tuple(rules), lifted=frozenset(lifted))

    def blocks(self, *, video_id: str, camera: str, start_utc: datetime) -> bool:
        """Whether a video must not be indexed: it was erased, or is such that it would have been."""
        if video_id in self.lifted:
            return False
        return video_id in self.video_ids or any(
            rule.matches(video_id=video_id, path="", camera=camera, start_utc=start_utc) for rule in self.rules
        )


def new_erasure(rules: Iterable[ErasureRule], video_ids: Iterable[str], **pending: Any) -> Erasure:
    """An erasure that begins now."""
    given = tuple(rules)
    return Erasure(
        erasure_id=secrets.token_hex(8),
        begun_utc=datetime.now(UTC),
        rule="; ".join(rule.describe() for rule in given),
        rules=tuple(rule for rule in given if rule.before_utc and not rule.videos),
        video_ids=tuple(sorted(video_ids)),
        **pending,
    )


def write_erasure(layout: StoreLayout, erasure: Erasure) -> None:
    """Notes an erasure durably, in the place of its earlier note.

    Raises:
        StoreError: If it can't be written.
    """
    content = asdict(erasure)
    content["begun_utc"] = erasure.begun_utc.isoformat()
    for rule in content["rules"]:
        rule["before_utc"] = rule["before_utc"].isoformat()
    _write(layout, f"{_stamp(erasure.begun_utc)}-{erasure.erasure_id}.json", content)


def finish_erasure(layout: StoreLayout, erasure: Erasure, counts: Mapping[str, int]) -> Erasure:
    """Notes that an erasure is carried out, and forgets what only the work needed.

    Raises:
        StoreError: If it can't be written.
    """
    finished = replace(erasure, search_ids=(), is_finished=True, counts=dict(counts))
    write_erasure(layout, finished)
    return finished


def read_erasures(layout: StoreLayout) -> tuple[Erasure, ...]:
    """All erasures, oldest first, unfinished ones too.

    Raises:
        StoreError: If a note can't be read.
    """
    return tuple(_revive(content) for content in _iter_contents(layout) if "erasure_id" in content)


def read_unfinished(layout: StoreLayout) -> tuple[Erasure, ...]:
    """The erasures that were interrupted.

    Raises:
        StoreError: If a note can't be read.
    """
    return tuple(erasure for erasure in read_erasures(layout) if not erasure.is_finished)


def lift_erasures(layout: StoreLayout, video_ids: Iterable[str]) -> None:
    """Notes that these videos may be indexed though they were erased; a later erasure takes them again.

    Raises:
        StoreError: If it can't be written.
    """
    lifted = sorted(set(video_ids))
    if lifted:
        name = f"{_stamp(datetime.now(UTC))}-lift-{secrets.token_hex(4)}.json"
        _write(layout, name, {"lifted_video_ids": lifted})


def erasure_stamp(layout: StoreLayout) -> ErasureStamp:
    """Changes when an erasure begins or ends, for those who read without a lock and write what they saw."""
    return tuple(sorted((path.name, path.stat().st_mtime_ns) for path in layout.erasures.glob("*.json")))


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%S%f")


def _write(layout: StoreLayout, name: str, content: Any) -> None:
    with guarded("create", layout.erasures):
        create_directories(layout.erasures)
        create_directories(layout.temporary)
    replace_file(layout.erasures / name, json.dumps(content, indent=1).encode(), scratch=layout.temporary)


def _iter_contents(layout: StoreLayout) -> Iterator[dict[str, Any]]:
    for path in sorted(layout.erasures.glob("*.json")):
        try:
            with guarded("read", path):
                content = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(content, dict):
                raise TypeError("it is no JSON object")
        except (ValueError, TypeError) as error:
            raise _damaged(path, error) from error
        yield {**content, "path": path}


def _revive(content: Mapping[str, Any]) -> Erasure:
    try:
        values = {name: content[name] for name in Erasure.__slots__}
        values["begun_utc"] = datetime.fromisoformat(values["begun_utc"])
        values["rules"] = _revive_rules(values["rules"])
        values["shards"] = tuple(DoomedShard(**shard) for shard in values["shards"])
        values |= {name: tuple(values[name]) for name in ("video_ids", "search_ids")}
        return Erasure(**values)
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(content["path"], error) from error


def _revive_rules(rows: Iterable[Mapping[str, Any]]) -> tuple[ErasureRule, ...]:
    return tuple(
        ErasureRule(
            before_utc=datetime.fromisoformat(row["before_utc"]),
            cameras=tuple(row["cameras"]),
            spared_cameras=tuple(row["spared_cameras"]),
        )
        for row in rows
    )


def _damaged(path: Path, error: Exception) -> StoreError:
    return StoreError(
        f"{path} is damaged: {error}. What it names could be indexed again: move it away, then erase by its rule again."
    )
