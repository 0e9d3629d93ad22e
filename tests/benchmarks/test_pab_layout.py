"""Crop shards are written in PAB's layout, so that the reader of benchmarks reads them."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from anomalylmm.query.lexicon import Lexicon
from benchmarks.rendered.__main__ import main
from benchmarks.rendered.captions import agrees, facts_of, write_caption
from benchmarks.rendered.pab import build_row, write_pab
from flows.evaluate.benchmark.files import read_benchmark


def crop_row(number: int, behavior: str, twin: int | None = None, **more: Any) -> dict[str, Any]:
    """Builds a row as a shard holds it."""
    part = {"kind": "jacket", "color": "red"}
    return {
        "behavior": behavior,
        "person": "man",
        "upper": part,
        "lower": {"kind": "trousers", "color": "blue"},
        "shoes": {"kind": "boots", "color": "black"},
        "hat": None,
        "bag": None,
        "hair": "short",
        "place": "street",
        "night": False,
        "held_out": number == 1,
        "id": f"test-0000-{number:04d}",
        "twin": None if twin is None else f"test-0000-{twin:04d}",
        **more,
    }


ROWS = [crop_row(0, "walking", 1), crop_row(1, "falling", 0), crop_row(2, "standing", 3), crop_row(3, "lying", 2)]


def write_shard(crops: Path, rows: list[dict[str, Any]], number: int = 0) -> np.ndarray:
    """Writes a shard of smooth colored pictures."""
    folder = crops / f"test-{number:04d}"
    folder.mkdir(parents=True)
    images = np.full((len(rows), 160, 160, 3), 80, np.uint8)
    for place in range(len(rows)):
        images[place, 40:120, 40:120] = (200, 30 + 20 * place, 40)
    np.save(folder / "images.npy", images)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return images


def test_the_layout_is_read_back_with_pictures_twins_and_both_phrasings(tmp_path: Path) -> None:
    images = write_shard(tmp_path / "crops", ROWS)
    assert write_pab(tmp_path / "crops", tmp_path / "pab", "test") == 4
    benchmark = read_benchmark("rendered", tmp_path / "pab")
    assert [image.name for image in benchmark.images] == [f"test/{number}.jpg" for number in range(4)]
    assert [benchmark.twins_of(query) for query in benchmark.queries] == [{1}, {0}, {3}, {2}]
    assert [image.extra["held_out"] for image in benchmark.images] == [False, True, False, False]
    assert [image.extra.get("normal") for image in benchmark.images] == ["walking", None, "standing", None]
    assert [image.extra.get("anomaly") for image in benchmark.images] == [None, "falling", None, "lying"]
    for number, image in enumerate(images):
        read = cv2.imread(str(benchmark.images[number].path))
        assert read is not None
        assert np.abs(read[:, :, ::-1].astype(int) - image).mean() < 2  # RGB, not BGR
    unseen = read_benchmark("rendered", tmp_path / "pab", captions="captions_held_out")
    assert [query.text for query in unseen.queries] != [query.text for query in benchmark.queries]
    assert read_benchmark("pab", tmp_path / "pab").is_rendered


def test_several_shards_are_numbered_through(tmp_path: Path) -> None:
    write_shard(tmp_path / "crops", ROWS[:2])
    second = [
        {**row, "id": row["id"].replace("-0000-", "-0001-"), "twin": row["twin"].replace("-0000-", "-0001-")}
        for row in ROWS[:2]
    ]
    write_shard(tmp_path / "crops", second, 1)
    (tmp_path / "crops/test-0002").mkdir()  # a shard that is still being rendered
    assert main(["pab", "--crops", str(tmp_path / "crops"), "--out", str(tmp_path / "pab"), "--split", "test"]) == 0
    rows = [json.loads(line) for line in (tmp_path / "pab/annotation/test/attr.json").read_text().splitlines()]
    assert [(row["image_id"], row["twin"]) for row in rows] == [(0, 1), (1, 0), (2, 3), (3, 2)]
    assert len(list((tmp_path / "pab/test").glob("*.jpg"))) == 4


def test_captions_are_full_true_and_the_same_for_the_same_seed() -> None:
    numbers = {row["id"]: number for number, row in enumerate(ROWS)}
    row = build_row(ROWS[1], "test", numbers)
    assert row == build_row(ROWS[1], "test", numbers)
    assert row["caption"] != build_row(ROWS[1], "test", numbers, seed=8)["caption"]
    words = {slot.word for slot in Lexicon.load().find_words(row["caption"][0], ("action", "color"))}
    assert {"falling", "red", "blue"} <= words
    assert len(row["caption"][0].split()) > 15


def test_a_split_without_shards_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no complete shard of the validation split"):
        write_pab(tmp_path, tmp_path / "pab", "validation")


def test_a_full_caption_agrees_with_its_own_facts_only() -> None:
    from random import Random

    caption = write_caption(ROWS[0], Random(1), style="full")
    assert agrees(caption, facts_of(ROWS[0]))
    assert not agrees(caption, facts_of(ROWS[1]))
