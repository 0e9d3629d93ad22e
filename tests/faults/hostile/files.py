"""Hostile files beside videos: settings, feedback, reference pictures, benchmarks, a store from elsewhere."""

import io
import json
import os
import pickle
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flows.clock import utc_now
from flows.evaluate.benchmark.files import read_benchmark
from flows.evaluate.benchmark.records import read_picture
from flows.index.indexing import build_plan
from flows.maintain.models import list_models
from flows.review.feedback import note_remarks, read_csv
from flows.search.outcome import SearchRequest
from flows.search.searching import search_store
from flows.settings.model import load_settings
from storage.disk.files import digest_json
from storage.disk.layout import StoreLayout
from storage.hits.analyst import run_sql
from storage.upkeep.maintenance import verify_store
from tests.faults.hostile.names import TEXT
from tests.faults.hostile.stand_ins import DrawnComposition
from tests.faults.hostile.trial import MARKER, Bench, find_markup, run_command

SETTINGS = {
    "a list": "judge = [1]",
    "a text": 'decode = "fast"',
    "true as a number": "shards = true",
    "negative": "[encoder]\nbatch_size = -1",
    "an unknown key": "eval = '__import__(\"os\")'",
    "a family of theirs": '[judge]\nfamily = "os.system"',
    "1 MB in a key": f"{'k' * 1_000_000} = 1",
    "bytes": "\udcff",
    "a preset": '[rerank]\npreset = "{{7*7}}"',
}
PLANS = {
    "a time zone of the root": {"time_zone": "../../../etc/passwd"},
    "a zone that is none, beside cameras": {"time_zone": "Mars/X", "cameras": [{"pattern": "{camera}/{any}"}]},
    "a pattern of 12 {any}": {"cameras": [{"pattern": "{any}" * 12 + "!"}]},
    "a pattern of a pattern": {"cameras": [{"pattern": "(a+)+$"}]},
    "a pattern that names twice": {"cameras": [{"pattern": "{camera}{camera}"}]},
}
WEIGHTS = ("~nobody_here/x", "a" * 5000, "a\0b", "../../..", "-/--", "/dev/zero", "$(touch PWNED)", "http://x/y")
FEEDBACK: dict[str, Callable[[str], str]] = {
    "a formula as note": lambda hit: f"hit_id,verdict,note\n{hit},confirm,=cmd|' /C calc'!A0\n",
    "a formula as name": lambda hit: f"hit_id,verdict,by\n{hit},confirm,@SUM(1+1)*cmd|' /C calc'!A0\n",
    "HTML and control characters": lambda hit: f'hit_id,verdict,note\n{hit},confirm,"<script>\x1b[2J\n</script>"\n',
    "SQL": lambda hit: f"hit_id,verdict,note\n{hit},confirm,'); DROP TABLE hits; --\n",
    "SQL as id": lambda _: "hit_id,verdict\n' OR 1=1 --,confirm\n",
    "a path as id": lambda _: "hit_id,verdict\n../../x,confirm\n",
    "a field of 1 MB": lambda hit: f"hit_id,verdict,note\n{hit},confirm,{'x' * 1_000_000}\n",
    "NUL": lambda hit: f"hit_id,verdict\n{hit}\0,confirm\n",
    "20,000 unknown ids": lambda _: "hit_id,verdict\n" + "".join(f"{n},confirm\n" for n in range(20_000)),
}
ROWS = {
    "../": '[{"image": "../outside/secret.txt", "image_id": 1, "caption": "a"}]',
    "absolute": '[{"image": "/etc/passwd", "image_id": 1, "caption": "a"}]',
    "NUL": '[{"image": "a\\u0000b", "image_id": 1, "caption": "a"}]',
    "deep": "[" * 100_000,
    "deep by lines": '{"a":' * 100_000,
    "5,000 digits": f'[{{"image": {"9" * 5000}}}]',
    "half": '[{"image": "x"',
    "a surrogate": '[{"image": "\\ud800", "image_id": 1, "caption": "a"}]',
}


def try_files(bench: Bench) -> None:
    """Tries all files."""
    for name, text in SETTINGS.items():
        bench.attempt("settings", name, lambda n=name, t=text: _load(bench, n, t), refused=True)
    for name, changed in PLANS.items():
        bench.attempt("settings", name, lambda c=changed: _plan(bench, c), refused=True)
    for name in WEIGHTS:
        bench.attempt("settings", f"weights {name[:30]!r}", lambda n=name: _locate(n))
    layout = StoreLayout(bench.ground.store)
    _, rows = run_sql(layout, "select hit_id from hits limit 1")
    for name, write in FEEDBACK.items():
        bench.attempt("feedback", name, lambda n=name, w=write: _note(bench, layout, n, w(rows[0][0])))
    bench.attempt("feedback", "shown", lambda: run_command(["feedback", "--list", "--store", str(layout.root)])[2])
    for name, content in _iter_pictures(bench):
        bench.attempt("reference pictures", name, lambda n=name, c=content: _like(bench, n, c), refused=True)
    for like in ("/dev/zero", "/etc", "\udcff", "a\0b", "n" * 5000, "' OR 1=1", "../../etc/passwd"):
        bench.attempt("reference pictures", repr(like[:40]), lambda k=like: _search(layout, k), refused=True)
    for name, text in ROWS.items():
        bench.attempt("benchmarks", name, lambda n=name, t=text: _benchmark(bench, n, t), refused=True)
    for name in ("/etc/passwd", "../../../../../../etc/passwd", "..", "a/b", ""):
        bench.attempt("stores from elsewhere", f"lists {name!r}", lambda n=name: _forge(bench, {"files": n}))
    for field, value in (("camera", "../../x"), ("date", "../.."), ("shard_id", "../x"), ("pipeline_digest", "..")):
        bench.attempt("stores from elsewhere", f"{field} {value!r}", lambda f=field, v=value: _forge(bench, {f: v}))
    bench.attempt("stores from elsewhere", "a time zone that is none", lambda: _forge(bench, {"zone": "Mars/X"}))


def _load(bench: Bench, name: str, text: str) -> str:
    file = bench.ground.scratch / f"settings-{name.replace(' ', '-')[:40]}.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    load_settings(None, file, {})
    return ""


def _plan(bench: Bench, changed: dict[str, Any]) -> str:
    composition = DrawnComposition(load_settings(None, None, {}, **changed))
    build_plan(composition, StoreLayout(bench.ground.scratch / "planned"), bench.ground.archive)
    return ""


def _locate(name: str) -> str:
    parts: dict[str, dict[str, str]] = {"detector": {}, "pose": {"head": name}, "encoder": {}, "judge": {}}
    settings = load_settings(None, None, {}, **{part: {"weights": name, **more} for part, more in parts.items()})
    return "it was found" if any(row.found for row in list_models(settings)[1:]) else ""


def _note(bench: Bench, layout: StoreLayout, name: str, text: str) -> str:
    file = bench.ground.scratch / "feedback.csv"
    file.write_text(text, encoding="utf-8")
    noted = note_remarks(layout, read_csv(file, "tester"), utc_now())
    return "" if noted.num_confirmed == 1 and name != "SQL as id" else "it was taken"


def _search(layout: StoreLayout, like: str) -> str:
    search_store(DrawnComposition(), layout, SearchRequest(text=TEXT, like=like, judged=1, limit=1))
    return ""


def _like(bench: Bench, name: str, content: bytes) -> str:
    file = bench.ground.scratch / f"like {name}.jpg"
    file.write_bytes(content)
    return _search(StoreLayout(bench.ground.store), str(file))


def _iter_pictures(bench: Bench) -> list[tuple[str, bytes]]:
    gif = b"GIF89a" + struct.pack("<HH", 60_000, 60_000) + b"\0" * 64
    return [
        ("a PNG of 30,000 by 30,000", _png(30_000, 30_000)),
        ("a PNG of nothing", _png(0, 0)),
        ("a pickle", pickle.dumps(Payload(bench.ground.scratch / MARKER))),
        ("a GIF of 60,000 by 60,000", gif),
        ("an EXR", b"v/1\x01" + b"\0" * 100),
        ("HTML", b"<html>" * 100),
    ]


def _png(width: int, height: int) -> bytes:
    """Writes a PNG of one gray: a few kilobytes that unpack to gigabytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    packer, row, body = zlib.compressobj(9), bytes(1 + width // 8 + 1), io.BytesIO()
    for _ in range(height // 100):
        body.write(packer.compress(row * 100))
    body.write(packer.flush())
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body.getvalue()) + chunk(b"IEND", b"")


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.marker}'",)


def _benchmark(bench: Bench, name: str, text: str) -> str:
    root = bench.ground.scratch / f"pab {name.replace('/', '')}"
    (root / "annotation" / "test").mkdir(parents=True)
    (root / "annotation" / "test" / "attr.json").write_text(text, encoding="utf-8")
    benchmark = read_benchmark("pab", root)
    read_picture(benchmark.images[0].path)
    return ""


def _forge(bench: Bench, changed: dict[str, str]) -> str:
    """Changes a manifest as somebody would who gives a store away, checksum included."""
    store = bench.ground.scratch / f"forged-{bench.ledger.tried.total()}"
    shutil.copytree(bench.ground.store, store)
    layout = StoreLayout(store)
    for path in layout.shards.rglob("manifest.json"):
        content = json.loads(path.read_text())
        content.pop("checksum")
        for name, value in changed.items():
            if name == "files":
                content["files"][value] = {"num_bytes": 1, "sha256": "0" * 64}
            elif name == "zone":
                content["videos"] = [{**video, "time_zone": value} for video in content["videos"]]
            else:
                content["key"][name] = value
        path.write_text(json.dumps({**content, "checksum": digest_json(content)}))
    report = verify_store(layout, deep=True)
    if "zone" in changed:
        found = search_store(DrawnComposition(), layout, SearchRequest(text=TEXT, judged=1, limit=1))
        return find_markup(Path(found.page_path).read_text(encoding="utf-8"))
    told = " ".join(report.problems)
    looked = any(f"{word}: " in told for word in ("passwd", "..", "b")) and "files" in changed and "lists" not in told
    return "a file outside was looked at" if looked else ("" if report.problems else "it counts as whole")
