"""One fault run. The last of each is the same: all is well again, a writer sends what waits, and
what the store has is held against the ledger.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from farola.settings import Settings
from tests.timeseries.faults.plays import PLAYS
from tests.timeseries.faults.polls import Verdict, judge
from tests.timeseries.faults.stage import Stage
from timeseries.marks import ROLLED_UP, Marks


@dataclass(frozen=True)
class Run:
    """What one run came to."""

    seed: int
    path: str
    play: str
    took_s: float
    kills: int
    polls: int
    sent: int
    refused: dict[str, int]
    faults: dict[str, int]
    verdict: Verdict
    left: list[int]
    unmarked: list[int]

    @property
    def faultless(self) -> bool:
        """Every acknowledged point once with its value, nothing else, nothing left anywhere."""
        return self.verdict.faultless and self.left == [0, 0, 0] and not self.unmarked


def one_run(seed: int, folder: Path) -> Run:
    """Play what belongs to `seed`. PermissionError where no small disk may be mounted."""
    path, play = PLAYS[seed % len(PLAYS)]
    started = time.monotonic()
    with ExitStack() as inside:
        stage = Stage(path, seed, folder, inside)
        play(stage)
        stage.finish()
        account = stage.account()
        found = stage.points()
        marked = Marks(stage.home / "series", Settings(stage.home).city.zone).open()
    times = {at for (name, at, _), _ in found if name in ROLLED_UP}
    return Run(
        seed, path, play.__name__, round(time.monotonic() - started, 2), stage.kills,
        len(account.acknowledged), account.sent, dict(account.refused), dict(account.faults),
        judge(seed, account.made, account.acknowledged, found), account.end or [],
        [at for at in sorted(times) if not any(w.start <= at < w.end for w in marked)],
    )  # fmt: skip
