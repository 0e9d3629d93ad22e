"""Answers of the judge, stored at once or together."""

from pathlib import Path

import pytest

from flows.sweep.judging_cache import StoredCache
from storage.disk.layout import StoreLayout
from storage.hits.writer import HitStore


@pytest.fixture
def layout(tmp_path: Path) -> StoreLayout:
    return StoreLayout(tmp_path / "store")


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The keys of each commit."""
    kept: list[list[str]] = []
    real = HitStore.cache_judgements

    def note(hits: HitStore, payloads: dict[str, str], shard_ids: tuple[str, ...]) -> None:
        kept.append(list(payloads))
        real(hits, payloads, shard_ids)

    monkeypatch.setattr(HitStore, "cache_judgements", note)
    return kept


def test_answers_are_stored_at_once_unless_they_may_wait(layout: StoreLayout, commits: list[list[str]]) -> None:
    with HitStore(layout) as hits:
        cache = StoredCache(hits)
        cache.put_many({"a": {"answer": "red"}})
        cache.put_many({"b": {}})
        assert commits == [["a"], ["b"]]
        assert cache.get_many(["b", "a", "c"]) == {"a": {"answer": "red"}, "b": {}}


def test_waiting_answers_are_known_and_stored_together_at_the_end(
    layout: StoreLayout, commits: list[list[str]]
) -> None:
    with HitStore(layout) as hits:
        with StoredCache(hits, wait_seconds=1000) as cache:
            cache.put_many({"a": {"answer": "red"}})
            cache.put_many({"b": {}})
            assert commits == []
            assert cache.get_many(["a", "c"]) == {"a": {"answer": "red"}}
        assert commits == [["a", "b"]]
        assert StoredCache(hits).get_many(["a", "b"]) == {"a": {"answer": "red"}, "b": {}}


def test_waiting_answers_are_stored_after_some_seconds(layout: StoreLayout, commits: list[list[str]]) -> None:
    with HitStore(layout) as hits, StoredCache(hits, wait_seconds=1e-9) as cache:
        cache.put_many({"a": {}})
        cache.put_many({"b": {}})
        assert commits == [["a"], ["b"]]


def test_waiting_answers_are_kept_when_the_sweep_is_interrupted(layout: StoreLayout, commits: list[list[str]]) -> None:
    def interrupt(cache: StoredCache) -> None:
        with cache:
            cache.put_many({"a": {}})
            raise KeyboardInterrupt

    with HitStore(layout) as hits:
        with pytest.raises(KeyboardInterrupt):
            interrupt(StoredCache(hits, wait_seconds=1000))
        assert commits == [["a"]]
