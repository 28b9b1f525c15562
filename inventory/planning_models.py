"""Tables of planning: buildings that stand in the way, calibrations of the propagation models, and
saved scenarios. They share the inventory's `Base`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from inventory.models import Base, utcnow


class Building(Base):
    """An outline that a signal must go through or around; WKB in WGS84."""

    __tablename__ = "building"
    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    geometry: Mapped[bytes]
    west: Mapped[float] = mapped_column(index=True)
    south: Mapped[float]
    east: Mapped[float]
    north: Mapped[float]
    """Its bounds in degrees, to find it by."""
    height_m: Mapped[float | None]
    wall: Mapped[str] = mapped_column(default="")
    """What its walls are of, as imported: `brick`, `concrete`, `glass`, …; empty is unknown."""
    source: Mapped[str] = mapped_column(default="imported")


class Calibration(Base):
    """Offset and exponent of a propagation model in an environment, as readings of a survey say."""

    __tablename__ = "calibration"
    id: Mapped[int] = mapped_column(primary_key=True)
    environment: Mapped[str]
    model: Mapped[str]
    offset_db: Mapped[float]
    """Added to the model's loss."""
    exponent: Mapped[float]
    """Of distance: loss grows by 10 × this many dB a decade."""
    sigma_db: Mapped[float]
    """Of what is left between readings and model."""
    readings: Mapped[int]
    held_out_db: Mapped[float | None]
    """Root mean square error on walks that were kept out of the fit; None where there was one."""
    surveys: Mapped[list[str]] = mapped_column(JSON, default=list)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    active: Mapped[bool] = mapped_column(default=True)


class Scenario(Base):
    """A plan that a planner keeps under a name, with all that was asked for."""

    __tablename__ = "scenario"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    author: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    changed_at: Mapped[datetime] = mapped_column(default=utcnow)
    parameters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("plan.id"))
    """The newest plan that was computed for it."""
    note: Mapped[str] = mapped_column(default="")
