"""What a row of access points says of its radios and antennas, and how that is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory.importers.contents import Row
from inventory.importers.report import BadCellError
from inventory.importers.rows import Reader
from inventory.importers.values import read_number
from inventory.models import Radio

RADIO = "imported"
"""Name of the radio that imported BSSIDs hang on: a list does not tell which radio has which."""
FIELDS = ("band", "channel", "power", "antenna_gain", "azimuth", "beamwidth", "tilt")
_BANDS = {
    "2.4": "2.4", "2": "2.4", "2g": "2.4", "5": "5", "5g": "5", "6": "6", "6g": "6",
}  # fmt: skip
_LAST_CHANNEL = {"": 233, "2.4": 14, "5": 196, "6": 233}
_INDOOR = {
    **dict.fromkeys(("1", "true", "yes", "y", "si", "sí", "indoor", "indoors", "interior"), True),
    **dict.fromkeys(("0", "false", "no", "n", "outdoor", "outdoors", "exterior", "outside"), False),
}

_RANGES = {
    "power": (-30.0, 40.0, "dBm"), "antenna_gain": (-20.0, 40.0, "dBi"),
    "azimuth": (-360.0, 360.0, "degrees"), "beamwidth": (1.0, 360.0, "degrees"),
    "tilt": (-90.0, 90.0, "degrees"), "height": (0.5, 500.0, "metres above ground"),
}  # fmt: skip


@dataclass(frozen=True)
class RadioCells:
    """A radio as a row tells it; None is not said."""

    band: str = ""
    channel: int | None = None
    power_dbm: float | None = None
    antenna_dbi: float | None = None
    azimuth_deg: float | None = None
    beamwidth_deg: float | None = None
    tilt_deg: float | None = None


def read_radios(reader: Reader, row: Row) -> tuple[RadioCells, ...]:
    """A row's radios, one for each band it names; () where it says nothing of any.

    Raises
    ------
    BadCellError
        A band, channel, power, gain or angle cannot be one.
    """
    if not any(reader.has(field) for field in FIELDS):
        return ()
    bands = _bands(reader, row)
    channels = _channels(reader, row, bands)
    power = _within(reader, row, "power")
    gain = _within(reader, row, "antenna_gain")
    azimuth = _within(reader, row, "azimuth")
    beamwidth = _within(reader, row, "beamwidth")
    tilt = _within(reader, row, "tilt")
    if beamwidth is not None and beamwidth < 360 and azimuth is None:
        raise BadCellError(
            reader.column("beamwidth"), reader.cell(row, "beamwidth"),
            "needs an azimuth: where does the antenna look?",
        )  # fmt: skip
    azimuth = None if azimuth is None else azimuth % 360
    found = [
        RadioCells(band, channel, power, gain, azimuth, beamwidth, tilt)
        for band, channel in zip(bands or ("",), channels, strict=True)
    ]
    return tuple(cells for cells in found if cells != RadioCells())


def read_height(reader: Reader, row: Row) -> float | None:
    """Height of the antennas above ground in metres; None if empty."""
    return _within(reader, row, "height")


def read_indoor(reader: Reader, row: Row) -> bool | None:
    """Whether the site is in a building; None if empty. BadCellError unless it is a yes or no."""
    text = reader.text(row, "indoor")
    if text is None:
        return None
    if text.lower() not in _INDOOR:
        raise BadCellError(
            reader.column("indoor"), text, "is neither yes nor no (or indoor, outdoor)"
        )
    return _INDOOR[text.lower()]


def _bands(reader: Reader, row: Row) -> tuple[str, ...]:
    text = reader.text(row, "band")
    if text is None:
        return ()
    bare = re.sub(r"ghz", "", text, flags=re.IGNORECASE)
    found = []
    for part in re.split(r"[;/&+,\s]+", bare.replace("2,4", "2.4")):
        if not part:
            continue
        band = _BANDS.get(part.lower())
        if band is None:
            raise BadCellError(reader.column("band"), text, "is no band: 2.4, 5 or 6 (GHz)")
        found.append(band)
    return tuple(dict.fromkeys(found))


def _channels(reader: Reader, row: Row, bands: Sequence[str]) -> list[int | None]:
    count = max(1, len(bands))
    text = reader.text(row, "channel")
    if text is None or text.lower() == "auto":
        return [None] * count
    parts = [part for part in re.split(r"[;/&+,\s]+", text) if part]
    if len(parts) != count:
        raise BadCellError(
            reader.column("channel"), text, f"holds {len(parts)} channels for {count} bands"
        )
    return [
        None if part.lower() == "auto" else _channel(reader, text, part, band)
        for part, band in zip(parts, bands or ("",), strict=True)
    ]


def _channel(reader: Reader, text: str, part: str, band: str) -> int:
    try:
        value, _ = read_number(part, "count")
    except ValueError as error:
        raise BadCellError(reader.column("channel"), text, str(error)) from None
    if not value.is_integer() or not 1 <= value <= _LAST_CHANNEL[band]:
        where = f"of {band} GHz" if band else "of Wi-Fi"
        raise BadCellError(reader.column("channel"), text, f"is no channel {where}")
    return int(value)


def _within(reader: Reader, row: Row, field: str) -> float | None:
    low, high, unit = _RANGES[field]
    value = reader.number(row, field)
    if value is not None and not low <= value <= high:
        raise BadCellError(
            reader.column(field), reader.cell(row, field),
            f"is not within {low:g} to {high:g} {unit}",
        )  # fmt: skip
    return value


def store_radios(session: Session, rows: Mapping[str, Sequence[RadioCells]]) -> int:
    """Keep the radios of devices by their id; returns how many were new or changed.

    What a row tells goes to the device's radio of that band, else to a radio without a band, else
    to a new one. What a row does not say stays as it was.
    """
    if not rows:
        return 0
    held: dict[str, list[Radio]] = {}
    for radio in session.scalars(select(Radio).order_by(Radio.id)):
        if radio.device_id in rows:
            held.setdefault(radio.device_id, []).append(radio)
    changed = 0
    for device, cells in rows.items():
        own = held.setdefault(device, [])
        for said in cells:
            fits = [r for r in own if r.band == said.band]
            if not fits and len(cells) == 1:
                fits = [r for r in own if not r.band]
            if fits:
                radio = fits[0]
                changed += _differs(radio, said)
            else:
                name = RADIO if len(cells) == 1 and not own else f"{RADIO} {said.band}".strip()
                radio = Radio(device_id=device, name=_free(name, own), band=said.band)
                session.add(radio)
                own.append(radio)
                changed += 1
            for field, value in vars(said).items():
                if value not in (None, ""):
                    setattr(radio, field, value)
    session.flush()
    return changed


def _differs(radio: Radio, said: RadioCells) -> bool:
    return any(
        value not in (None, "") and getattr(radio, field) != value
        for field, value in vars(said).items()
    )


def _free(name: str, own: Sequence[Radio]) -> str:
    taken = {radio.name for radio in own}
    return next(
        n for n in (name, *(f"{name} {k}" for k in range(2, len(own) + 3))) if n not in taken
    )
