"""What works on which version of InfluxDB, for `farola doctor`. Only what the tests run on a real
server is called run; the rest is as the vendor documents it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Capabilities:
    """What a version takes. `api` and `auth` are values of [store]; `note` is for people."""

    api: tuple[str, ...]
    auth: tuple[str, ...]
    is_run: bool
    note: str = ""

    def __str__(self) -> str:
        """One line for people."""
        state = "run by Farola's tests" if self.is_run else "as documented, not run"
        if not self.api:
            return self.note
        told = f"works with api {' or '.join(self.api)}, sign-in {' or '.join(self.auth)} ({state})"
        return f"{told}; {self.note}" if self.note else told


_V1, _BOTH = ("v1",), ("v2", "v1")
TABLE: dict[tuple[int, int], Capabilities] = {
    (0, 0): Capabilities((), (), False, "older than 1.0: install 1.6 or newer"),
    (1, 0): Capabilities(_V1, ("basic",), False),
    (1, 6): Capabilities(_V1, ("basic", "bearer"), True),
    (1, 7): Capabilities(_V1, ("basic", "bearer"), False),
    (1, 8): Capabilities(_BOTH, ("token", "basic", "bearer"), False),
    (2, 0): Capabilities(
        _BOTH, ("token",), False, "InfluxQL reads a bucket through a DBRP mapping"
    ),
    (3, 0): Capabilities(
        _BOTH, ("bearer", "token"), False,
        "a query reads 432 files at most, some 72 hours: long ranges go through rollups",
    ),
    (4, 0): Capabilities((), (), False, "a version that Farola does not know"),
}  # fmt: skip
"""By the first version that it holds for."""


def works_there(version: str) -> Capabilities:
    """What works on `version`, as the server tells it: `1.6.7`, `v2.7.5`, `1.8.10-c1.8.10`."""
    found = re.match(r"v?(\d+)\.(\d+)", version)
    if not found:
        return Capabilities(
            _BOTH, ("token", "basic", "bearer"), False, "the server does not tell its version"
        )
    told = int(found[1]), int(found[2])
    return TABLE[max(first for first in TABLE if first <= told)]
