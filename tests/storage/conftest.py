"""A fresh store for each test."""

import shutil
from pathlib import Path

import pytest

from storage.disk.layout import StoreLayout
from tests.storage.erased_stores import build


@pytest.fixture
def layout(tmp_path: Path) -> StoreLayout:
    store = StoreLayout(tmp_path / "a store's [files]*")  # characters with a meaning in SQL and globs
    store.check_writable()
    return store


@pytest.fixture(scope="session")
def filled_template(tmp_path_factory: pytest.TempPathFactory) -> StoreLayout:
    """A store with footage to erase; built once and only read."""
    store = StoreLayout(tmp_path_factory.mktemp("template") / "store")
    store.check_writable()
    build(store)
    return store


@pytest.fixture
def filled(filled_template: StoreLayout, tmp_path: Path) -> StoreLayout:
    """A copy of the template."""
    return StoreLayout(shutil.copytree(filled_template.root, tmp_path / "a store's [files]*"))
