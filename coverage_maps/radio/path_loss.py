"""Path loss out of doors: how many dB a signal loses over a distance in a city's streets.

Four families: free space with an exponent (log-distance), ITU-R P.1411-12 §4.1.1 (both ends below
the rooftops), and 3GPP TR 38.901 UMi street canyon with and without line of sight, or a mixture of
both by how likely a line of sight is. All give the median, a standard deviation around it
(shadowing), and say where they were measured: outside of that they are extrapolations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from coverage_maps.cover.projection import Floats
from farola.errors import PlanningError

LIGHT = 299_792_458.0
"""Metres a second."""


@dataclass(frozen=True)
class Path:
    """What a path is like beside its length: carrier in GHz, heights above ground in metres."""

    ghz: float
    base_m: float = 10.0
    terminal_m: float = 1.5

    def slant(self, ground_m: ArrayLike) -> Floats:
        """Distance through the air in metres, of distances on the ground; never below 1 m."""
        ground = np.asarray(ground_m, dtype=np.float64)
        return np.asarray(np.maximum(np.hypot(ground, self.base_m - self.terminal_m), 1.0))


@dataclass(frozen=True)
class Branch:
    """One way that a path may turn out: how likely it is, its median loss and spread in dB."""

    chance: Floats
    loss_db: Floats
    sigma_db: float


@dataclass(frozen=True)
class Limits:
    """Where a model was measured or is defined; None is not limited."""

    metres: tuple[float, float] | None = None
    ghz: tuple[float, float] | None = None
    base_m: tuple[float, float] | None = None
    terminal_m: tuple[float, float] | None = None


class Model(Protocol):
    """A path loss model."""

    @property
    def limits(self) -> Limits:
        """Where it holds."""

    def branches(self, ground_m: Floats, path: Path) -> tuple[Branch, ...]:
        """The ways a path may turn out, at distances on the ground in metres, shape (n,)."""


def free_space_db(slant_m: ArrayLike, ghz: float) -> Floats:
    """Loss in free space between antennas without gain."""
    d = np.asarray(slant_m, dtype=np.float64)
    return np.asarray(20 * np.log10(4 * np.pi * d * ghz * 1e9 / LIGHT))


def _sure(loss: Floats, sigma: float) -> tuple[Branch, ...]:
    return (Branch(np.ones_like(loss), loss, sigma),)


@dataclass(frozen=True)
class LogDistance:
    """Free space to the first metre, from there 10 × `exponent` dB a decade."""

    exponent: float = 3.0
    sigma_db: float = 6.0
    limits: Limits = Limits(metres=(1.0, 10_000.0))

    def branches(self, ground_m: Floats, path: Path) -> tuple[Branch, ...]:
        """One."""
        loss = free_space_db(1.0, path.ghz) + 10 * self.exponent * np.log10(path.slant(ground_m))
        return _sure(np.asarray(loss), self.sigma_db)


@dataclass(frozen=True)
class P1411:
    """L = 10α·log10(d m) + β + 10γ·log10(f GHz), d through the air."""

    alpha: float
    beta: float
    gamma: float
    sigma_db: float
    limits: Limits
    floor: P1411 | None = None
    """Nearer than where it was measured, a path around corners would cost less than one in sight:
    it is held to cost no less than this one."""

    def median_db(self, slant_m: Floats, ghz: float) -> Floats:
        """The formula, by distance through the air."""
        loss = 10 * self.alpha * np.log10(slant_m) + self.beta + 10 * self.gamma * np.log10(ghz)
        if self.floor is not None:
            loss = np.maximum(loss, self.floor.median_db(slant_m, ghz))
        return np.asarray(loss)

    def branches(self, ground_m: Floats, path: Path) -> tuple[Branch, ...]:
        """One."""
        return _sure(self.median_db(path.slant(ground_m), path.ghz), self.sigma_db)


_UMI = Limits(metres=(10.0, 5000.0), ghz=(0.5, 100.0), base_m=(10.0, 10.0), terminal_m=(1.5, 22.5))


@dataclass(frozen=True)
class Umi:
    """3GPP TR 38.901 UMi street canyon: `los`, `nlos`, or `mixed` by the chance of a line of
    sight at each distance.
    """

    sight: str = "mixed"
    limits: Limits = _UMI
    los_sigma_db: float = 4.0
    nlos_sigma_db: float = 7.82

    def branches(self, ground_m: Floats, path: Path) -> tuple[Branch, ...]:
        """In sight, out of sight, or both."""
        los = self._los(ground_m, path)
        if self.sight == "los":
            return _sure(los, self.los_sigma_db)
        slant = path.slant(ground_m)
        around = (
            35.3 * np.log10(slant) + 22.4 + 21.3 * np.log10(path.ghz)
            - 0.3 * (path.terminal_m - 1.5)
        )  # fmt: skip
        nlos = np.maximum(los, around)
        if self.sight == "nlos":
            return _sure(nlos, self.nlos_sigma_db)
        far = np.maximum(ground_m, 18.0)
        chance = 18 / far + np.exp(-far / 36) * (1 - 18 / far)
        return (
            Branch(chance, los, self.los_sigma_db),
            Branch(1 - chance, nlos, self.nlos_sigma_db),
        )

    @staticmethod
    def _los(ground_m: Floats, path: Path) -> Floats:
        slant = path.slant(ground_m)
        frequency = 20 * np.log10(path.ghz)
        # Both ends stand above an effective ground of 1 m; lower ones are taken as just above it.
        base, terminal = max(path.base_m - 1.0, 0.1), max(path.terminal_m - 1.0, 0.1)
        turn = 4 * base * terminal * path.ghz * 1e9 / 3e8
        near = 32.4 + 21 * np.log10(slant) + frequency
        far = (
            32.4 + 40 * np.log10(slant) + frequency
            - 9.5 * np.log10(turn**2 + (path.base_m - path.terminal_m) ** 2)
        )  # fmt: skip
        return np.asarray(np.where(ground_m <= turn, near, far))


_LOS = P1411(2.12, 29.2, 2.11, 5.06, Limits(metres=(5.0, 660.0), ghz=(0.8, 82.0)))
MODELS: Mapping[str, Model] = {
    "los": _LOS,
    "residential": P1411(
        3.01, 18.8, 2.07, 3.07, Limits(metres=(30.0, 170.0), ghz=(0.8, 73.0)), _LOS
    ),
    "high-rise": P1411(4.00, 10.2, 2.36, 7.60, Limits(metres=(30.0, 715.0), ghz=(0.8, 82.0)), _LOS),
    "umi-los": Umi("los"),
    "umi-nlos": Umi("nlos"),
    "umi": Umi("mixed"),
    "log-distance": LogDistance(),
}
"""Environments by name. The first three are of P.1411 §4.1.1: in sight along a street, round the
corner among houses, and round the corner among tall buildings."""


def model(environment: str) -> Model:
    """The model of an environment; PlanningError if there is none of that name."""
    found = MODELS.get(environment)
    if found is None:
        raise PlanningError(
            f"no environment {environment!r}: choose one of {', '.join(sorted(MODELS))}"
        )
    return found


def median_db(chosen: Model, ground_m: ArrayLike, path: Path) -> Floats:
    """Median loss in dB at distances on the ground in metres, shape as given.

    Of a mixture it is the mean of the branches' medians by their chances.
    """
    ground = np.atleast_1d(np.asarray(ground_m, dtype=np.float64))
    loss = sum(branch.chance * branch.loss_db for branch in chosen.branches(ground, path))
    return np.asarray(loss).reshape(np.shape(ground_m))


def outside(limits: Limits, path: Path, metres: float | None = None) -> list[str]:
    """One line for each limit that `path`, `metres` long on the ground, does not keep."""
    told = []
    for value, span, what, unit in (
        (metres, limits.metres, "a distance", "m"),
        (path.ghz, limits.ghz, "a carrier", "GHz"),
        (path.base_m, limits.base_m, "an access point's height", "m"),
        (path.terminal_m, limits.terminal_m, "a phone's height", "m"),
    ):
        if value is None or span is None or span[0] <= value <= span[1]:
            continue
        low, high = span
        known = f"{low:g} {unit}" if low == high else f"{low:g} to {high:g} {unit}"
        told.append(f"{what} of {value:.3g} {unit} lies outside the model's validity ({known})")
    return told
