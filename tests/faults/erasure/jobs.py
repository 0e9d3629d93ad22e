"""What a forked process does to a store of which something is to be erased; each gives what JSON can hold."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anomalylmm.errors import StoreError
from flows.index.indexing import index_archive
from flows.maintain.erasing import erase_store
from flows.search.outcome import SearchRequest
from flows.search.searching import search_store
from flows.sweep.sweeping import sweep_store
from storage.disk.layout import MANIFEST_FILE, StoreLayout
from storage.hits.analyst import run_sql
from storage.hits.inbox import leave_feedback
from storage.hits.rows import FeedbackRecord
from storage.hits.writer import HitStore
from storage.shards.manifest import iter_shard_dirs
from storage.upkeep.erasure_log import ErasureRule
from storage.upkeep.maintenance import collect_garbage, verify_store
from tests.drawn import Blocks, SmallComposition, compose_small, write_archive
from tests.faults.content import OF_THE_RUN, read_content
from tests.faults.erasure.traces import find_traces, list_traces

NAME_PATTERN = "{camera}/{year}-{month}-{day}/{hour}-{minute}-{second}_{any}"
ARCHIVE: dict[str, Blocks] = {
    "gate/2026-03-14/10-00-00_walrus-one.mp4": (("red", 0, 3), ("blue", 1, 3)),
    "gate/2026-03-14/15-00-00_walrus-two.mp4": (("green", 0, 2),),
    "gate/2026-03-16/10-00-00_walrus-three.mp4": (("red", 0, 3),),
    "yard/2026-03-14/10-00-00_walrus-four.mp4": (("green", 0, 3), ("red", 0, 2)),
    "yard/2026-03-16/10-00-00_walrus-five.mp4": (("red", 0, 3),),
}
BROKEN = "yard/2026-03-14/11-00-00_walrus-six.mp4"
_NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)
_OF_THE_ERASURE = frozenset({"erasure_id", "begun_utc"})


def compose_noisy(**sections: Any) -> SmallComposition:
    """Builds the stand-ins, with file names that say more than the time."""
    return compose_small(noisy=True, **{"cameras": [{"pattern": NAME_PATTERN}], **sections})


def write_noisy_archive(folder: Path) -> Path:
    """Writes the archive, with one broken file in it."""
    return write_archive(folder, videos=ARCHIVE, broken=BROKEN)


def make(store: str, archive: str, queries: str) -> dict[str, int]:
    """Fills a store: shards, hits, answers, feedback, a search with its page, and one for more like a crop."""
    layout, composition = StoreLayout(Path(store)), compose_noisy()
    index_archive(composition, layout, Path(archive))
    report = sweep_store(composition, layout, Path(queries))
    for hit in report.top_hits:
        said = FeedbackRecord(
            hit_id=hit.hit_id, verdict="confirm", who="ann", created_utc=_NOON, note=f"of {hit.video_path}"
        )
        leave_feedback(layout, said)
        search_store(composition, layout, SearchRequest(like=hit.crop_id, limit=3))
    search_store(composition, layout, SearchRequest(text="a person in a red jacket", limit=20))
    sweep_store(composition, layout, Path(queries))  # takes in what waits
    return {"hits": report.num_hits}


def traces(store: str, video_ids: list[str], place: str) -> int:
    """Writes down pieces of all that is to go: of crops, pictures, names, notes; gives their number."""
    found = list_traces(StoreLayout(Path(store)), frozenset(video_ids))
    _leave_old_catalog(StoreLayout(Path(store)))
    Path(place).write_text(json.dumps([trace.hex() for trace in found]))
    return len(found)


def seek(store: str, place: str) -> list[str]:
    """Seeks the pieces in every file of the store; gives where one was found."""
    return find_traces(Path(store), [bytes.fromhex(trace) for trace in json.loads(Path(place).read_text())])


def erase(store: str, **rule: Any) -> dict[str, int]:
    """Erases by a rule, while a catalog of an earlier version is there; gives what went."""
    _leave_old_catalog(StoreLayout(Path(store)))
    before = datetime.fromisoformat(rule.pop("before")) if "before" in rule else None
    lists = {name: tuple(values) for name, values in rule.items()}
    report = erase_store(StoreLayout(Path(store)), [ErasureRule(before_utc=before, **lists)])
    shards = [shard for erasure in report.erasures for shard in erasure.shards]
    return {
        "shards": len(shards),
        "rewritten": sum(bool(shard.rest_id) for shard in shards),
        "videos": sum(len(erasure.video_ids) for erasure in report.erasures),
        "hits": report.total("num_hits"),
    }


def finish(store: str, how: str, queries: str) -> None:
    """Has an interrupted erasure finished by the next erase, gc or sweep."""
    layout = StoreLayout(Path(store))
    if how == "gc":
        collect_garbage(layout)
    elif how == "sweep":
        with suppress(StoreError):  # nothing may be left to sweep
            sweep_store(compose_noisy(), layout, Path(queries))
    else:
        erase_store(layout, ())


def problems(store: str) -> list[str]:
    """What verify says, every byte read."""
    return list(verify_store(StoreLayout(Path(store)), deep=True).problems)


def content(store: str) -> list[str]:
    """Everything that the store says, but for when and by which run, and for pages, which are written anew."""
    layout = StoreLayout(Path(store))
    lines = read_content(layout, skip=frozenset(OF_THE_RUN) | _OF_THE_ERASURE)
    return sorted(line for line in lines if not line.startswith(("file erasures/", "file reports/s")))


def examine(store: str, archive: str, place: str) -> dict[str, Any]:
    """Reads everything, seeks the pieces, and indexes the archive that is still there, which must bring nothing."""
    told = {"content": content(store), "found": seek(store, place)}
    report = index_archive(compose_noisy(), StoreLayout(Path(store)), Path(archive))
    told["again"] = {"erased": report.erased, "videos": int(report.total("num_videos"))}
    return {**told, "problems": problems(store)}


def finish_and_examine(store: str, how: str, queries: str, archive: str, place: str) -> dict[str, Any]:
    """Has an interrupted erasure finished; gives what verify said of it before, and what is left."""
    said = list(verify_store(StoreLayout(Path(store)), deep=False).problems)
    finish(store, how, queries)
    return {"said": said, **examine(store, archive, place)}


def videos(store: str) -> dict[str, list[str]]:
    """Ids of all published and quarantined videos, by path."""
    sql = "SELECT path, video_id FROM videos UNION ALL SELECT path, video_id FROM quarantine"
    found: dict[str, list[str]] = {}
    for path, video_id in run_sql(StoreLayout(Path(store)), sql)[1]:
        found.setdefault(path, []).append(video_id)
    return found


def erase_while_swept(store: str) -> None:
    """Erases while another writer is at work.

    Raises:
        StoreBusyError: As it must.
    """
    layout = StoreLayout(Path(store))
    with HitStore(layout):
        erase_store(layout, [ErasureRule(cameras=("gate",))])


def _leave_old_catalog(layout: StoreLayout) -> None:
    """Repeats all manifests in a catalog, as earlier versions kept them."""
    manifests = [(directory / MANIFEST_FILE).read_text() for directory in iter_shard_dirs(layout)]
    (layout.root / "catalogs").mkdir(exist_ok=True)
    (layout.root / "catalogs" / "old.catalog").write_text("\n".join(manifests))
