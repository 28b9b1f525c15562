"""The options of `farola coverage --model street`: what is asked of the propagation model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from farola.errors import PlanningError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from coverage_maps.propagation import Tuning
    from coverage_maps.radio.street import StreetRequest
    from farola.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])
ENVIRONMENTS = (
    "residential", "los", "high-rise", "umi", "umi-los", "umi-nlos", "log-distance",
)  # fmt: skip
NAMES = (
    "environment", "band", "power", "antenna_gain", "height", "phone", "service", "level",
    "reliability", "interference", "indoor", "building", "country", "calibrated",
    "walls", "measured",
)  # fmt: skip


def street_options(command: F) -> F:
    """Add the options of the street model; the command gets them under `NAMES`."""
    for option in (
        click.option(
            "--calibrated/--as-published",
            default=None,
            help="Street: with or without the calibration of this environment; with it if any.",
        ),
        click.option(
            "--walls/--no-walls",
            default=None,
            help="Street: with or without imported building outlines; with them if any.",
        ),
        click.option(
            "--measured/--no-measured",
            default=None,
            help="Street: with or without what walks measured around radios; with it if any.",
        ),
        click.option(
            "--country",
            help="Street: ISO 3166 code whose limits hold; the city's own if not given.",
        ),
        click.option(
            "--building",
            type=click.Choice(["traditional", "efficient"]),
            help="Street: walls of --indoor; traditional if not given.",
        ),
        click.option("--indoor", is_flag=True, help="Street: phones are in buildings."),
        click.option(
            "--interference", type=float, metavar="DB", help="Street: margin for others' signals."
        ),
        click.option(
            "--reliability",
            type=float,
            metavar="SHARE",
            help="Street: share of places at the edge that are served; 0.9 if not given.",
        ),
        click.option(
            "--level", type=float, metavar="DBM", help="Street: level needed, beside --service."
        ),
        click.option(
            "--service",
            type=click.Choice(["data", "voice"]),
            help="Street: data needs -70 dBm, voice -67; data if not given.",
        ),
        click.option(
            "--phone", type=float, metavar="DBM", help="Street: a phone's power; 15 if not given."
        ),
        click.option(
            "--height",
            type=float,
            metavar="M",
            help="Street: of antennas whose height is unknown; 6 if not given.",
        ),
        click.option(
            "--antenna-gain",
            type=float,
            metavar="DBI",
            help="Street: of antennas that are unknown; 5 if not given.",
        ),
        click.option(
            "--power",
            type=float,
            metavar="DBM",
            help="Street: of radios whose power is unknown, before the antenna; 20 if not given.",
        ),
        click.option(
            "--band",
            type=click.Choice(["2.4", "5", "6"]),
            help="Street: count this band alone (GHz); all bands, and 5 where unknown, if not.",
        ),
        click.option(
            "--environment",
            type=click.Choice(ENVIRONMENTS),
            help="Street: what the streets are like; residential if not given.",
        ),
    ):
        command = option(command)
    return command


def street_request(
    session: Session, settings: Settings, values: Mapping[str, Any]
) -> tuple[StreetRequest, list[str]]:
    """What `values` ask for, with the city's country and its calibration; and what to tell of it.

    Raises
    ------
    PlanningError
        A calibration is asked for and there is none.
    """
    from coverage_maps.radio.street import StreetRequest

    environment = values["environment"] or StreetRequest().environment
    tuning: Tuning | None = None
    notes: list[str] = []
    if values["calibrated"] is not False:
        from coverage_maps.radio.calibrations import active_tuning

        tuning, notes = active_tuning(session, environment)
        if tuning is None and values["calibrated"]:
            raise PlanningError(
                f"no calibration of {environment} is active: run `farola survey calibrate` first"
            )
    given = {
        "band": values["band"], "power_dbm": values["power"],
        "antenna_dbi": values["antenna_gain"], "height_m": values["height"],
        "phone_dbm": values["phone"], "needed_dbm": values["level"],
        "service": values["service"], "reliability": values["reliability"],
        "interference_db": values["interference"], "building": values["building"],
    }  # fmt: skip
    request = StreetRequest(
        environment=environment, indoor=values["indoor"], tuning=tuning,
        country=(values["country"] or settings.city.country).upper(),
        **{name: value for name, value in given.items() if value is not None},
    )  # fmt: skip
    _check_country(request.country or "")
    return request, notes


def refuse_street_options(values: Mapping[str, Any]) -> None:
    """PlanningError where an option of the street model is given for the disc."""
    given = [
        name
        for name in NAMES
        if values[name] is not None and not (name == "indoor" and values[name] is False)
    ]
    if given:
        option = f"--{given[0].replace('_', '-')}"
        raise PlanningError(f"{option} belongs to --model street, not to the disc")


def _check_country(country: str) -> None:
    if len(country) != 2 or not country.isascii() or not country.isalnum():
        raise PlanningError(f"--country {country!r}: give two letters of ISO 3166, such as MX")
