"""Refuses tables about single people: usage comes in as sums over a place and period, and nothing
that tells one resident from another is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from farola.errors import InputError
from inventory.importers.source import Source, fold

SAMPLE = 500
SHARE = 0.2
"""A column is refused when this share of its cells, or more, look like a person's."""

_NAMES = re.compile(
    r"((client|device|user|calling)?mac(address)?|macdispositivo|adressemac|callingstationid"
    r"|e?mail(address)?|correo(electronico)?|courriel|adressemail|(tele|mobile)?phone(number)?"
    r"|telefono?|telefone|movil|celular|msisdn|imsi|imei|user(name|id)|login"
    r"|(client|framed)?ip(address)?|dni|curp|passport)"
)
_MAC = r"([0-9a-f]{2}[:\-.]?){5}[0-9a-f]{2}|([0-9a-f]{4}\.){2}[0-9a-f]{4}"
_LOOKS = (
    ("MAC addresses", re.compile(_MAC, re.I)),
    ("e-mail addresses", re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")),
    ("phone numbers", re.compile(r"\+\d[\d ().\-]{6,18}|\(\d{2,4}\)[\d \-]{6,12}")),
    ("IP addresses", re.compile(r"(\d{1,3}\.){3}\d{1,3}|[0-9a-f]{1,4}(:[0-9a-f]{0,4}){4,7}", re.I)),
)  # fmt: skip
_DIGEST = re.compile(r"[0-9a-f]{32,64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def refuse_people(source: Source, place: Sequence[str] = ()) -> None:
    """Raise InputError if a column of `source` names people or their devices.

    `place` are the columns that name sites, in which random ids (digests, UUIDs) are no person's.
    """
    for i, column in enumerate(source.columns):
        what = "a person's data by its name" if _NAMES.fullmatch(fold(column)) else ""
        cells = [str(row.cells[i]).strip() for row in source.rows[:SAMPLE] if row.cells[i]]
        patterns = [*_LOOKS]
        if column not in place:
            patterns.append(("digests, one a person or device", _DIGEST))
        for kind, pattern in patterns:
            hits = sum(_is_person(pattern, kind, cell) for cell in cells)
            if hits and hits >= SHARE * len(cells):
                what = kind
        if what:
            raise InputError(
                f"{source.path}: column {column!r} holds {what}: Farola reads sums over a place "
                "and period, never sessions of single people; add them up (and remove the column)"
            )


def _is_person(pattern: re.Pattern[str], kind: str, cell: str) -> bool:
    if not pattern.fullmatch(cell):
        return False
    # Twelve digits without a separator are a figure, not an address.
    return kind != "MAC addresses" or not cell.isdigit()
