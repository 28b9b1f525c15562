"""Clients and counters of a pretend access point, as they follow from demand and time."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from simulator.demand import BYTES_PER_CLIENT_S, clients
from simulator.running import Network

ZONE = timezone(timedelta(hours=-2))
"""The pretend city's: see simulator.city.TIMEZONE."""

_STEP_S = 300.0
_UP_SHARE = 0.18
"""Bytes from a client for each one to it. Assumed."""
_SHARES = {"2g": 0.4, "5g": 0.6, "6g": 0.3}


@dataclass
class Counters:
    """Octets and packets of one interface since the boot, seen from the device."""

    rx: float = 0.0
    tx: float = 0.0


@dataclass
class Traffic:
    """Who is on line and what was carried; counters advance whenever they are looked at."""

    mean_clients: float
    seed: str
    now: Callable[[], float]
    """Seconds since the epoch, which somebody may set."""
    monotonic: Callable[[], float] | None = None
    """Seconds that only go on, by which counters advance; None: those of `now`."""
    counters: dict[str, Counters] = field(default_factory=dict)
    _last: float | None = None

    def reset(self) -> None:
        """Start at zero, as after a boot."""
        self.counters = {}
        self._last = self._passed()

    def _passed(self) -> float:
        return self.now() if self.monotonic is None else self.monotonic()

    def clients(
        self, network: Network, networks: Sequence[Network], at: float | None = None
    ) -> int:
        """Clients on one network: those of its radio, shared by the networks on it."""
        if not network.up:
            return 0
        when = datetime.fromtimestamp(self.now() if at is None else at, ZONE)
        same = [n for n in networks if n.up and n.radio == network.radio]
        mean = self.mean_clients * _SHARES[network.band]
        total = clients(mean, when, f"{self.seed}|{network.radio}")
        share, rest = divmod(total, len(same))
        return share + (same.index(network) < rest)

    def advance(self, networks: Sequence[Network]) -> dict[str, Counters]:
        """Count up to now; returns the counters by interface."""
        now = self._passed()
        last = now if self._last is None else self._last
        date = self.now() - now
        while last < now:
            step = min(_STEP_S, now - last)
            self._carry(networks, date + last, step)
            last += step
        self._last = now
        return self.counters

    def _carry(self, networks: Sequence[Network], at: float, seconds: float) -> None:
        uplink = self._of("eth0")
        for network in networks:
            count = self.clients(network, networks, at)
            # Not for secrets: noise that a seed repeats.
            noise = random.Random(f"{self.seed}|{network.interface}|{at:.0f}").uniform(0.6, 1.4)  # noqa: S311
            down = count * BYTES_PER_CLIENT_S * seconds * noise + 40 * seconds * network.up
            wireless = self._of(network.interface)
            wireless.tx += down
            wireless.rx += down * _UP_SHARE
            uplink.rx += down
            uplink.tx += down * _UP_SHARE
        bridge, loopback = self._of("br-lan"), self._of("lo")
        bridge.rx, bridge.tx = uplink.rx, uplink.tx
        loopback.rx += 12 * seconds
        loopback.tx = loopback.rx

    def _of(self, name: str) -> Counters:
        return self.counters.setdefault(name, Counters())

    def utilization_pct(self, network: Network, networks: Sequence[Network]) -> int:
        """Share of time the channel is busy, a saturating function of the clients. Assumed."""
        count = self.clients(network, networks)
        floor = 12 if network.band == "2g" else 4
        return round(floor + (92 - floor) * count / (count + 18))

    def noise_dbm(self, network: Network) -> int:
        """Noise floor: higher and less steady at 2.4 GHz. Assumed."""
        slot = int(self.now() // 300)
        spread = random.Random(f"{self.seed}|noise|{network.interface}|{slot}").randint(-3, 3)  # noqa: S311
        return (-89 if network.band == "2g" else -95) + spread
