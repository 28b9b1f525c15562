"""The collector's part in a fault run: a process that writes polls through the real store and notes
what it was told. It is killed at any moment.

Pauses and time-outs are shortened, so that a run of seconds holds what takes minutes in a city; and
a poll is cut into batches of few lines, as a city's is into batches of 5,000.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

# The heavy imports, so that the server of forks has them already.
import influxdb_client.client.influxdb_client  # noqa: F401
import urllib3.util  # noqa: F401

from farola.errors import StoreError
from farola.settings import Settings, StoreSettings
from tests.timeseries.faults.ledger import (
    ACKNOWLEDGED,
    END,
    FAULT,
    MADE,
    REFUSED,
    SENT,
    Ledger,
    read,
)
from tests.timeseries.faults.polls import poll
from timeseries import influx_http, open_store, sender, spooled
from timeseries.influx import InfluxStore
from timeseries.spooled import SpooledStore

ANSWER_MS = 700
FLUSH_S = 60.0


@dataclass(frozen=True)
class Job:
    """Where and what to write; `stop` is a file that ends it when it appears."""

    seed: int
    home: Path
    store: StoreSettings
    token: str
    ledger: Path
    stop: Path


def hasten() -> None:
    sender.FIRST_PAUSE_S, sender.LONGEST_PAUSE_S, sender.LOOK_AGAIN_S = 0.02, 0.3, 0.05
    sender.LIVE_S, sender.SHARE = 0.3, 0.9
    spooled.CLOSE_S = 0.2
    vars(spooled)["CHUNK_LINES"] = 25
    influx_http.RETRIES = 1
    defaults = influx_http.Server._call.__kwdefaults__  # bound when the module was read
    assert defaults is not None
    defaults["wait_ms"] = ANSWER_MS


def telling(ledger: Ledger) -> None:
    """Note what comes of every request."""
    send = InfluxStore.send

    def noted(self: InfluxStore, body: bytes, gzipped: bool = False) -> None:
        try:
            send(self, body, gzipped)
        except StoreError as error:
            ledger.note(FAULT, getattr(error, "status", "unanswered"), sync=False)
            raise
        ledger.note(SENT, sync=False)

    InfluxStore.send = noted  # type: ignore[method-assign]


def write(job: Job) -> None:
    """Write one poll after the other until killed or stopped."""
    hasten()
    ledger = Ledger(job.ledger)
    telling(ledger)
    number = max(read(job.ledger).made, default=-1) + 1
    pace = Random(f"{job.seed}/{number}/pace")
    store = open_store(Settings(job.home, store=job.store), job.token)
    while not job.stop.exists():
        ledger.note(MADE, number)
        try:
            store.write(poll(job.seed, number))
        except StoreError as error:
            ledger.note(REFUSED, "disk full" if "disk is full" in str(error) else error, sync=False)
            time.sleep(0.01)
        else:
            ledger.note(ACKNOWLEDGED, number)
        number += 1
        time.sleep(pace.expovariate(1 / 0.018))
    store.close()


def send_what_waits(job: Job) -> None:
    """Send all that an earlier writer left, and note what is left after that."""
    hasten()
    ledger = Ledger(job.ledger)
    telling(ledger)
    store = open_store(Settings(job.home, store=job.store), job.token)
    if isinstance(store, SpooledStore):
        store.flush(FLUSH_S)
        left = store.backlog()
        ledger.note(END, left.rows, left.dropped_rows, left.quarantined)
    else:
        ledger.note(END, 0, 0, 0)
    store.close()
