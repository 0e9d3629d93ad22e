"""How quick the review desk's pages are with many hits: `python -m benchmarks.desk [HITS]`.

With Chromium on this computer, also when its first page shows the first picture.
"""

import shutil
import socket
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import uvicorn
from playwright.sync_api import Browser, sync_playwright
from starlette.testclient import TestClient

from anomalylmm.records import Cloze, Query
from flows.composition import Composition
from flows.desk.app import create_app
from flows.desk.desk import Desk
from flows.desk.serving import DeskOptions, open_desk
from flows.settings.model import load_settings
from storage.disk.layout import StoreLayout
from storage.hits.rows import HitRecord, IncidentRecord, SweepContent, SweepRecord
from storage.hits.writer import HitStore

NUM_CAMERAS, NUM_QUERIES, ROUNDS = 40, 12, 7
START = datetime(2026, 1, 1, tzinfo=UTC)
PICTURE = "pictures/same.jpg"
PAGES = {
    "first page": "/incidents",
    "filtered by query, camera, state, hours": "/incidents?query=q3&camera=c07&state=new&first_hour=22&last_hour=5",
    "most confident first": "/incidents?order=confident",
    "next 60 cards": "/incidents?part=cards&after=2026-02-01T00:00:00~x",
    "counts after a decision": "/incidents?part=facets",
}


def fill_store(layout: StoreLayout, number: int) -> None:
    """Publishes hits of many cameras over 90 days, each an incident of its own, all with the same picture."""
    layout.create()
    image = np.random.default_rng(0).integers(0, 255, (40, 80, 3), np.uint8)
    path = layout.reports / PICTURE
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.resize(image, (640, 320)))
    random = np.random.default_rng(1)
    moments, confidences = np.sort(random.random(number) * 90 * 86_400), random.random(number) * 0.4 + 0.6
    hits = [_hit(place, float(moments[place]), float(confidences[place])) for place in range(number)]
    with HitStore(layout) as store:
        for query in range(NUM_QUERIES):
            cloze = Cloze(text=f"a person walking {query}", slots=(), masked=f"a person walking {query}")
            store.register_query(Query(name=f"q{query}", text=cloze.text, cloze=cloze, version=f"v{query}"))
        store.record_sweep(SweepContent(sweep=_sweep(number), hits=tuple(hits), incidents=tuple(map(_incident, hits))))
        store.publish()


def _hit(place: int, second: float, confidence: float) -> HitRecord:
    moment, query = START + timedelta(seconds=second), place % NUM_QUERIES
    camera = f"c{place * 7 % NUM_CAMERAS:02d}"
    return HitRecord(
        query_version=f"v{query}",
        query_name=f"q{query}",
        sweep_id="s",
        pipeline="p",
        tracklet_id=f"t{place}",
        crop_id=f"crop{place}",
        video_id=f"video{place // 20}",
        video_path=f"{camera}/{moment:%Y-%m-%d/%H}.mp4",
        camera=camera,
        shard_id=f"shard{place // 500}",
        start_seconds=0.0,
        stop_seconds=4.0,
        best_seconds=2.0,
        start_utc=moment,
        stop_utc=moment + timedelta(seconds=4),
        best_utc=moment + timedelta(seconds=2),
        clock_source="path_pattern",
        time_zone="Europe/Berlin",
        box_xyxy_px=(1.0, 2.0, 30.0, 60.0),
        rank=0,
        cosine=0.3,
        z_score=4.0,
        score=0.8,
        confidence=confidence,
        affirm=0.7,
        reason="saw walking (0.90); asked for walking",
        judge_id="judge",
        picture_path=PICTURE,
        created_utc=START,
    )


def _incident(hit: HitRecord) -> IncidentRecord:
    return IncidentRecord(
        incident_id=hit.hit_id[:24],
        sweep_id="s",
        query_version=hit.query_version,
        query_name=hit.query_name,
        camera=hit.camera,
        start_utc=hit.start_utc,
        stop_utc=hit.stop_utc,
        hit_ids=(hit.hit_id,),
        best_hit_id=hit.hit_id,
    )


def _sweep(number: int) -> SweepRecord:
    counts = dict.fromkeys(("num_queries", "num_shards", "num_candidates", "num_judged", "num_calls", "num_cached"), 1)
    return SweepRecord(
        sweep_id="s",
        started_utc=START,
        finished_utc=START,
        pipeline="p",
        judge_id="judge",
        profile="pocket",
        status="Completed",
        num_hits=number,
        seconds=1.0,
        **counts,
    )


def main() -> None:
    """Fills a store, opens a desk on it and prints milliseconds and bytes of its pages."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    folder = Path(tempfile.mkdtemp())
    try:
        layout = StoreLayout(folder / "store")
        fill_store(layout, number)
        began = time.monotonic()
        with open_desk(Composition(load_settings("pocket", None)), layout, DeskOptions()) as desk:
            print(f"{number:,} hits; opening the desk: {time.monotonic() - began:.2f} s")
            client = TestClient(create_app(desk), base_url="http://127.0.0.1")
            for name, address in PAGES.items():
                _measure(client, name, address)
            if chromium := shutil.which("chromium"):
                _measure_pictures(desk, chromium)
    finally:
        shutil.rmtree(folder)


def _measure(client: TestClient, name: str, address: str) -> None:
    wall, cpu = [], []
    for _ in range(ROUNDS):
        began, began_cpu = time.perf_counter(), time.process_time()
        answer = client.get(address)
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - began_cpu)
    answer.raise_for_status()
    middle = [sorted(values)[ROUNDS // 2] * 1000 for values in (wall, cpu)]
    print(f"{name}: {middle[0]:.0f} ms, {middle[1]:.0f} ms of CPU, {len(answer.content):,} bytes")


def _measure_pictures(desk: Desk, chromium: str) -> None:
    """Prints when a new browser tab shows its first picture, from the request on."""
    with socket.create_server(("127.0.0.1", 0)) as listener, sync_playwright() as playwright:
        server = uvicorn.Server(uvicorn.Config(create_app(desk), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name in ("first page", "most confident first"):
            found = [_wait_for_picture(browser, listener.getsockname()[1], PAGES[name]) for _ in range(ROUNDS)]
            print(f"{name}, first picture in Chromium: {sorted(found)[ROUNDS // 2]:.0f} ms")
        browser.close()
        server.should_exit = True
        thread.join()


def _wait_for_picture(browser: Browser, port: int, address: str) -> float:
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{port}{address}", wait_until="commit")
    seen = page.wait_for_function(
        "() => { const image = document.querySelector('.card img');"
        " return image && image.complete && image.naturalWidth ? performance.now() : 0; }"
    )
    milliseconds = float(seen.json_value())
    page.close()
    return milliseconds


if __name__ == "__main__":
    main()
