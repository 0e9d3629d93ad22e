"""Benchmarks are read in every layout that their users have; what is wrong is named by file and line."""

import json
from pathlib import Path

import pytest

from anomalylmm.errors import AnomalyLMMError, ArchiveError, ConfigurationError
from flows.evaluate.benchmark.files import read_benchmark
from flows.evaluate.benchmark.records import Benchmark
from tests.flows.evaluate.benchmark_copies import TEXTS, paint, rows_of, write_challenge, write_copy, write_lines


def truth(benchmark: Benchmark) -> list[tuple[str, tuple[int, ...]]]:
    return [(query.text, query.positives) for query in benchmark.queries]


EXPECTED = [(text, (number,)) for number, text in enumerate(TEXTS)]


@pytest.mark.parametrize("name", ["pab", "rendered"])
def test_json_lines_named_json_give_one_query_a_row(tmp_path: Path, name: str) -> None:
    write_copy(tmp_path)
    benchmark = read_benchmark(name, tmp_path)  # type: ignore[arg-type]
    assert truth(benchmark) == EXPECTED
    assert [image.name for image in benchmark.images] == [f"test/{number}.jpg" for number in range(5)]
    assert benchmark.has_truth
    assert benchmark.is_rendered == (name == "rendered")


def test_every_layout_of_the_annotation_reads_the_same(tmp_path: Path) -> None:
    file = write_copy(tmp_path)
    rows = rows_of()
    strings = [{**row, "image_id": str(row["image_id"]), "caption": [row["caption"]]} for row in rows]
    mixed = [strings[number] if number % 2 else row for number, row in enumerate(rows)]
    layouts = {
        "whole-file list": json.dumps(rows),
        "list over lines": json.dumps(rows, indent=2),
        "blank lines": "\n\n".join(json.dumps(row) for row in rows) + "\n\n",
        "no last line break": "\n".join(json.dumps(row) for row in rows),
        "windows": "﻿" + "\r\n".join(json.dumps(row) for row in rows),
        "strings and lists": "\n".join(json.dumps(row) for row in strings),
        "mixed": json.dumps(mixed),
        "unknown keys": json.dumps([{**row, "scene": "Lawn", "anomaly": "Falling", "new": 1} for row in rows]),
    }
    for layout, text in layouts.items():
        file.write_text(text, encoding="utf-8")
        benchmark = read_benchmark("pab", tmp_path)
        assert truth(benchmark) == EXPECTED, layout
        assert [image.image_id for image in benchmark.images] == list("01234"), layout


def test_the_older_pair_json_is_read_where_there_is_no_attr_json(tmp_path: Path) -> None:
    file = write_copy(tmp_path)
    file.rename(file.with_name("pair.json"))
    assert truth(read_benchmark("pab", tmp_path)) == EXPECTED


def test_numbered_files_of_a_training_part_are_read_in_their_order(tmp_path: Path) -> None:
    write_copy(tmp_path).unlink()
    rows = rows_of()
    for number, part in ((10, rows[4:]), (2, rows[2:4]), (0, rows[:2])):
        write_lines(tmp_path / f"annotation/train/attr_{number}.json", part)
    assert truth(read_benchmark("pab", tmp_path, split="train")) == EXPECTED


@pytest.mark.parametrize(("written", "on_disk"), [("wentrong", "wentwrong"), ("wentwrong", "wentrong")])
def test_both_spellings_of_what_went_wrong_find_the_pictures(tmp_path: Path, written: str, on_disk: str) -> None:
    rows = rows_of()[:1]
    rows[0]["image"] = f"train/imgs_0/{written}/0.jpg"
    write_lines(tmp_path / "annotation/train/attr_0.json", rows)
    paint(tmp_path / f"train/imgs_0/{on_disk}/0.jpg", "red", 0)
    benchmark = read_benchmark("pab", tmp_path, split="train")
    assert benchmark.images[0].path == tmp_path / f"train/imgs_0/{on_disk}/0.jpg"


def test_several_captions_of_a_row_are_several_queries_for_its_picture(tmp_path: Path) -> None:
    rows = rows_of()
    rows[1]["caption"] = ["a woman runs", "a lady is running"]
    write_copy(tmp_path, rows)
    benchmark = read_benchmark("pab", tmp_path)
    assert truth(benchmark)[1:3] == [("a woman runs", (1,)), ("a lady is running", (1,))]
    assert len(benchmark.queries) == 6


def test_other_keys_are_kept_and_another_key_can_hold_the_sentences(tmp_path: Path) -> None:
    rows = rows_of(
        twin=[3, "4", None, 0, 1],
        held_out=[True, False, False, True, False],
        captions_held_out=[[f"somebody walks {number}"] for number in range(5)],
    )
    write_copy(tmp_path, rows)
    benchmark = read_benchmark("rendered", tmp_path, captions="captions_held_out")
    assert [query.text for query in benchmark.queries] == [f"somebody walks {number}" for number in range(5)]
    assert [benchmark.twins_of(query) for query in benchmark.queries] == [{3}, {4}, set(), {0}, {1}]
    assert [image.extra["held_out"] for image in benchmark.images] == [True, False, False, True, False]


def test_ucc_has_several_positives_a_query_by_equal_ids(tmp_path: Path) -> None:
    rows = rows_of()
    for row, image_id in zip(rows, (7, 8, 9, "7", 8), strict=True):
        row["image_id"] = image_id
    file = write_copy(tmp_path, rows)
    file.rename(file.with_name("ucc.json"))
    benchmark = read_benchmark("ucc", tmp_path)
    assert [query.positives for query in benchmark.queries] == [(0, 3), (1, 4), (2,), (0, 3), (1, 4)]


CHALLENGE_TEXTS = {
    "dict": json.dumps({"q1": "a man runs", "q3": "a woman falls"}),
    "dict over lines": json.dumps({"q1": "a man runs", "q3": ["a woman falls"]}, indent=1),
    "dict of objects": json.dumps({"q1": {"caption": "a man runs"}, "q3": {"caption": "a woman falls"}}),
    "list": json.dumps(["a woman falls", "a man runs"]),
    "list of objects": json.dumps(
        [{"query_index": "q1", "caption": "a man runs"}, {"query_index": "q3", "caption": "a woman falls"}]
    ),
    "lines": '{"query_index": "q1", "caption": "a man runs", "change": 0}\n'
    '{"query_index": "q3", "caption": ["a woman falls"], "change": 1}\n',
    "lines of strings": '"a woman falls"\n"a man runs"\n',
    "plain lines": "a woman falls\na man runs\n",
}


@pytest.mark.parametrize("layout", CHALLENGE_TEXTS)
def test_the_challenge_reads_its_texts_as_dict_list_or_lines(tmp_path: Path, layout: str) -> None:
    write_challenge(tmp_path, CHALLENGE_TEXTS[layout])
    benchmark = read_benchmark("pab-2026", tmp_path)
    assert [(query.query_id, query.text) for query in benchmark.queries] == [
        ("q3", "a woman falls"),
        ("q1", "a man runs"),
    ]
    assert not benchmark.has_truth
    assert [image.image_id for image in benchmark.images] == ["g0", "g1", "g2", "g3", "g4"]


def test_the_challenge_reads_numbers_as_ids_and_the_truth_of_whoever_has_it(tmp_path: Path) -> None:
    write_challenge(tmp_path, '[{"query_index": 7, "caption": "a man runs"}]', index=["7"])
    (tmp_path / "ground_truth.txt").write_text("g3.jpg g1\n")
    benchmark = read_benchmark("pab-2026", tmp_path)
    assert benchmark.queries[0].positives == (3, 1)


@pytest.mark.parametrize(
    ("texts", "index", "named"),
    [
        ('["a man runs"]', ("q1", "q2"), "has 1 texts without ids"),
        ('{"q1": "a man runs"}', ("q1", "q2"), "query_index.txt, line 2: query 'q2' has no text"),
        ('{"q1": "a man runs"}', ("q1", "q1"), "query_index.txt, line 2: query 'q1' is already on line 1"),
        ('{"q1": "a man runs",\n "q2": 5}', ("q1",), "query_text.json, key 'q2': caption: expected a"),
        ('{"query_index": "q1", "caption": "a man"}\n{"query_index": "q2"}\n', ("q1",), "query_text.json, line 2"),
        ('{"query_index": "q1", "caption": "a man"}\n{"query_index": }\n', ("q1",), "line 2: not JSON"),
        ('{"query_index": "q1", "caption": "a man"}\n{"caption": "b"}\n', ("q1",), "line 2: expected one of the keys"),
        ("", ("q1",), "query_text.json is empty"),
    ],
)
def test_a_wrong_text_of_the_challenge_is_named(tmp_path: Path, texts: str, index: tuple[str, ...], named: str) -> None:
    write_challenge(tmp_path, texts, index)
    with pytest.raises(ConfigurationError) as caught:
        read_benchmark("pab-2026", tmp_path)
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ('{"image": "test/2.jpg", "image_id": 2', "line 3: not JSON"),
        ('["test/2.jpg", 2, "a man"]', "line 3: expected an object"),
        ('{"image_id": 2, "caption": "a man"}', "line 3: image: expected a path"),
        ('{"image": 2, "image_id": 2, "caption": "a man"}', "line 3: image: expected a path"),
        ('{"image": "../../secret.jpg", "image_id": 2, "caption": "a man"}', "line 3: image: expected a path inside"),
        ('{"image": "test/2.jpg", "caption": "a man"}', "line 3: image_id: expected a number or a string"),
        ('{"image": "test/2.jpg", "image_id": 2.5, "caption": "a man"}', "line 3: image_id: expected a number"),
        ('{"image": "test/2.jpg", "image_id": true, "caption": "a man"}', "line 3: image_id: expected a number"),
        ('{"image": "test/2.jpg", "image_id": "1", "caption": "a man"}', "line 3: image_id '1' is already used"),
        ('{"image": "test/2.jpg", "image_id": 2}', "line 3: caption: expected a sentence"),
        ('{"image": "test/2.jpg", "image_id": 2, "caption": []}', "line 3: caption: expected a sentence"),
        ('{"image": "test/2.jpg", "image_id": 2, "caption": ["a man", 3]}', "line 3: caption: expected a sentence"),
        ('{"image": "test/2.jpg", "image_id": 2, "caption": "  "}', "line 3: caption: the query"),
        ('{"image": "test/2.jpg", "image_id": 2, "caption": "a [MASK]"}', "line 3: caption: the query"),
        ('{"image": "test/2.jpg", "image_id": 2, "caption": "a man", "twin": 99}', "line 3: twin: expected the"),
        ('{"image": "test/2.jpg", "image_id": 2, "caption": "a man", "twin": [1]}', "line 3: twin: expected a number"),
    ],
)
@pytest.mark.parametrize("layout", ["lines", "list"])
def test_a_broken_row_is_named_by_file_and_line(tmp_path: Path, layout: str, broken: str, named: str) -> None:
    file = write_copy(tmp_path)
    rows = [json.dumps(row) for row in rows_of()]
    rows[2] = broken
    file.write_text("\n".join(rows) if layout == "lines" else "[" + ",\n".join(rows) + "]")
    if layout == "list" and "not JSON" in named:
        named = "not JSON"  # and the line where it was noticed
    with pytest.raises(ConfigurationError) as caught:
        read_benchmark("pab", tmp_path)
    assert str(caught.value).startswith(f"{file}, ")
    assert (named if layout == "lines" else named.replace("line", "row")) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "is empty"),
        (b'{"image": "a"}\n\xff\xfe\n', "line 2: not UTF-8"),
        (b'[{"image": "a"} {"image": "b"}]', "line 1: not JSON"),
        (b'[{"image": "test/0.jpg", "image_id": 1, "caption": "a"}]\n[1]', "line 2: not JSON"),
        (b'[\n{"image": "a"},\n', "line"),
        (b"[" + b", ".join([b'{"image": "test/0.jpg", "image_id": 1, "caption": "a"}'] * 2) + b"]", "is already used"),
    ],
)
def test_a_file_that_is_no_rows_is_named_by_line(tmp_path: Path, content: bytes, named: str) -> None:
    file = write_copy(tmp_path)
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        read_benchmark("pab", tmp_path)
    assert str(file) in str(caught.value)
    assert named in str(caught.value)


def test_missing_pictures_are_named_with_their_rows_and_counted(tmp_path: Path) -> None:
    write_copy(tmp_path)
    (tmp_path / "test/1.jpg").unlink()
    (tmp_path / "test/4.jpg").unlink()
    with pytest.raises(ArchiveError) as caught:
        read_benchmark("pab", tmp_path)
    assert "2 of 5 pictures are missing" in str(caught.value)
    assert "test/1.jpg (of " in str(caught.value)
    assert "attr.json, line 2)" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "missing", "named"),
    [
        ("pab", "annotation/test/attr.json", "annotation/test/pair.json"),
        ("ucc", "annotation/test/attr.json", "annotation/test/ucc.json is missing"),
        ("pab-2026", "query_index.txt", "query_index.txt"),
        ("pab-2026", "query_text.json", "query_text.json"),
        ("pab-2026", "gallery", "unpack gallery.zip"),
    ],
)
def test_missing_files_are_named(tmp_path: Path, name: str, missing: str, named: str) -> None:
    write_copy(tmp_path)
    write_challenge(tmp_path, '["a man runs", "a man falls"]')
    (tmp_path / missing).rename(tmp_path / "elsewhere")
    with pytest.raises(ArchiveError) as caught:
        read_benchmark(name, tmp_path)  # type: ignore[arg-type]
    assert named in str(caught.value)


def test_a_missing_root_and_an_empty_gallery_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="--root"):
        read_benchmark("pab", tmp_path / "missing")
    write_challenge(tmp_path, '["a man runs", "a man falls"]')
    for picture in (tmp_path / "gallery").iterdir():
        picture.unlink()
    with pytest.raises(AnomalyLMMError, match="contains no pictures"):
        read_benchmark("pab-2026", tmp_path)


def test_a_limit_draws_the_same_queries_each_time_and_leaves_the_gallery_whole(tmp_path: Path) -> None:
    write_copy(tmp_path)
    benchmark = read_benchmark("pab", tmp_path, limit=2)
    assert truth(benchmark) == truth(read_benchmark("pab", tmp_path, limit=2))
    assert set(truth(benchmark)) < set(EXPECTED)
    assert len(benchmark.queries) == 2
    assert len(benchmark.images) == 5
    assert len(read_benchmark("pab", tmp_path, limit=50).queries) == 5
    with pytest.raises(ConfigurationError, match="at least 1"):
        read_benchmark("pab", tmp_path, limit=0)
