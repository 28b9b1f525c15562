"""What every page of the console shares: the inventory, the store, and answers kept for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from flask import current_app

from farola.errors import FarolaError
from farola.settings import Settings
from inventory.db import Inventory, open_inventory

if TYPE_CHECKING:
    from timeseries.base import Store
    from web.coverage import CoverageCache
    from web.fleet import Fleet

T = TypeVar("T")


class Kept(Generic[T]):
    """An answer kept for `seconds`; many requests at once cause one computation."""

    def __init__(self, compute: Callable[[], T], seconds: float) -> None:
        self._compute, self._seconds = compute, seconds
        self._lock = threading.Lock()
        self._value: T | None = None
        self._until = float("-inf")

    def get(self) -> T:
        """The answer, computed now if the kept one is too old."""
        with self._lock:
            if self._value is None or time.monotonic() >= self._until:
                self._value = self._compute()
                self._until = time.monotonic() + self._seconds
            return self._value

    def drop(self) -> None:
        """Forget the answer."""
        with self._lock:
            self._value = None


class Console:
    """One per app. The store is opened once a thread: SQLite's connections are not shared."""

    def __init__(self, settings: Settings) -> None:
        from web.coverage import CoverageCache
        from web.fleet import load_fleet

        self.settings = settings
        self.inventory: Inventory = open_inventory(settings)
        self.coverage: CoverageCache = CoverageCache(self.inventory, settings.home)
        self.fleet: Kept[Fleet] = Kept(lambda: load_fleet(self), seconds=10)
        self._threads = threading.local()

    def warm_up(self) -> None:
        """Begin to compute what the first page needs."""
        from web.coverage import DEFAULT_RADIUS

        try:
            self.coverage.get(DEFAULT_RADIUS, patience=0)
        except FarolaError:
            pass  # the page will say what is wrong

    def close(self) -> None:
        """Release the database; stores close with their threads."""
        self.inventory.close()

    def store(self) -> Store:
        """The time series store; StoreError if it cannot be opened."""
        from timeseries import open_store

        store: Store | None = getattr(self._threads, "store", None)
        if store is None:
            store = self._threads.store = open_store(self.settings)
        return store


def console() -> Console:
    """The console of the app that is serving this request."""
    found = current_app.extensions["farola"]
    assert isinstance(found, Console)  # noqa: S101 - create_app put it there
    return found
