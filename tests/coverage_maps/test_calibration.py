"""Calibration: what was planted in walks is found again, and what walks cannot tell is said."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import numpy as np
import pytest

from coverage_maps.cover.projection import LocalPlane
from coverage_maps.propagation import Link, reference_db
from coverage_maps.radio.calibration import Published, Readings, fit, hold_out, pooled
from coverage_maps.radio.source_positions import guess
from farola.errors import PlanningError
from farola.settings import load_settings
from inventory import models
from inventory.db import open_inventory

OFFSET, EXPONENT, SIGMA = 5.0, 3.4, 6.0
PUBLISHED = Published(3.01, 3.07)
START = datetime(2026, 3, 1, 12)


def made_up(seed: int, cut: float, farthest: float = 250.0) -> Readings:
    """Readings of a known slope, of which those above `cut` were never heard."""
    rng = np.random.default_rng(seed)
    x = 10 * np.log10(rng.uniform(10, farthest, 4000))
    y = OFFSET + EXPONENT * x + rng.normal(0, SIGMA, len(x))
    walk, source = rng.integers(0, 3, len(x)), rng.integers(0, 20, len(x))
    every = Readings(walk, source, x, y, np.full(len(x), cut), ("a", "b", "c"))
    return every.only(y < cut)


@pytest.mark.parametrize("seed", range(4))
def test_the_slope_is_found_though_weak_places_were_never_heard(seed):
    readings = made_up(seed, cut=74.0)
    found = fit(readings, PUBLISHED)
    plain = np.polyfit(readings.decades, readings.excess_db, 1)[0]
    assert plain < 2.9  # what a regression that forgets them says
    assert found.exponent == pytest.approx(EXPONENT, abs=0.15)
    assert found.sigma_db == pytest.approx(SIGMA, abs=0.4)
    assert found.offset_db + 20 * found.exponent == pytest.approx(OFFSET + 20 * EXPONENT, abs=1.0)


def test_a_held_out_walk_is_predicted_better_than_published():
    readings = made_up(9, cut=90.0)
    held = hold_out(readings, PUBLISHED)
    assert [h.walk for h in held] == ["a", "b", "c"]
    assert all(h.rms_db < h.published_rms_db for h in held)
    assert pooled(held) == pytest.approx(SIGMA, abs=0.5)
    assert pooled(hold_out(readings.only(readings.walk == 0), PUBLISHED)) is None


def test_readings_from_one_distance_tell_no_slope():
    readings = made_up(3, cut=200.0)
    near = readings.only(np.abs(readings.decades - 18) < 1)
    found = fit(near, PUBLISHED)
    assert not found.sloped
    assert found.exponent == PUBLISHED.exponent
    assert found.offset_db == pytest.approx(OFFSET + (EXPONENT - 3.01) * 18, abs=1.0)


def test_few_readings_are_refused():
    with pytest.raises(PlanningError, match="too few to calibrate"):
        fit(made_up(1, 200.0).only(np.arange(4000) < 20), PUBLISHED)


def test_positions_are_guessed_near_where_they_are():
    rng = np.random.default_rng(4)
    truth = np.array([(0.0, 0.0), (150.0, 80.0), (60.0, -120.0)])
    places = rng.uniform(-150, 250, (900, 2))
    source = rng.integers(0, 3, 900)
    far = np.hypot(*(places - truth[source]).T)
    levels = -30 - 10 * 3.0 * np.log10(np.maximum(far, 5)) + rng.normal(0, 4, 900)
    found = guess(places, levels, source, 4, exponent=2.0, rise_m=4.5)
    assert np.hypot(*(found.xy[:3] - truth).T) == pytest.approx([0, 0, 0], abs=12)
    assert np.isnan(found.xy[3]).all()
    assert found.exponent == pytest.approx(3.0, abs=0.4)


def walked(city, rng, survey, bssids):
    """A walk through a square of 400 m, every level drawn from the planted slope."""
    link = Link(band="5", channel=36)
    plane = LocalPlane(19.4, -99.1)
    rows = []
    for k, (x, y) in enumerate(rng.uniform(0, 400, (300, 2))):
        bssid, (ax, ay) = bssids[k % len(bssids)]
        slant = np.hypot(np.hypot(x - ax, y - ay), link.height_m - link.terminal_m)
        loss = reference_db("residential", link.ghz) + OFFSET + 10 * EXPONENT * np.log10(slant)
        level = 17.0 + 5.0 - loss + rng.normal(0, SIGMA)
        lat, lon = plane.degrees(np.array([[x, y]]))
        if level > -92:
            rows.append(
                models.SurveyReading(
                    survey=survey, bssid=bssid, at=START + timedelta(seconds=k), channel=36,
                    rssi_dbm=level, lat=float(lat[0]), lon=float(lon[0]), accuracy_m=4.0,
                )
            )  # fmt: skip
    return rows


@pytest.fixture
def town(run, city):
    """A home with twelve access points and two walks past them."""
    run("init", "--name", "Town", "--country", "MX")
    rng = np.random.default_rng(12)
    bssids = []
    with open_inventory(load_settings()).session() as session:
        for k in range(12):
            x, y = rng.uniform(50, 350, 2)
            bssid = f"02:00:00:00:00:{k:02x}"
            bssids.append((bssid, (x, y)))
            session.add(models.Site(**vars(city.site(x, y, f"s{k}"))))
            session.add(models.Device(id=f"ap{k}", name=f"ap{k}"))
            session.flush()
            session.add(models.Placement(device_id=f"ap{k}", site_id=f"s{k}"))
            session.add(
                models.Radio(
                    device_id=f"ap{k}", name="radio0", band="5", channel=36, power_dbm=17.0,
                    antenna_dbi=5.0, bssids=[models.Bssid(bssid=bssid)],
                )
            )  # fmt: skip
        for survey in ("monday", "tuesday"):
            session.add_all(walked(city, rng, survey, bssids))
        session.add(
            models.SurveyReading(survey="monday", bssid="p:other", at=START, rssi_dbm=-60.0,
                                 lat=19.4, lon=-99.1)
        )  # fmt: skip


@pytest.mark.usefixtures("town")
def test_calibrate_finds_what_was_planted_and_maps_use_it(run):
    told = json.loads(run("survey", "calibrate", "--json").stdout)
    at_100_m = told["offset_db"] + 20 * told["exponent"]
    assert at_100_m == pytest.approx(OFFSET + 20 * EXPONENT, abs=2.0)
    assert told["exponent"] == pytest.approx(EXPONENT, abs=0.5)
    assert [h["walk"] for h in told["held_out"]] == ["monday", "tuesday"]
    assert told["held_out_db"] < 8
    assert all(h["rms_db"] < h["published_rms_db"] for h in told["held_out"])
    assert told["left_out"]["of networks whose access point's position is not known"] == 1
    assert told["active"]
    again = json.loads(run("survey", "calibrate", "--hold-out", "monday", "--json").stdout)
    assert [h["walk"] for h in again["held_out"]] == ["monday"]
    assert again["readings"] < told["readings"]
    with open_inventory(load_settings()).session() as session:
        from coverage_maps.radio.calibrations import active_tuning

        tuning, notes = active_tuning(session, "residential")
        assert tuning is not None
        assert tuning.offset_db == pytest.approx(again["offset_db"])
        assert f"calibration {again['calibration']} of residential" in notes[0]
        assert active_tuning(session, "los") == (None, [])


@pytest.mark.usefixtures("town")
def test_guessed_positions_are_told_and_no_map_uses_them(run):
    told = json.loads(run("survey", "calibrate", "--guess-positions", "--json").stdout)
    assert told["positions_guessed"] == 12
    assert not told["active"]
    assert "guessed" in told["caveats"][0]
    assert run("survey", "calibrate", "--survey", "sunday", code=1).stderr.startswith(
        "farola: no survey 'sunday'; there are 'monday'"
    )


def test_without_surveys_or_known_positions_it_says_what_to_do(run, city):
    run("init", "--name", "Town")
    assert "run `farola survey import FILE`" in run("survey", "calibrate", code=1).stderr
    with open_inventory(load_settings()).session() as session:
        session.add(
            models.SurveyReading(survey="w", bssid="p:a", at=START, rssi_dbm=-60, lat=1, lon=1)
        )
    done = run("survey", "calibrate", code=1)
    assert "import access points with --bssid" in done.stderr
