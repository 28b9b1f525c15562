"""Farola's side of a fault run, in a process of its own that may be killed."""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Connection
from pathlib import Path

from napalm_openwrt import OpenWrtDriver
from provisioning.platforms import drivers as platforms
from provisioning.turn import resolve
from provisioning.turn.apply import apply_change

DEVICE = "ap"
PATIENCE_S = 5
"""How long Farola waits for an answer in these runs; 30 s in a city."""
READY = (OpenWrtDriver, resolve)
"""What a push imports late: here once, for all that are forked."""


def push(home: str, key: str, change: int, said: Connection) -> None:
    """Push to the device, and say what Farola's journal was told, and the CPU it took."""
    os.environ["FAROLA_KEY_FILE"] = key
    platforms.TIMEOUT_S = PATIENCE_S
    applied = apply_change(Path(home), change, DEVICE)
    said.send((applied.status, applied.message, time.process_time()))
