"""Watches a wave after its push: a small protocol, and the health checks behind it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from farola.errors import FarolaError
from farola.keys import Keyring
from farola.settings import Settings
from inventory.db import Inventory
from inventory.records import DeviceRecord
from provisioning.platforms.choosing import credentials


class Answer(Protocol):
    """A post-check's answer; `provisioning.rollout.health.Check` is one."""

    @property
    def ok(self) -> bool | None:
        """None is "cannot be told"."""

    @property
    def detail(self) -> str:
        """In words."""


Answers = Mapping[str, Mapping[str, Answer]]
Watch = Callable[[Sequence[DeviceRecord], Mapping[str, datetime], datetime], Answers]
"""Called after the bake with the wave's devices, when each was pushed, and when its radios have
listened for radar (UTC, aware); returns answers by device and name of check.
"""


def nothing(
    _devices: Sequence[DeviceRecord], _pushed_at: Mapping[str, datetime], _settled_at: datetime
) -> Answers:
    """Watch nothing (`--no-checks`)."""
    return {}


def health_of(inventory: Inventory) -> Watch:
    """The health checks of `health.py`, with the store and settings of this home."""
    settings: Settings = inventory.settings

    def watch(
        devices: Sequence[DeviceRecord], pushed_at: Mapping[str, datetime], settled_at: datetime
    ) -> Answers:
        from provisioning.rollout.health import check_wave
        from timeseries import open_store

        with inventory.session() as session:
            secrets = credentials(session, devices, Keyring(settings.home))
        store: Any = None
        # Without it the checks that need it say that they cannot tell.
        with contextlib.suppress(FarolaError):
            store = open_store(settings)
        try:
            return check_wave(
                devices, pushed_at, store=store, secrets=secrets, zone=settings.city.zone,
                portal_url=settings.checks.portal_url, settled_at=settled_at,
            )  # fmt: skip
        finally:
            if store is not None:
                store.close()

    return watch


def as_stored(answers: Mapping[str, Answer]) -> dict[str, dict[str, Any]]:
    """A device's answers as the inventory keeps them."""
    return {name: {"ok": one.ok, "detail": one.detail} for name, one in answers.items()}


def faults(answers: Mapping[str, Answer]) -> str:
    """The checks that a device failed, in words; empty where it failed none."""
    return "; ".join(f"{name}: {one.detail}" for name, one in answers.items() if one.ok is False)
