"""Path loss, antennas, margins and reach: published values, and what must hold of any of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from coverage_maps.propagation import (
    Link,
    Tuning,
    carrier_ghz,
    lawful,
    level_dbm,
    loss_not_exceeded_db,
    ranges_m,
    reach,
    reference_db,
    uplink_dbm,
)
from coverage_maps.radio.antennas import Antenna
from coverage_maps.radio.building_entry import entry_loss_db
from coverage_maps.radio.path_loss import MODELS, Path, free_space_db, median_db, model
from farola.errors import PlanningError

METRES = [10.0, 100.0, 1000.0, 5000.0]


@pytest.mark.parametrize(
    ("environment", "published"),
    [
        ("umi-los", [69.8591, 88.4122, 119.3114, 147.2696]),
        ("umi-nlos", [76.7563, 107.9432, 143.1886, 167.8617]),
    ],
)
def test_street_canyon_gives_the_published_losses(environment: str, published: list[float]) -> None:
    loss = median_db(model(environment), METRES, Path(5.0, base_m=10.0, terminal_m=1.5))
    assert loss == pytest.approx(published, abs=0.05)


@pytest.mark.parametrize(
    ("environment", "metres", "expected"),
    [
        ("los", 100.0, 2.12 * 20 + 29.2 + 21.1 * 0.740363),
        ("residential", 100.0, 3.01 * 20 + 18.8 + 20.7 * 0.740363),
        ("high-rise", 100.0, 4.00 * 20 + 10.2 + 23.6 * 0.740363),
    ],
)
def test_p1411_is_its_formula_where_it_was_measured(
    environment: str, metres: float, expected: float
) -> None:
    level = Path(5.5, base_m=1.5, terminal_m=1.5)
    assert median_db(model(environment), metres, level) == pytest.approx(expected, abs=1e-3)


def test_building_entry_loss_is_that_of_p2109() -> None:
    """The Recommendation's figure 1: about 16 dB (traditional) and 32 dB (efficient) at 5 GHz."""
    assert entry_loss_db(0.5, 5.0) == pytest.approx(16.31, abs=0.01)
    assert entry_loss_db(0.5, 5.0, "efficient") == pytest.approx(31.57, abs=0.01)
    steps = entry_loss_db(np.linspace(0.01, 0.99, 99), 2.4)
    assert (np.diff(steps) > 0).all()


@settings(deadline=None, max_examples=40)
@given(
    environment=st.sampled_from(sorted(MODELS)),
    band=st.sampled_from(["2.4", "5", "6"]),
    indoor=st.booleans(),
    reliability=st.floats(0.5, 0.99),
)
def test_reach_is_where_the_level_ends(
    environment: str, band: str, indoor: bool, reliability: float
) -> None:
    link = Link(environment, band, indoor=indoor, reliability=reliability)
    found = reach(link)
    if found.range_m == 0:
        return
    edge = loss_not_exceeded_db(link, found.range_m)
    budget = min(link.power_dbm, link.phone_dbm) + link.antenna.dbi - link.needed_dbm
    assert edge == pytest.approx(budget, abs=0.1)
    assert reach(replace(link, reliability=0.5)).range_m >= found.range_m
    assert reach(replace(link, interference_db=3.0)).range_m < found.range_m
    assert found.place == ("indoor" if indoor else "outdoor")
    if not indoor:
        assert reach(replace(link, indoor=True)).range_m < found.range_m


@settings(deadline=None, max_examples=40)
@given(st.floats(0.5, 0.99), st.floats(1, 1000))
def test_margin_is_that_of_the_shadowing(share: float, metres: float) -> None:
    link = Link("residential")
    margin = loss_not_exceeded_db(link, metres, share) - loss_not_exceeded_db(link, metres, 0.5)
    assert float(margin) == pytest.approx(3.07 * norm.ppf(share), abs=0.001)


def test_share_of_places_at_the_edge_is_the_reliability() -> None:
    """Draws of line of sight, shadowing and walls, against the quantile that reach uses."""
    link = Link("umi", height_m=10.0, indoor=True, reliability=0.9)
    metres = 40.0
    rng = np.random.default_rng(7)
    n = 200_000
    los, nlos = model("umi").branches(np.array([metres]), link.path)
    seen = rng.random(n) < los.chance[0]
    loss = np.where(
        seen, rng.normal(los.loss_db[0], 4.0, n), rng.normal(nlos.loss_db[0], 7.82, n)
    ) + entry_loss_db(rng.uniform(1e-9, 1 - 1e-9, n), link.ghz)
    held = (loss <= loss_not_exceeded_db(link, metres)).mean()
    assert held == pytest.approx(0.9, abs=0.005)


def test_the_phone_limits_a_strong_access_point_and_the_law_a_stronger() -> None:
    assert reach(Link(power_dbm=20.0)).limited_by == "uplink"
    assert reach(Link(power_dbm=10.0)).limited_by == "downlink"
    strong = Link(power_dbm=30.0)
    assert reach(strong).range_m == reach(Link(power_dbm=20.0)).range_m
    assert level_dbm(strong, 50.0) - uplink_dbm(strong, 50.0) == pytest.approx(15.0)
    held, told = lawful(replace(strong, country="mx", band="2.4"))
    assert held.power_dbm + held.antenna.dbi == 20
    assert "35 dBm EIRP" in told[0]
    indoors_only = reach(Link(country="DE", band="6"))
    assert indoors_only.range_m == 0
    assert indoors_only.limited_by == "country"
    inside = reach(Link(country="DE", band="6", site_indoor=True, reliability=0.5))
    assert 0 < inside.range_m < reach(Link(band="6", reliability=0.5)).range_m


def test_a_sector_reaches_where_it_looks() -> None:
    sector = Link(antenna=Antenna(14.0, azimuth_deg=90.0, beamwidth_deg=60.0))
    found = reach(sector)
    assert len(found.ranges_m) == 72
    assert np.argmax(found.ranges_m) * 5 == 90
    east, edge, west = ranges_m(sector, np.array([90.0, 120.0, 270.0]))
    assert found.range_m == pytest.approx(east)
    # 3 dB less at half the beamwidth, 30 dB less behind: by the slope of 30.1 dB a decade.
    assert edge / east == pytest.approx(10 ** (-3 / 30.1), rel=0.01)
    assert west < east / 6


def test_a_tilted_antenna_reaches_less_far() -> None:
    flat = Link(antenna=Antenna(12.0, 0.0, 90.0, tilt_deg=0.0))
    down = replace(flat, antenna=replace(flat.antenna, tilt_deg=40.0))
    assert reach(down).range_m < reach(flat).range_m


def test_a_calibrated_slope_takes_the_place_of_the_models() -> None:
    same = Tuning(0.0, 3.01, 3.07)
    assert reference_db("residential", 5.5) == pytest.approx(18.8 + 20.7 * np.log10(5.5))
    plain, tuned = reach(Link()), reach(Link(tuning=same))
    assert tuned.range_m == pytest.approx(plain.range_m, rel=1e-3)
    assert reach(Link(tuning=replace(same, offset_db=6.0))).range_m < plain.range_m
    too_good = loss_not_exceeded_db(Link(tuning=Tuning(-60.0, 1.5, 3.0)), 100.0, 0.5)
    assert float(too_good) == pytest.approx(
        free_space_db(Link().path.slant(100.0), 5.5).item(), abs=1e-6
    )


def test_what_is_outside_a_models_validity_is_told() -> None:
    assert not reach(Link()).warnings
    near = reach(Link("high-rise")).warnings
    assert any("outside the model's validity (30 to 715 m)" in line for line in near)
    low = reach(Link("umi", height_m=4.0)).warnings
    assert any("height of 4 m" in line for line in low)


@pytest.mark.parametrize(
    "change",
    [
        {"environment": "moon"}, {"band": "60"}, {"channel": 15, "band": "2.4"},
        {"reliability": 1.0}, {"reliability": 0.2}, {"power_dbm": float("nan")},
        {"height_m": -3.0}, {"needed_dbm": 12.0}, {"interference_db": -1.0},
        {"indoor": True, "building": "tent"}, {"antenna": Antenna(5.0, None, 60.0)},
        {"antenna": Antenna(5.0, 10.0, 0.0)}, {"antenna": Antenna(500.0)},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(PlanningError):
        reach(replace(Link(), **change))  # type: ignore[arg-type]


def test_channels_have_their_carriers() -> None:
    assert carrier_ghz("2.4", 6) == pytest.approx(2.437)
    assert carrier_ghz("5", 36) == pytest.approx(5.18)
    assert carrier_ghz("6", 1) == pytest.approx(5.955)
