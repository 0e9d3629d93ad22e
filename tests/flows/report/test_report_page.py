"""The report's table of slots: what the joints said, where they said something."""

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from anomalylmm.records import SlotVerdict
from flows.report.page import Card, Page, Section
from flows.report.page import render as render_template
from flows.sweep.page import build_page
from storage.disk.layout import StoreLayout
from storage.hits.rows import SweepContent
from storage.hits.writer import HitStore
from tests.storage.examples import make_hit, make_judgement, make_query, make_sweep

HEADING = "<th>joints</th>"
FALLING = SlotVerdict(
    word="falling", kind="action", answer="falling", match=1.0, probability=0.9, prior=0.2, saliency=0.8
)
RED = SlotVerdict(word="red", kind="color", answer="red", match=1.0, probability=0.9, prior=0.2, saliency=0.4)


def render(*cards: tuple[SlotVerdict, ...]) -> str:
    shown = tuple(
        Card(
            where="gate",
            when="noon",
            video="a.mp4",
            moment="0:00:01.0",
            pictures=(),
            judged=True,
            accepted=True,
            confidence=0.9,
            cosine=0.3,
            z_score=4.0,
            reason="It fits.",
            slots=slots,
        )
        for slots in cards
    )
    section = Section(title="fall", text="a man falls", cloze="a man ____", cards=shown)
    return render_template("report.html", page=Page(title="Hits", subtitle="", facts={}, sections=(section,)))


def test_what_the_joints_said_has_its_column_with_a_dash_where_they_are_silent() -> None:
    page = render((replace(FALLING, posture=0.934), RED))
    assert page.count(HEADING) == 1
    assert '<td class="number">0.93</td>' in page
    assert page.count('<td class="number">&ndash;</td>') == 1


def test_certainty_of_the_opposite_is_shown_as_a_number() -> None:
    page = render((replace(FALLING, posture=0.0),))
    assert '<td class="number">0.00</td>' in page
    assert "&ndash;" not in page


def test_there_is_no_column_where_no_slot_has_joints() -> None:
    page = render((FALLING, RED))
    assert HEADING not in page
    assert "&ndash;" not in page


def test_each_card_decides_on_its_own_column() -> None:
    page = render((FALLING,), (replace(FALLING, posture=0.5),), (RED,))
    assert page.count(HEADING) == 1


def test_words_and_answers_stay_escaped_beside_the_column() -> None:
    page = render((replace(FALLING, word="<b>", answer="<script>alert(1)</script>", posture=0.5),))
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.fixture
def layout(tmp_path: Path) -> StoreLayout:
    """A store with one published hit whose slot has the joints' opinion."""
    store = StoreLayout(tmp_path / "store")
    store.check_writable()
    judgement = make_judgement()
    verdict = replace(judgement.verdict, slots=(replace(FALLING, posture=0.93), RED))
    content = SweepContent(sweep=make_sweep(), hits=(make_hit(),), judgements=(replace(judgement, verdict=verdict),))
    with HitStore(store) as hits:
        hits.register_query(make_query())
        hits.record_sweep(content)
        hits.publish()
    return store


def test_the_page_of_a_sweep_reads_back_what_the_joints_said(layout: StoreLayout) -> None:
    page = build_page(layout)
    assert [slot.posture for slot in page.sections[0].cards[0].slots] == [pytest.approx(0.93), None]
    assert HEADING in render_template("report.html", page=page)


def test_a_snapshot_from_before_the_joints_is_still_shown(layout: StoreLayout) -> None:
    with duckdb.connect(str(layout.snapshot)) as connection:
        connection.execute("ALTER TABLE judgement_slots DROP COLUMN posture")
    page = build_page(layout)
    assert [slot.posture for slot in page.sections[0].cards[0].slots] == [None, None]
    assert HEADING not in render_template("report.html", page=page)
