"""Whatever happens to a device and to its collector, the differences stored add up to no more than
what really passed, and only what lies around a start of the counters is lost.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.snmp.counters import OFFSET_S, TICKS_ROLL_OVER_S
from collectors.snmp.memory import NO_PAST, Past, recall
from collectors.snmp.model import DeviceReading, InterfaceReading
from collectors.snmp.outcome import Outcome, settle
from collectors.snmp.series import PollFigures, batches
from timeseries.base import Batch
from timeseries.sqlite import SqliteStore

HOUR = 3600.0
MOST_BYTES_PER_S = 8_000_000
"""So that also where a sweep comes late both 32-bit counters of an interface may wrap at once."""
LATEST_OFFSET_S = 10


@dataclass
class Device:
    """A device as it really is: its traffic since ever, and counters since their last start."""

    bits: int
    own_clock: bool
    flags: bool
    """Whether it tells ifCounterDiscontinuityTime."""
    up_s: float
    agent_s: float
    rx: int
    tx: int
    at_s: float = 1_700_000_000.0
    true_rx: int = 0
    broke_off_s: float = 0.0
    resets: list[float] = field(default_factory=list)
    agent_starts: list[float] = field(default_factory=list)
    boots: int = 0

    def run(self, seconds: float, share: float) -> None:
        self.at_s += seconds
        self.up_s += seconds
        self.agent_s += seconds
        passed = int(seconds * share * MOST_BYTES_PER_S)
        self.rx, self.tx, self.true_rx = self.rx + passed, self.tx + passed, self.true_rx + passed

    def happen(self, event: str) -> None:
        if event == "reboot":
            self.up_s, self.agent_s, self.rx, self.tx, self.broke_off_s = 0.0, 0.0, 0, 0, 0.0
            self.boots += 1
        elif event == "agent restart":
            self.agent_s, self.broke_off_s = 0.0, 0.0
            self.agent_starts.append(self.at_s)
        elif event == "interface" and (self.flags or self.bits == 64):
            self.rx, self.tx = 0, 0
            self.broke_off_s = self.agent_s % TICKS_ROLL_OVER_S if self.flags else 0.0
        else:
            return
        if event != "agent restart":
            self.resets.append(self.at_s)

    def reading(self, *, counters: bool) -> DeviceReading:
        agent_s = round(self.agent_s % TICKS_ROLL_OVER_S, 2)
        up_s = round(self.up_s % TICKS_ROLL_OVER_S, 2) if self.own_clock else agent_s
        one = InterfaceReading(
            "eth0", "uplink", self.rx % 2**self.bits, self.tx % 2**self.bits, self.bits,
            self.broke_off_s if self.flags else None,
        )  # fmt: skip
        return DeviceReading(
            "ap", True, uptime_s=up_s, agent_uptime_s=agent_s, interfaces=(one,) if counters else ()
        )


class Watcher:
    """A collector that may be started again: then it knows only what its store holds."""

    def __init__(self, folder: Path) -> None:
        self.store = SqliteStore(folder)
        self.past: Past = NO_PAST
        self.waiting: list[list[Batch]] = []

    def poll(self, reading: DeviceReading, at_ms: int) -> Outcome:
        outcome = settle(reading, self.past, at_ms)
        self.waiting.append(batches([outcome], PollFigures(1, 1, 0, 0, 0.0, 0.0), at_ms, "noc"))
        self.past = outcome.past
        return outcome

    def start_again(self, at_ms: int) -> None:
        for one in self.waiting:
            self.store.write(one)
        self.waiting.clear()
        now = datetime.fromtimestamp(at_ms / 1000, UTC)
        self.past = recall(self.store, now).get("ap", NO_PAST)


DEVICES = st.builds(
    Device,
    bits=st.sampled_from([32, 64]),
    own_clock=st.booleans(),
    flags=st.booleans(),
    up_s=st.sampled_from([HOUR, 50 * 24 * HOUR, TICKS_ROLL_OVER_S - 700, TICKS_ROLL_OVER_S - 90]),
    agent_s=st.sampled_from([HOUR, TICKS_ROLL_OVER_S - 900, TICKS_ROLL_OVER_S - 150]),
    rx=st.sampled_from([1_000_000, 2**31, 2**32 - 10**9, 2**32 - 10**7]),
    tx=st.sampled_from([1_000_000, 2**32 - 10**8]),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["", "", "", "reboot", "agent restart", "interface"]),
        st.sampled_from([20, 60, 60, 60, 300]),
        st.floats(0.05, 0.95),
        st.sampled_from([0.0, 0.001, 0.3, 1.0]),
        st.sampled_from(["answer", "answer", "answer", "lost", "no counters", "twice"]),
        st.booleans(),
        st.floats(0, LATEST_OFFSET_S),
    ),
    min_size=2, max_size=14,
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(DEVICES, STEPS)
def test_differences_add_up_to_what_passed(device, steps):
    with tempfile.TemporaryDirectory() as folder:
        watcher = Watcher(Path(folder))
        told = lost = 0
        since: tuple[float, int, float] | None = None
        recalled = bare = doubtful = False
        turn_s = device.at_s
        for event, every_s, part, share, answer, start_again, offset_s in steps:
            turn_s += every_s
            to_go = turn_s + offset_s - device.at_s
            device.run(to_go * part, share)
            device.happen(event)
            device.run(turn_s + offset_s - device.at_s, share)
            at_ms = round(turn_s * 1000)
            if start_again:
                watcher.start_again(at_ms)
                recalled = True
                # Told an uptime and no counters: afterwards nobody knows which was first.
                doubtful = bare
            if answer == "lost":
                watcher.poll(DeviceReading("ap", False), at_ms)
                continue
            outcome = watcher.poll(device.reading(counters=answer != "no counters"), at_ms)
            bare = answer == "no counters"
            if bare:
                continue
            if answer == "twice":
                again = watcher.poll(device.reading(counters=True), at_ms)
                assert not again.differences
            moved = outcome.differences.get("eth0")
            if since is not None:
                passed = device.true_rx - since[1]
                if moved is None or moved.rx < passed:
                    lost += 1
                    assert doubtful or excused(device, since, passed, recalled)
                if moved is not None:
                    told += moved.rx
            assert told <= device.true_rx
            assert outcome.reboots <= device.boots + len(device.agent_starts)
            if device.own_clock:
                assert outcome.reboots <= device.boots
            shown_s = device.up_s if device.own_clock else device.agent_s
            since = (device.at_s, device.true_rx, shown_s % TICKS_ROLL_OVER_S)
            recalled = doubtful = False
        watcher.store.close()


def excused(device: Device, since: tuple[float, int, float], passed: int, recalled: bool) -> bool:
    """Whether the counters started anew, or it cannot be known that they did not."""
    since_s, _, up_s = since
    if any(at_s > since_s for at_s in device.resets):
        return True
    if recalled and any(at_s > since_s - OFFSET_S - LATEST_OFFSET_S for at_s in device.resets):
        return True  # when exactly an interface broke off is not stored
    restart = any(at_s > since_s for at_s in device.agent_starts)
    if not device.own_clock and restart:
        # Lost where the agent's start hides a wrap, or came in a poll without counters.
        return True
    if device.bits == 64:
        return False
    took_s = device.at_s - since_s + LATEST_OFFSET_S
    if any(clock_s % TICKS_ROLL_OVER_S < took_s for clock_s in (device.up_s, device.agent_s)):
        return True  # a wrap while a clock rolled over; an agent that forgot what broke off
    young = up_s < OFFSET_S + 5 + 0.01 * (device.at_s - since_s) + LATEST_OFFSET_S
    return passed >= 2**32 or young
