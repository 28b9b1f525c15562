"""How figures, shares and instants are written on the pages."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from web.context import console

if TYPE_CHECKING:
    from flask import Flask

THIN = "\u202f"
"""Narrow no-break space, between a figure and its unit."""


def install(app: Flask) -> None:
    """Add the filters to the templates."""
    app.jinja_env.filters.update(
        number=number, short=short, percent=percent, when=when, clock=clock, ago=ago
    )


def number(value: float | None, digits: int = 0) -> str:
    """`12,345`, as the command line writes it; an en dash for nothing."""
    return "–" if value is None else f"{value:,.{digits}f}"


def short(value: float | None) -> str:
    """`1.63 M`, `812 k`, `940`: for tiles and legends."""
    if value is None:
        return "–"
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            scaled = value / size
            digits = 0 if scaled >= 10 else 2 if letter == "M" else 1
            return f"{scaled:.{digits}f}{THIN}{letter}"
    return f"{value:.0f}"


def percent(share: float | None, digits: int = 0) -> str:
    """A share of 0..1 as `42 %`."""
    return "–" if share is None else f"{share * 100:.{digits}f}{THIN}%"


def local(value: datetime | int | float) -> datetime:
    """An instant (naive is UTC; a number is milliseconds) in the city's time zone."""
    if isinstance(value, int | float):
        value = datetime.fromtimestamp(value / 1000, UTC)
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return value.astimezone(console().settings.city.zone)


def when(value: datetime | int | float | None) -> str:
    """`Tue 4 Mar 2025, 14:05` in the city's time."""
    if value is None:
        return "–"
    at = local(value)
    return f"{at:%a} {at.day} {at:%b %Y, %H:%M}"


def clock(value: datetime | int | float) -> str:
    """`14:05` in the city's time."""
    return f"{local(value):%H:%M}"


def ago(value: datetime | int | float | None, now: datetime | None = None) -> str:
    """`3 min ago`, `2 h ago`, `5 days ago`."""
    if value is None:
        return "never"
    seconds = ((now or datetime.now(UTC)) - local(value)).total_seconds()
    if seconds < 60:
        return "just now"
    for unit, size in (("min", 60), ("h", 3600)):
        if seconds < size * (60 if unit == "min" else 48):
            return f"{seconds // size:.0f}{THIN}{unit} ago"
    return f"{seconds // 86400:.0f} days ago"


def iso(day: date) -> str:
    """A date as addresses carry it."""
    return day.isoformat()
