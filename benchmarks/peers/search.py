"""Searches crops as VisualAISearch, as clip-retrieval and as we do, and vectors by autofaiss' index and by ours.

Every side runs in a fresh process, in turn, on the same pictures or vectors and with the same weights.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.peers.plots import draw_bars
from benchmarks.peers.search_sides import PROFILE
from benchmarks.peers.shelves import Shelf, measure_recall, read_gallery, write_pictures
from benchmarks.scale.filling import Filling, fill_store
from benchmarks.scale.vectors import World
from benchmarks.watching import run_module
from flows.composition import Composition
from flows.settings.model import load_settings
from flows.sweep.query_file import default_query_file, read_queries
from storage.disk.layout import StoreLayout
from storage.gallery.gallery import Gallery, count_crops

DEMO = Path("configs/demo_archive")
K = 100
SIDE_MODULE = "benchmarks.peers.search_sides"
FROM_PICTURES, FROM_VECTORS = ("VisualAISearch", "clip-retrieval", "ours"), ("autofaiss", "compacted")
SYNTHETIC_DIMENSION, SYNTHETIC_QUERIES, ROWS_PER_SHARD = 192, 100, 10_000
COLUMNS = (
    "side",
    "seconds",
    "load, s",
    "build, s",
    "rows a second",
    "search, ms a query",
    "peak memory, MiB",
    f"recall@{K}",
    "index",
)
REMEDY = "its pins ask for numpy<2; the head of benchmarks/peers/search tells how it runs with the present one"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTrial:
    """One run of one side."""

    side: str
    load_seconds: float  # of models and vectors
    build_seconds: float
    search_seconds: float  # of all queries
    whole_seconds: float  # with the start of the process
    peak_mib: float
    num_rows: int
    num_queries: int
    recall: float
    note: str

    @property
    def seconds(self) -> float:
        """Of all steps."""
        return self.load_seconds + self.build_seconds + self.search_seconds


@dataclass(frozen=True)
class Contest:
    """What some sides are to do, and by what they are measured."""

    shelf: Shelf
    sides: Sequence[str]
    crop_ids: Sequence[str] = ()  # of the rows, where a side answers with ids

    @cached_property
    def vectors(self) -> np.ndarray:
        return np.asarray(np.load(self.shelf.vectors))

    @cached_property
    def queries(self) -> np.ndarray:
        return np.asarray(np.load(self.shelf.queries))

    @cached_property
    def places(self) -> Mapping[str, int]:
        return {crop_id: row for row, crop_id in enumerate(self.crop_ids)}


def try_search(side: str, contest: Contest) -> SearchTrial | str:
    """Runs one side in a fresh process; says why where it is not installed."""
    with tempfile.TemporaryDirectory(prefix="peers-") as scratch:
        ended = run_module(SIDE_MODULE, [side, str(contest.shelf.root), scratch, str(K)])
    told = ended.told
    if "missing" in told:
        return f"{side}: not installed ({told['missing']}); {REMEDY}"
    found = [[contest.places[row] if isinstance(row, str) else row for row in own] for own in told["found"]]
    return SearchTrial(
        side=side,
        **{f"{step}_seconds": seconds for step, seconds in told["steps"].items()},
        whole_seconds=ended.seconds,
        peak_mib=ended.peak_mib(),
        num_rows=len(contest.vectors),
        num_queries=len(contest.queries),
        note=told["note"],
        recall=measure_recall(found, contest.queries, contest.vectors, K),
    )


def try_all(contest: Contest, runs: int) -> tuple[list[SearchTrial], list[str]]:
    """Runs the sides in turn, the first one alternating; gives also what is not installed."""
    trials, missing = list[SearchTrial](), dict[str, str]()
    for number in range(runs):
        for side in contest.sides if number % 2 == 0 else contest.sides[::-1]:
            tried = missing.get(side) or try_search(side, contest)
            if isinstance(tried, str):
                missing[side] = tried
                continue
            trials.append(tried)
            print(f"{side}: {tried.seconds:.1f} s", file=sys.stderr, flush=True)
    return trials, list(missing.values())


def tabulate(trials: Sequence[SearchTrial]) -> list[tuple[str, ...]]:
    """Gives the table's rows, medians over the runs."""
    return [_row(side, [trial for trial in trials if trial.side == side]) for side in _sides(trials)]


def _sides(trials: Sequence[SearchTrial]) -> list[str]:
    return list(dict.fromkeys(trial.side for trial in trials))


def _row(side: str, mine: Sequence[SearchTrial]) -> tuple[str, ...]:
    def median(name: str) -> float:
        return statistics.median(getattr(trial, name) for trial in mine)

    last, build = mine[-1], median("build_seconds")
    return (
        side,
        f"{median('seconds'):.2f}",
        f"{median('load_seconds'):.2f}",
        f"{build:.2f}",
        f"{last.num_rows / build:,.0f}",
        f"{median('search_seconds') / last.num_queries * 1000:.2f}",
        f"{median('peak_mib'):,.0f}",
        f"{min(trial.recall for trial in mine):.4f}",
        last.note,
    )


def take_pictures(gallery: Gallery, root: Path, copies: int) -> Contest:
    """Lays out a gallery's pictures and the shipped queries, and what is exact of them.

    Raises:
        SystemExit: The gallery's vectors are not of the profile's encoder.
    """
    shelf = Shelf(root)
    write_pictures(gallery, shelf.pictures, copies)
    lexicon = Composition(load_settings(PROFILE)).lexicon
    texts = [query.text for query in read_queries(default_query_file(), lexicon)]
    shelf.texts.write_text(json.dumps(texts), encoding="utf-8")
    encoder = run_module(SIDE_MODULE, ["truth", str(root), str(root), str(K)]).told["note"]
    if encoder != gallery.encoder_id:
        raise SystemExit(f"the store is of the encoder {gallery.encoder_id}, but the profile {PROFILE} has {encoder}")
    return Contest(shelf=shelf, sides=FROM_PICTURES)


def take_vectors(gallery: Gallery, store: Path, root: Path, queries: Path) -> Contest:
    """Lays out a gallery's own vectors beside a copy of its store."""
    shelf = Shelf(root)
    shutil.copytree(store / "shards", shelf.store.shards)
    return _lay_out(shelf, gallery, np.load(queries))


def make_vectors(number: int, root: Path) -> Contest:
    """Lays out synthetic vectors and texts."""
    shelf = Shelf(root)
    filling = Filling(rows=number, dimension=SYNTHETIC_DIMENSION, rows_per_shard=ROWS_PER_SHARD)
    list(fill_store(shelf.store.root, filling))
    return _lay_out(
        shelf, Gallery.open(shelf.store, filling.pipeline), World(SYNTHETIC_DIMENSION).texts(SYNTHETIC_QUERIES)
    )


def _lay_out(shelf: Shelf, gallery: Gallery, queries: np.ndarray) -> Contest:
    crop_ids, vectors = read_gallery(gallery)
    np.save(shelf.vectors, vectors)
    np.save(shelf.queries, queries)
    return Contest(shelf=shelf, sides=FROM_VECTORS, crop_ids=crop_ids)


def index_demo(store: Path) -> Path:
    """Indexes the demo archive."""
    run_module("benchmarks.peers.side", ["ours", str(DEMO), str(store), str(DEMO / "settings.toml")])
    return store


def open_newest(store: Path) -> Gallery:
    """Opens the newest pipeline of a store."""
    layout = StoreLayout(store)
    newest = next(iter(count_crops(layout)), None)
    if newest is None:
        raise SystemExit(f"{store} holds no shard; index an archive into it first")
    return Gallery.open(layout, newest)


def read_options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/peers/search", description=__doc__, epilog="Example: benchmarks/peers/search --runs 5"
    )
    parser.add_argument("--store", type=Path, help="whose crops are taken; it stays as it is (default: the demo's)")
    parser.add_argument("--runs", type=int, default=5, help="of each side, in turn (default 5)")
    parser.add_argument("--copies", type=int, default=1, help="how often each picture is searched (default once)")
    parser.add_argument("--synthetic", type=float, help="as many vectors for the indexes in place of the store's")
    parser.add_argument("--out", type=Path, default=Path("peers-search.json"), help="pictures are written beside it")
    return parser.parse_args()


def show(title: str, trials: Sequence[SearchTrial], missing: Sequence[str], picture: Path) -> None:
    """Prints a table and draws bars."""
    lines = (COLUMNS, ("---",) * len(COLUMNS), *tabulate(trials))
    print(f"\n**{title}**\n")
    print("\n".join("| " + " | ".join(line) + " |" for line in lines))
    print("".join(f"\n- {line}" for line in missing))
    seconds = {side: [trial.seconds for trial in trials if trial.side == side] for side in _sides(trials)}
    draw_bars(picture, seconds, f"seconds, {title}")


def main() -> None:
    """Runs all sides in turn and prints Markdown tables; writes JSON and pictures."""
    options, content = read_options(), {}
    with tempfile.TemporaryDirectory(prefix="peers-search-") as name:
        scratch = Path(name)
        store = options.store or index_demo(scratch / "demo")
        gallery = open_newest(store)
        pictures = take_pictures(gallery, scratch / "pictures", options.copies)
        if options.synthetic:
            vectors = make_vectors(int(options.synthetic), scratch / "vectors")
        else:
            vectors = take_vectors(gallery, store, scratch / "vectors", pictures.shelf.queries)
        for title, contest in (("from pictures to answers", pictures), ("from vectors to answers", vectors)):
            trials, missing = try_all(contest, options.runs)
            ending = "" if contest is pictures else "-vectors"
            picture = options.out.with_name(f"{options.out.stem}{ending}.png")
            show(f"{title}, {len(contest.vectors):,} rows", trials, missing, picture)
            content[title] = {"trials": [asdict(trial) for trial in trials], "missing": missing}
    options.out.write_text(json.dumps(content, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
