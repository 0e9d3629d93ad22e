"""A fresh store for each test."""

from pathlib import Path

import pytest

from storage.layout import StoreLayout


@pytest.fixture
def layout(tmp_path: Path) -> StoreLayout:
    store = StoreLayout(tmp_path / "a store's [files]*")  # signs that mean something to SQL and globs
    store.check_writable()
    return store
