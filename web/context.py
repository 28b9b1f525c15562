"""What every page of the console shares: the inventory, the store, and answers kept for a while."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from flask import current_app
from sqlalchemy import func, select

from farola.errors import FarolaError
from farola.settings import Settings
from inventory.db import Inventory, open_inventory
from inventory.models import User

if TYPE_CHECKING:
    from timeseries.base import Store
    from web.coverage import CoverageCache
    from web.fleet import Fleet

LOG = logging.getLogger("farola.web")
T = TypeVar("T")


class Kept(Generic[T]):
    """An answer kept for `seconds`. One that is older is given out once more while a thread
    computes the next, so that nobody waits; one older than ten times that is not.
    """

    def __init__(self, compute: Callable[[], T], seconds: float) -> None:
        self._compute, self._seconds = compute, seconds
        self._lock = threading.Lock()
        self._value: T | None = None
        self._made = float("-inf")
        self._renewing = False

    def get(self) -> T:
        """The answer; many requests at once cause one computation."""
        with self._lock:
            age = time.monotonic() - self._made
            if self._value is None or age > 10 * self._seconds:
                self._keep(self._compute())
            elif age > self._seconds and not self._renewing:
                self._renewing = True
                threading.Thread(target=self._renew, daemon=True).start()
            assert self._value is not None  # noqa: S101 - kept above
            return self._value

    def _renew(self) -> None:
        try:
            fresh = self._compute()
        except Exception:
            LOG.exception("could not renew")  # the next request past the limit will tell
        else:
            with self._lock:
                self._keep(fresh)
        finally:
            self._renewing = False

    def _keep(self, value: T) -> None:
        self._value, self._made = value, time.monotonic()


class Console:
    """One per app. The store is opened once a thread: SQLite's connections are not shared."""

    def __init__(self, settings: Settings) -> None:
        from web.coverage import CoverageCache
        from web.fleet import load_fleet

        self.settings = settings
        self.inventory: Inventory = open_inventory(settings)
        self.coverage: CoverageCache = CoverageCache(self.inventory, settings.home)
        self.fleet: Kept[Fleet] = Kept(lambda: load_fleet(self.inventory, self.store), seconds=10)
        self._threads = threading.local()

    def has_users(self) -> bool:
        """Whether anybody can sign in."""
        with self.inventory.session() as session:
            return bool(session.scalar(select(func.count()).select_from(User)))

    def warm_up(self) -> None:
        """Begin to compute what the first page needs."""
        from web.coverage import DEFAULT_RADIUS

        with contextlib.suppress(FarolaError):  # the page will say what is wrong
            self.coverage.get(DEFAULT_RADIUS, patience=0)

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
