from datetime import timedelta

from storage.disk.layout import StoreLayout
from storage.shards.quarantine import clear_quarantine, read_quarantine, record_quarantine
from tests.storage.examples import NOON, PIPELINE, make_entry


def test_tries_add_up_and_the_first_time_stays(layout: StoreLayout) -> None:
    record_quarantine(layout, make_entry())
    later = NOON + timedelta(days=1)
    record_quarantine(layout, make_entry(first_utc=later, last_utc=later, reason="other"))
    (entry,) = read_quarantine(layout, PIPELINE)
    assert (entry.tries, entry.first_utc, entry.last_utc, entry.reason) == (2, NOON, later, "other")
    assert entry.path == "gate/\udcff\n.mp4"


def test_pipelines_have_their_own_quarantine(layout: StoreLayout) -> None:
    record_quarantine(layout, make_entry())
    record_quarantine(layout, make_entry(pipeline_digest="p2"))
    assert len(read_quarantine(layout)) == 2
    clear_quarantine(layout, "p2", "v1")
    clear_quarantine(layout, "p2", "v1")
    assert [entry.pipeline_digest for entry in read_quarantine(layout)] == [PIPELINE]


def test_a_damaged_entry_is_left_out_and_replaced(layout: StoreLayout) -> None:
    record_quarantine(layout, make_entry())
    next(layout.quarantine.glob("*/*.json")).write_text("{")
    assert read_quarantine(layout) == ()
    assert record_quarantine(layout, make_entry()).tries == 1


def test_a_video_is_tried_again_on_request_until_its_tries_are_used_up() -> None:
    fresh, tried = make_entry(tries=2, modified_ns=5), make_entry(tries=3, modified_ns=5)
    assert not fresh.is_due(5, retry=False, max_tries=3)
    assert fresh.is_due(5, retry=True, max_tries=3)
    assert not tried.is_due(5, retry=True, max_tries=3)


def test_a_changed_file_is_tried_at_once_and_its_tries_are_reset(layout: StoreLayout) -> None:
    record_quarantine(layout, make_entry(tries=3, modified_ns=5))
    assert make_entry(tries=3, modified_ns=5).is_due(6, retry=False, max_tries=3)
    assert record_quarantine(layout, make_entry(modified_ns=6)).tries == 1
    assert record_quarantine(layout, make_entry(modified_ns=6)).tries == 2


def test_a_missing_file_or_unknown_time_does_not_count_as_a_change() -> None:
    assert not make_entry(modified_ns=5).is_due(None, retry=False, max_tries=3)
    assert not make_entry().is_due(6, retry=False, max_tries=3)
