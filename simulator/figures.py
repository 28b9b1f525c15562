"""Figures of real portals that the pretend residents follow. Only numbers stand here, no data.

The spread between sites is that of Newcastle's library branches (monthly Wi-Fi users of twelve
branches, May and June 2019, Newcastle Libraries). Seasons, the mix of kinds of site and the
length of a session are those of Paris's city Wi-Fi (33 months, January 2010 to September 2012,
Ville de Paris): a month's factor is the exponential of its effect in a log-linear fit with a
linear trend, scaled to a mean of one. What no source gives is marked as assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

USERS_GEOMETRIC_MEAN = 1044.0
"""Users a month of a Newcastle branch (geometric mean; the arithmetic mean is 1,748)."""

USERS_LOG_SIGMA = 0.883
"""Standard deviation of the logarithm of those users; the busiest branch has 44 % of all."""

SESSIONS_PER_USER = 3.2
"""Sessions of a user in a month. Assumed: neither city publishes it."""


@dataclass(frozen=True)
class KindOfSite:
    """What Paris's months tell of one kind of site."""

    name: str
    site_share: float
    """Share of the open sites, 0..1."""
    session_share: float
    """Share of all sessions, 0..1."""
    minutes_per_session: float
    months: tuple[float, ...]
    """Twelve factors of the sessions, January first, mean 1."""


KINDS: tuple[KindOfSite, ...] = (
    KindOfSite(
        "park", 0.468, 0.303, 33.0,
        (0.617, 0.538, 0.885, 1.014, 1.233, 1.187, 1.356, 1.422, 1.430, 1.022, 0.753, 0.543),
    ),
    KindOfSite(
        "library", 0.209, 0.402, 62.0,
        (1.136, 1.093, 1.179, 1.097, 0.963, 0.900, 0.620, 0.721, 0.962, 1.044, 1.132, 1.154),
    ),
    KindOfSite(
        "town hall", 0.094, 0.108, 48.0,
        (1.029, 0.929, 1.080, 0.985, 1.104, 1.013, 0.946, 0.818, 1.054, 0.961, 1.049, 1.033),
    ),
    KindOfSite(
        "culture centre", 0.199, 0.168, 47.0,
        (1.130, 0.955, 1.213, 0.880, 0.878, 0.983, 1.000, 0.721, 1.088, 1.157, 1.120, 0.876),
    ),
    KindOfSite(
        "other", 0.030, 0.019, 42.0,
        (1.166, 1.103, 0.984, 0.831, 0.883, 1.047, 1.026, 0.892, 1.004, 1.103, 1.053, 0.908),
    ),
)  # fmt: skip

BY_NAME = {kind.name: kind for kind in KINDS}


def level(kind: KindOfSite) -> float:
    """Sessions of a site of this kind relative to a library's: Newcastle's sites are libraries."""
    library = BY_NAME["library"]
    return (kind.session_share / kind.site_share) / (library.session_share / library.site_share)


WEEKDAYS: tuple[float, ...] = (1.0, 1.02, 1.03, 1.05, 1.12, 0.98, 0.80)
"""Factor of each weekday, Monday first, mean 1. Assumed."""

HOURS: tuple[float, ...] = (
    0.20, 0.12, 0.08, 0.06, 0.06, 0.10, 0.25, 0.55, 0.90, 1.10, 1.25, 1.38,
    1.50, 1.52, 1.48, 1.52, 1.65, 1.85, 1.95, 1.80, 1.55, 1.20, 0.80, 0.40,
)  # fmt: skip
"""Residents on line in each hour of the local day relative to the day's mean. Assumed: the
shape of an outdoor network, with its trough at four and its peak at six in the evening."""
