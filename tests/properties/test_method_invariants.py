from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalylmm.errors import QueryError
from anomalylmm.footage.crops import context_box, cut
from anomalylmm.footage.sampling import Sampler
from anomalylmm.measure.incidents import HitInterval, group_incidents
from anomalylmm.query.coarse import best_tracklets
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.query.masking import BLANK, mask_query, paraphrases
from anomalylmm.records import UNKNOWN
from anomalylmm.rerank.prompts import parse_cloze
from anomalylmm.rerank.saliency import focus_box, slot_saliency
from anomalylmm.rerank.score import order_scored, put_in_places

LEXICON = Lexicon.load()
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
QUERY_WORDS = st.sampled_from(
    [
        "a",
        "man",
        "red",
        "navy",
        "blue",
        "jacket",
        "fell",
        "down",
        "on",
        "the",
        "ground",
        "phone",
        "İ",
        "ß",
        "ré́d",
        "lying,",
        "hit",
        "by",
        "car",
        "\n",
        "падает",
        "running-shoes",
        "(kicks)",
        "fall_down",
        "K",
        "ﬁghting",
    ]
)
QUERIES = st.one_of(st.text(max_size=80), st.lists(QUERY_WORDS, max_size=20).map(" ".join))
corner = st.floats(0, 1)


@given(
    st.tuples(corner, corner, corner, corner), st.integers(1, 400), st.integers(1, 400), st.floats(0, 3), st.booleans()
)
def test_a_context_box_is_inside_the_frame_and_holds_the_box(corners, width, height, margin, square):
    x, y, w, h = corners
    x0, y0 = x * (width - 0.5), y * (height - 0.5)
    box = (x0, y0, x0 + 0.25 + w * (width - x0), y0 + 0.25 + h * (height - y0))
    left, top, right, bottom = context_box(box, width, height, margin=margin, square=square)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert left <= box[0] + 1
    assert right >= min(box[2], width) - 1
    assert top <= box[1] + 1
    assert bottom >= min(box[3], height) - 1
    if square and right - left < width and bottom - top < height:
        assert right - left == bottom - top
    assert cut(np.zeros((height, width, 3), np.uint8), (left, top, right, bottom)).shape == (
        bottom - top,
        right - left,
        3,
    )


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=12))
def test_reordering_permutes_what_has_a_score_and_leaves_the_rest(scores):
    items = list(range(len(scores)))
    result = put_in_places(items, order_scored(scores))
    assert sorted(result) == items
    assert all(result[place] == place for place in items if scores[place] is None)
    judged = [scores[item] for item in result if scores[item] is not None]
    assert judged == sorted(judged, reverse=True)


@given(st.lists(st.floats(-5, 500, allow_nan=False), max_size=60), st.floats(0.1, 30))
def test_sampled_times_increase_and_are_no_more_than_the_rate_allows(times, rate):
    sampler = Sampler(rate)
    wanted = [pts for pts in times if sampler.wants(pts)]
    assert all(before < after for before, after in pairwise(wanted))
    if wanted:
        assert len(wanted) <= (wanted[-1] - wanted[0]) * rate + 1.001


@given(QUERIES)
def test_a_masked_text_with_its_words_put_back_is_the_text(text):
    try:
        cloze = mask_query(text, LEXICON, kinds=("action", "color", "garment", "object", "person", "place"))
    except QueryError:
        return
    parts = cloze.masked.split(BLANK)
    assert len(parts) == len(cloze.slots) + 1
    words = [text[slot.start : slot.stop] for slot in cloze.slots]
    assert "".join(part + word for part, word in zip(parts, [*words, ""], strict=True)) == text
    assert all(word == word.strip() and word for word in words)
    assert len(paraphrases(cloze, LEXICON)) <= 4


@given(st.one_of(st.text(max_size=300), st.text(alphabet="red, \n;[]<>1.UNKNOWN", max_size=60)), st.integers(0, 5))
def test_any_answer_is_read_as_one_word_a_slot(answer, num_slots):
    parsed = parse_cloze(answer, num_slots)
    assert len(parsed.words) == num_slots
    assert all(word == UNKNOWN or (word.isascii() and len(word) <= 30) for word in parsed.words)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 300), st.integers(0, 60)), max_size=20), st.integers(0, 60))
def test_incidents_partition_the_hits(rows, gap):
    hits = [
        HitInterval(
            hit_id=str(index),
            query="q",
            camera=str(camera),
            start_utc=NOON + timedelta(seconds=start),
            stop_utc=NOON + timedelta(seconds=start + length),
            confidence=0.5,
        )
        for index, (camera, start, length) in enumerate(rows)
    ]
    incidents = group_incidents(hits, gap)
    assert sorted(name for item in incidents for name in item.hit_ids) == sorted(hit.hit_id for hit in hits)
    assert len({item.incident_id for item in incidents}) == len(incidents)
    for one in incidents:
        for other in incidents:
            if one.camera == other.camera and one.start_utc < other.start_utc:
                assert (other.start_utc - one.stop_utc).total_seconds() > gap


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.floats(-1, 1)), max_size=30), st.integers(0, 6))
def test_best_tracklets_equal_a_slow_reference(rows, top_n):
    scores = np.array([score for _, score in rows])
    best = best_tracklets(scores, [name for name, _ in rows], mean=0.0, std=0.5, floor_z=0.0, top_n=top_n)
    pooled = {name: max(score for other, score in rows if other == name) for name, _ in rows}
    slow = sorted((-score, name) for name, score in pooled.items() if score >= 0)[:top_n]
    assert [(item.tracklet_id, item.cosine) for item in best] == [(name, -score) for score, name in slow]


@given(st.lists(st.floats(0, 1), min_size=12, max_size=12), st.integers(1, 300), st.integers(1, 300), st.floats(0, 1))
def test_a_focus_box_is_inside_the_image(values, width, height, share):
    patch_map = np.array(values, dtype=np.float32).reshape(3, 4)
    left, top, right, bottom = focus_box(patch_map, width, height, share)
    assert 0 <= left < right <= width + 1e-6
    assert 0 <= top < bottom <= height + 1e-6


@given(st.lists(st.floats(-20, 0), min_size=5, max_size=5), st.lists(st.floats(-20, 0), min_size=5, max_size=5))
@settings(max_examples=50)
def test_saliency_is_between_0_and_1(seen, blind):
    posterior, prior = (np.exp(row) / np.exp(row).sum() for row in (seen, blind))
    assert 0 <= slot_saliency(posterior, prior) <= 1
