"""A searcher that keeps the models and the gallery of one store open between searches."""

import threading
from functools import lru_cache

from anomalylmm.errors import StoreError
from flows.composition import Composition
from flows.report.page import load_template
from flows.runs.progress import Listener
from flows.search.outcome import SearchReport, SearchRequest
from flows.search.searching import search_store
from flows.sweep.sweeping import open_gallery
from storage.disk.layout import StoreLayout
from storage.gallery.gallery import Gallery
from storage.gallery.opening import gallery_stamp


class Searcher:
    """Searches one store again and again: models are loaded once, the gallery is opened again when it has changed.

    It can be used by several threads; their searches take turns. Each search is logged and leaves a page and a record,
    as with ``search_store``. Settings and models stay those it was made with.
    """

    def __init__(self, composition: Composition, layout: StoreLayout) -> None:
        """Loads nothing yet; see ``warm``."""
        self.composition, self.layout = composition, layout
        self._turn = threading.Lock()
        self._opened: tuple[tuple[object, ...], Gallery] | None = None

    def warm(self) -> None:
        """Loads models, the page's template and the gallery, so that the first search need not; the store may be empty.

        Raises:
            WeightsError: A model is missing or damaged.
            ConfigurationError: A setting does not fit this computer.
        """
        with self._turn:
            self.composition.load_searching_models()
            load_template()
            try:
                self._open()
            except StoreError:
                return  # a search will say so

    def search(self, request: SearchRequest, *, listener: Listener | None = None) -> SearchReport:
        """Searches the gallery as it is now.

        Raises:
            QueryError: The text has no word or is too long, the picture can't be read, or neither is given.
            StoreError: Nothing is indexed, or the store can't be written.
        """
        with self._turn:
            return search_store(self.composition, self.layout, request, listener=listener, open_now=self._open)

    def _open(self) -> Gallery:
        """Returns the gallery that is open, unless the store has changed since."""
        stamp = gallery_stamp(self.layout, self.composition.pipeline.digest)
        if self._opened is None or self._opened[0] != stamp:
            self._opened = None
            self.composition.forget_pictures()
            self._opened = stamp, open_gallery(self.composition, self.layout)
        return self._opened[1]


@lru_cache(maxsize=2)
def open_searcher(composition: Composition, layout: StoreLayout) -> Searcher:
    """Returns the searcher of a store, shared in this process like the composition."""
    return Searcher(composition, layout)
