"""Refuses tables about single people: usage comes in as sums over a place and period, and nothing
that tells one resident from another is read.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence

from farola.errors import InputError
from inventory.importers.contents import Source
from inventory.importers.names import fold

SAMPLE = 500
SHARE = 0.2
"""A column is refused when this share of its cells, or more, look like a person's."""

_NAMES = re.compile(
    r"((client|device|user|calling)?mac(address)?|macdispositivo|adressemac|callingstationid"
    r"|e?mail(address)?|correo(electronico)?|courriel|adressemail|(tele|mobile)?phone(number)?"
    r"|telefono?|telefone|movil|celular|msisdn|imsi|imei|user(name|id)"
    r"|(client|framed)?ip(address)?|dni|curp|passport)"
)
_MAC = re.compile(r"([0-9a-f]{2}[:\-.]){5}[0-9a-f]{2}|([0-9a-f]{4}\.){2}[0-9a-f]{4}", re.I)
_BARE_MAC = re.compile(r"[0-9a-f]{12}", re.IGNORECASE)
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"\+\d[\d ().\-]{6,18}|\(\d{2,4}\)[\d \-]{6,12}")
_DIGEST = re.compile(r"[0-9a-f]{32,64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def _is_digest(cell: str) -> bool:
    # Twelve hexadecimal digits are a MAC address without its colons; twelve digits are a figure.
    bare_mac = not cell.isdigit() and _BARE_MAC.fullmatch(cell)
    return bool(bare_mac or _DIGEST.fullmatch(cell))


def _is_ip(cell: str) -> bool:
    try:
        return bool(ipaddress.ip_address(cell))
    except ValueError:
        return False


_Look = tuple[str, Callable[[str], object]]
_DIGESTS: _Look = ("keys of persons or devices", _is_digest)
_LOOKS: tuple[_Look, ...] = (
    ("MAC addresses", _MAC.fullmatch),
    ("e-mail addresses", _MAIL.fullmatch),
    ("phone numbers", _PHONE.fullmatch),
    ("IP addresses", _is_ip),
)


def refuse_people(source: Source, places: Sequence[str] = ()) -> None:
    """Raise InputError if a column of `source` names people or their devices.

    `places` are the columns that name sites, in which random ids (digests, UUIDs) are no person's.
    """
    for i, column in enumerate(source.columns):
        cells = [str(row.cells[i]).strip() for row in source.rows[:SAMPLE] if row.cells[i]]
        what = _what_of_people(column, cells, column in places)
        if what:
            raise InputError(
                f"{source.path}: column {column!r} holds {what}: Farola reads sums over a place "
                "and period, never sessions of single people; add them up (and remove the column)"
            )


def _what_of_people(column: str, cells: Sequence[str], is_place: bool) -> str:
    """What of people a column holds; empty if nothing."""
    looks_like = _LOOKS if is_place else (*_LOOKS, _DIGESTS)
    for what, looks in looks_like:
        hits = sum(bool(looks(cell)) for cell in cells)
        if hits and hits >= SHARE * len(cells):
            return what
    return "a person's data by its name" if _NAMES.fullmatch(fold(column)) else ""
