"""Radios that share their channel with radar listen before they serve: 60 s, on weather radar's
channels 600 s (ETSI EN 301 893).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from simulator.running import Network

LISTENS_S, WEATHER_S = 60.0, 600.0
_WEATHER = frozenset({120, 124, 128})
_RADAR = frozenset(range(52, 65, 4)) | frozenset(range(100, 145, 4))


def covered(channel: int, width_mhz: int) -> frozenset[int]:
    """The 20 MHz channels of 5 GHz that one of `width_mhz` covers."""
    first = 149 if channel >= 149 else 100 if channel >= 100 else 36
    steps = max(1, width_mhz // 20)
    lowest = first + (channel - first) // (4 * steps) * 4 * steps
    return frozenset(range(lowest, lowest + 4 * steps, 4))


def listens_s(network: Network) -> float:
    """Seconds that a radio with this network listens before it serves."""
    if network.band != "5g":
        return 0.0
    channels = covered(network.channel, network.width_mhz)
    if channels & _WEATHER:
        return WEATHER_S
    return LISTENS_S if channels & _RADAR else 0.0


class Radios:
    """Which networks serve now, of those that the configuration has."""

    def __init__(self, now: Callable[[], float], factor: float) -> None:
        self._now = now
        self._factor = factor
        self._configured: tuple[Network, ...] = ()
        self._serve_from: dict[str, float] = {}

    def take_over(self, networks: Sequence[Network], *, at_once: bool = False) -> None:
        """The wireless configuration was loaded: a radio that changed starts anew.

        `at_once` is for a device that has been up for long: its radios have listened already.
        """
        for radio in {network.radio for network in networks}:
            after = [n for n in networks if n.radio == radio]
            if after == [n for n in self._configured if n.radio == radio]:
                continue
            waits = max((listens_s(network) for network in after if network.up), default=0.0)
            self._serve_from[radio] = 0.0 if at_once else self._now() + waits * self._factor
        self._configured = tuple(networks)

    def forget(self) -> None:
        """The radios are off, as before a boot."""
        self._configured, self._serve_from = (), {}

    def listening_s(self, radio: str) -> float:
        """Seconds that a radio still listens; 0 where it does not."""
        return max(0.0, self._serve_from.get(radio, 0.0) - self._now())

    @property
    def networks(self) -> tuple[Network, ...]:
        """The networks; those of a radio that listens are not up."""
        if not any(self.listening_s(radio) for radio in self._serve_from):
            return self._configured
        return tuple(
            replace(one, up=False) if self.listening_s(one.radio) else one
            for one in self._configured
        )
