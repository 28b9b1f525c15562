"""`farola survey calibrate`: fit the street model to what walks measured."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from coverage_maps.commands.street_options import ENVIRONMENTS
from farola.errors import PlanningError
from farola.output import json_option, note, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from coverage_maps.propagation import Link
    from coverage_maps.radio.calibration import Fit, HeldOut, Published, Readings
    from coverage_maps.radio.walks import Walked

CAVEATS = (
    "a level is what one phone's radio tells: how deaf that phone is, is in the offset",
    "levels hold for the streets that were walked; places near each other share their shadows, so "
    "the figures are less certain than their number suggests",
)
GUESSED = (
    "positions of access points were guessed from the same readings, and their power assumed: the "
    "exponent is a hint, the offset means little, and the error looks smaller than it is",
)


@click.command()
@click.option(
    "--environment",
    type=click.Choice(ENVIRONMENTS),
    default="residential",
    show_default=True,
    help="What the streets walked are like.",
)
@click.option("--survey", "surveys", multiple=True, help="A survey to use; all if none is named.")
@click.option(
    "--hold-out", "kept_out", multiple=True, help="A survey to keep out of the fit and test it on."
)
@click.option(
    "--guess-positions",
    is_flag=True,
    help="Use networks whose access points stand nobody knows where; the fit is not used by maps.",
)
@click.option(
    "--power", type=float, help="Power in dBm where the inventory does not say; 20 if not given."
)
@click.option(
    "--antenna-gain", type=float, help="Gain in dBi where it does not say; 5 if not given."
)
@click.option(
    "--height", type=float, help="Height in metres where it does not say; 6 if not given."
)
@click.option("--dry-run", is_flag=True, help="Tell the fit and keep nothing.")
@json_option
def calibrate(
    *,
    environment: str,
    surveys: tuple[str, ...],
    kept_out: tuple[str, ...],
    guess_positions: bool,
    power: float | None,
    antenna_gain: float | None,
    height: float | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Fit offset and exponent of an environment to the readings of surveys.

    Each walk is predicted by a fit to the others, and the error told. Maps of that environment use
    the newest fit from then on (`--as-published` does without).
    """
    import numpy as np

    from coverage_maps.radio.calibration import fit, hold_out, pooled
    from coverage_maps.radio.street import StreetRequest
    from farola.settings import load_settings
    from inventory.db import open_inventory

    typical = StreetRequest(
        environment=environment, power_dbm=power, antenna_dbi=antenna_gain, height_m=height
    ).link()
    published = _published(typical)
    with open_inventory(load_settings()).session() as session:
        _check_names(session, (*surveys, *kept_out))
        names = tuple(dict.fromkeys((*surveys, *kept_out))) if surveys else ()
        walked, folds = _walked(session, names, typical, published, guess_positions)
        readings = walked.readings
        if not len(readings):
            raise PlanningError(_nothing(walked, guess_positions))
        out = [k for k, walk in enumerate(readings.walks) if walk in kept_out]
        tested = [readings.walks[k] for k in out] or readings.walks
        held = [
            h
            for walk in tested
            if walk in (fold := folds(walk)).walks
            for h in hold_out(fold, published, [fold.walks.index(walk)])
        ]
        used = ~np.isin(readings.walk, out)
        found = fit(readings.only(used), published)
        error = pooled(held)
        number = None
        if not dry_run:
            kept = [w for k, w in enumerate(readings.walks) if k not in out]
            number = _keep(session, environment, found, error, kept, active=not guess_positions)
    result = {
        "environment": environment, "calibration": number,
        "active": number is not None and not guess_positions,
        **asdict(found), "published": asdict(published), "held_out_db": error,
        "held_out": [asdict(h) for h in held], "surveys": list(readings.walks),
        "positions_guessed": walked.guessed, "left_out": dict(walked.left_out),
        "caveats": [*(GUESSED if guess_positions else ()), *CAVEATS],
    }  # fmt: skip
    if as_json:
        print_json(result)
        return
    _print(found, published, held, result)


def _published(typical: Link) -> Published:
    """Slope and spread of the model itself, from its medians between 30 and 150 m."""
    import numpy as np

    from coverage_maps.radio.calibration import Published
    from coverage_maps.radio.path_loss import median_db, model

    ground = np.array([30.0, 150.0])
    loss = median_db(model(typical.environment), ground, typical.path)
    slant = typical.path.slant(ground)
    exponent = float(np.diff(loss)[0] / np.diff(10 * np.log10(slant))[0])
    branches = model(typical.environment).branches(ground, typical.path)
    return Published(exponent, max(branch.sigma_db for branch in branches))


def _walked(
    session: Session, names: tuple[str, ...], typical: Link, published: Published, guess: bool
) -> tuple[Walked, Callable[[str], Readings]]:
    """Readings to fit, and those to predict a walk with: where positions are guessed that walk
    must have no say in them.
    """
    from coverage_maps.radio.walks import from_guessed, from_known, heard, own_sources

    left_out: dict[str, int] = {}
    levels = heard(session, names, left_out)
    if not guess:
        known = from_known(levels, own_sources(session, typical), left_out)
        return known, lambda _walk: known.readings

    def without(walk: str) -> Readings:
        return from_guessed(levels, typical, published.exponent, {}, without=walk).readings

    return from_guessed(levels, typical, published.exponent, left_out), without


def _check_names(session: Session, names: tuple[str, ...]) -> None:
    from sqlalchemy import select

    from inventory.models import SurveyReading

    known = sorted(session.scalars(select(SurveyReading.survey).distinct()))
    if not known:
        raise PlanningError("no survey in the inventory: run `farola survey import FILE` first")
    for name in names:
        if name not in known:
            raise PlanningError(f"no survey {name!r}; there are {', '.join(map(repr, known))}")


def _nothing(walked: Walked, guessed: bool) -> str:
    whys = ", ".join(f"{count:,} {why}" for why, count in walked.left_out.items())
    tip = (
        "walk farther around each access point"
        if guessed
        else "import access points with --bssid, or see --guess-positions"
    )
    return f"no reading can be used ({whys}): {tip}"


def _keep(
    session: Session, environment: str, found: Fit, error: float | None, surveys: list[str],
    *, active: bool,
) -> int:  # fmt: skip
    """Keep a calibration; an active one takes the place of those before it."""
    from sqlalchemy import update

    from inventory import events
    from inventory.planning_models import Calibration

    if active:
        session.execute(
            update(Calibration).where(Calibration.environment == environment).values(active=False)
        )
    row = Calibration(
        environment=environment, model=environment, offset_db=found.offset_db,
        exponent=found.exponent, sigma_db=found.sigma_db, readings=found.readings,
        held_out_db=error, surveys=surveys, active=active,
    )  # fmt: skip
    session.add(row)
    session.flush()
    text = f"calibration {row.id} of {environment} from {found.readings:,} readings"
    events.record(session, "survey.calibrated", text, detail={"calibration": row.id})
    return row.id


def _print(found: Fit, published: Published, held: list[HeldOut], result: dict[str, Any]) -> None:
    print_table(
        f"{result['environment']}: {found.readings:,} readings of {found.sources:,} access points",
        ["", "offset dB", "exponent", "spread dB"],
        [
            ("as published", "0.0", f"{published.exponent:.2f}", f"{published.sigma_db:.1f}"),
            ("calibrated", f"{found.offset_db:+.1f}", f"{found.exponent:.2f}",
             f"{found.sigma_db:.1f}"),
        ],
        right=(1, 2, 3),
    )  # fmt: skip
    if held:
        print_table(
            "Each walk as a fit to the others predicts it",
            ["walk", "readings", "error dB", "mean error dB", "as published dB"],
            [
                (h.walk, f"{h.readings:,}", f"{h.rms_db:.1f}", f"{h.bias_db:+.1f}",
                 f"{h.published_rms_db:.1f}")
                for h in held
            ],
            right=(1, 2, 3, 4),
        )  # fmt: skip
    else:
        note("no walk could be held out: the error on another walk is not known")
    if not found.sloped:
        note("readings lie about as far away from each other: only the offset was fitted")
    for why, count in result["left_out"].items():
        note(f"left out: {count:,} readings {why}")
    for line in result["caveats"]:
        note(line)
    if result["active"]:
        note(f"kept as calibration {result['calibration']}; maps of this environment use it now")
    elif result["calibration"]:
        note(f"kept as calibration {result['calibration']}; no map uses it")
