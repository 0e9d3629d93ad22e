"""What the killed processes were doing: each phase with the store it begins with and the content it is to end with."""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from storage.disk.layout import CROPS_FILE, INDEX_FILE, MANIFEST_FILE, StoreLayout
from storage.shards.manifest import FileEntry, iter_shard_dirs, read_manifest
from tests.drawn import write_archive, write_queries
from tests.faults import jobs
from tests.faults.forks import one

Passed = tuple[str, int]  # a crash point and the how many-th passing of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One job, the store it starts from, and what an uninterrupted run of it left."""

    name: str
    job: Callable[..., Any]
    arguments: Mapping[str, Any]  # all but the store
    template: Path
    expected: tuple[str, ...] = field(repr=False)
    points: tuple[Passed, ...]  # in the order an uninterrupted run passes them
    seconds: float  # of an uninterrupted run
    problems: frozenset[str] = frozenset()  # of the store it begins with

    def begin(self, store: Path) -> None:
        """Makes the store it begins with."""
        shutil.copytree(self.template, store)


def build_phases(scratch: Path) -> list[Phase]:
    """Runs each phase once without interruption."""
    index, sweep = build_main_phases(scratch)
    damaged = damage(sweep.template, scratch / "damaged")
    mending = _observe("verify --repair, index", jobs.mend, index.arguments, damaged)
    noted = scratch / "noted"
    shutil.copytree(sweep.template, noted)
    one(jobs.note, store=str(noted))  # once: what was acknowledged is not said again after a kill
    noting = _observe("sweep, notes waiting", jobs.sweep, sweep.arguments, noted)
    compacting = _observe("compact", jobs.compact, {}, sweep.template)
    return [index, sweep, replace(mending, expected=index.expected), noting, compacting]


def build_main_phases(scratch: Path) -> tuple[Phase, Phase]:
    """Runs index and sweep once without interruption."""
    archive = {"archive": str(write_archive(scratch / "archive"))}
    queries = {"queries": str(write_queries(scratch / "queries.toml"))}
    empty = scratch / "empty"
    empty.mkdir()
    index = _observe("index", jobs.index, archive, empty)
    return index, _observe("sweep", jobs.sweep, queries, scratch / "index")


def build_decoding_phase(scratch: Path) -> Phase:
    """The index run with the real decoder, which is a process of its own."""
    folder = write_archive(scratch / "decoded", decodes=True)
    empty = scratch / "empty"
    empty.mkdir(exist_ok=True)
    return _observe("index, real decoder", jobs.index, {"archive": str(folder), "decodes": True}, empty)


def _observe(name: str, job: Callable[..., Any], arguments: Mapping[str, Any], template: Path) -> Phase:
    store = template.parent / name
    shutil.copytree(template, store)
    problems = one(jobs.verify, store=str(store)).result["problems"]
    traced = one(jobs.trace, job=job, arguments={"store": str(store), **arguments})
    found = one(jobs.examine, store=str(store)).result
    if found["problems"] or found["left"]:
        raise RuntimeError(f"{name}: without any kill the store has {found['problems']}, {found['left']}")
    return Phase(
        name=name,
        job=job,
        arguments=arguments,
        template=template,
        expected=tuple(found["content"]),
        points=tuple(_count(traced.result)),
        seconds=traced.seconds,
        problems=name_files(problems, store),
    )


def name_files(problems: Iterable[str], store: Path) -> frozenset[str]:
    """The damaged files by shard, relative to the store; what is wrong with each changes while it is mended."""
    return frozenset(":".join(problem.replace(str(store), "STORE").split(":")[:2]) for problem in problems)


def _count(names: list[str]) -> Iterator[Passed]:
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        yield name, seen[name]


def damage(indexed: Path, store: Path) -> Path:
    """Copies a store and breaks one shard's rows and another's index."""
    shutil.copytree(indexed, store)
    rows, vectors, *_ = sorted(iter_shard_dirs(StoreLayout(store)))
    (rows / CROPS_FILE).write_bytes(b"broken")
    manifest = read_manifest(vectors)
    (vectors / INDEX_FILE).write_bytes(json.dumps("of another FAISS").encode())
    other = FileEntry(num_bytes=manifest.files[INDEX_FILE].num_bytes, sha256="0" * 64)  # so that repair changes it
    text = replace(manifest, files={**manifest.files, INDEX_FILE: other}).to_json()
    (vectors / MANIFEST_FILE).write_text(text)
    return store
