"""Calibrations that the inventory holds, for who computes a reach."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from coverage_maps.propagation import Tuning
from inventory.planning_models import Calibration


def active_tuning(session: Session, environment: str) -> tuple[Tuning | None, list[str]]:
    """The newest active calibration of an environment, or None, and a line that tells of it."""
    row = session.scalars(
        select(Calibration)
        .where(Calibration.environment == environment, Calibration.active.is_(True))
        .order_by(Calibration.id.desc())
        .limit(1)
    ).first()
    if row is None:
        return None, []
    error = (
        "no walk was held out" if row.held_out_db is None
        else f"off by {row.held_out_db:.1f} dB on walks held out"
    )  # fmt: skip
    told = (
        f"calibration {row.id} of {environment}: exponent {row.exponent:.2f}, offset "
        f"{row.offset_db:+.1f} dB, spread {row.sigma_db:.1f} dB, from {row.readings:,} readings "
        f"({error})"
    )
    return Tuning(row.offset_db, row.exponent, row.sigma_db), [told]
