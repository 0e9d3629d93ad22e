"""The frames of a moment below a result's picture."""

import numpy as np

from anomalylmm.records import Clip, SlotVerdict
from flows.index.units.cropping import read_jpeg
from flows.report.page import Card, Page, Section, render
from flows.report.pictures import SIDE_PX, draw_results
from flows.report.strips import draw_strip
from tests.anomalylmm.scripted import query_of
from tests.fakes import ColorEncoder
from tests.flows.report.crop_rows import row_of

FLAT = np.zeros((4, 4), np.float32)


def make_clip(count: int) -> Clip:
    return Clip(
        [np.full((50, 80, 3), 40 + 20 * n, np.uint8) for n in range(count)], [3.0 + n / 2 for n in range(count)]
    )


def test_frames_are_drawn_in_reading_order_with_black_where_there_is_none() -> None:
    strip = draw_strip(make_clip(6), np.stack([FLAT] * 6), 4.0, 640)
    assert strip.shape == (320, 640, 3)
    middles = [strip[top + 80, left + 120].mean() for top in (0, 160) for left in range(0, 640, 160)]
    assert middles[:6] == sorted(middles[:6])
    assert middles[0] < middles[5]
    assert middles[6:] == [0, 0]


def test_a_moment_makes_the_picture_taller_and_leaves_the_pair_as_it_is() -> None:
    rows = [row_of(160, 160, None)] * 2
    plain, taller = (
        read_jpeg(jpeg) for jpeg in draw_results(ColorEncoder(), query_of("a man"), rows, [None, make_clip(3)])
    )
    assert plain.shape[:2] == (SIDE_PX, 2 * SIDE_PX)
    assert taller.shape[:2] == (SIDE_PX + 160, 2 * SIDE_PX)
    assert np.abs(taller[: SIDE_PX - 16].astype(int) - plain[: SIDE_PX - 16]).mean() < 2


def test_the_page_lists_what_each_frame_shows_and_what_was_shown() -> None:
    slot = SlotVerdict(
        word="falling",
        kind="action",
        answer="falling",
        match=0.9,
        probability=0.9,
        prior=0.1,
        saliency=0.5,
        frames=("standing 0.90", "<b>lying</b> 0.80"),
    )
    card = Card(
        where="gate",
        when="",
        video="",
        moment="",
        pictures=(),
        judged=True,
        accepted=True,
        confidence=0.9,
        cosine=0.3,
        z_score=3.0,
        reason="",
        slots=(slot,),
        evidence="stored crops: the archive <x> can't be reached",
        description="A man <i>lies</i> there.",
    )
    section = Section(title="fall", text="", cloze="", cards=(card,))
    text = render("report.html", page=Page(title="", subtitle="", facts={}, sections=(section,)))
    assert "falling, frame by frame: standing 0.90 &rarr; &lt;b&gt;lying&lt;/b&gt; 0.80" in text
    assert "judged by stored crops: the archive &lt;x&gt; can" in text
    assert "<q>A man &lt;i&gt;lies&lt;/i&gt; there.</q>" in text
