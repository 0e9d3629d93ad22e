"""What a file promises against what its decoder gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalylmm.models.video.reading.ledger import Ledger

SECONDS = 0.25  # of a frame; one tick is a frame


def fill(shown: list[int], promised: list[int], broken: frozenset[int] = frozenset()) -> Ledger:
    """Promises some frames, then shows some of them."""
    ledger = Ledger()
    for pts in promised:
        ledger.promise(pts, SECONDS)
    for pts in shown:
        ledger.show(pts, pts * SECONDS, SECONDS, is_whole=pts not in broken)
    return ledger


@given(st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)), st.randoms())
def test_each_promised_frame_is_shown_or_lost(lost: set[int], broken: set[int], random: object) -> None:
    shown = [pts for pts in range(41) if pts not in lost]
    order = list(range(41))
    random.shuffle(order)  # type: ignore[attr-defined]
    ledger = fill(shown, order, frozenset(broken))
    decoded = ledger.covered_seconds - ledger.lost_seconds(is_damaged=False)
    assert decoded == pytest.approx(SECONDS * len(set(shown) - broken))
    assert ledger.promised_seconds == pytest.approx(SECONDS * 41)


def test_a_time_without_packets_is_a_pause_unless_the_file_is_damaged() -> None:
    ledger = fill([0, 1, 2, 12, 13], [0, 1, 2, 12, 13])
    assert ledger.lost_seconds(is_damaged=False) == 0
    assert ledger.lost_seconds(is_damaged=True) == 9 * SECONDS


def test_two_packets_of_one_frame_promise_only_one() -> None:
    ledger = Ledger()
    for pts in range(20):  # two fields a frame, each in its own packet
        ledger.promise(pts, SECONDS / 2)
    for pts in range(0, 20, 2):
        ledger.show(pts, pts * SECONDS / 2, SECONDS)
    assert ledger.lost_seconds(is_damaged=True) == 0


def test_a_still_span_left_out_is_covered_if_its_key_frame_is() -> None:
    for key_is_shown in (True, False):
        ledger = Ledger()
        for pts in (0, 8, 16):
            ledger.promise(pts, SECONDS)
        ledger.leave_out(8, 8 * SECONDS)
        for pts in (0, 8, 16) if key_is_shown else (0, 16):
            ledger.show(pts, pts * SECONDS, SECONDS)
        lost = ledger.lost_seconds(is_damaged=True)
        assert lost == (7 * SECONDS if key_is_shown else 15 * SECONDS)


def test_a_frame_passed_over_because_of_its_time_is_not_lost() -> None:
    ledger = fill([0, 1], [0, 1, 2, 3])
    ledger.show(2, None, SECONDS)
    ledger.show(3, 2 * SECONDS, SECONDS)
    assert ledger.lost_seconds(is_damaged=True) == 0
