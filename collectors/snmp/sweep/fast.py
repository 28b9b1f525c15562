"""The fast readings of a response: the envelope, the values of OIDs that are known beforehand, and
the rows of a table. They read what nearly every agent sends and return None for all else, which is
then read by `ber.decode_response`; what they accept means the same there.
"""

from __future__ import annotations

from collections.abc import Sequence

from collectors.snmp.model import Oid, RawValue
from collectors.snmp.sweep.ber import index_of, oid_of, value_of

_from_bytes = int.from_bytes
_NO_ERROR = b"\x02\x01\x00\x02\x01\x00\x30"
"""error-status 0, error-index 0, and the tag of the varbinds' list."""

Envelope = tuple[bytes, bytes, int]
Rows = tuple[list[dict[Oid, RawValue]], list[Oid], list[bool], bool]


def open_envelope(data: bytes) -> Envelope | None:
    """Version and community as they are encoded, the request-id's four octets, and where the
    varbinds begin, of a response without an error.
    """
    try:
        size = len(data)
        length = data[1]
        at = 2 if length < 0x80 else length - 0x7E  # after tag and length: 2, 3 or 4
        pdu = at + 5 + data[at + 4]  # after version and community
        pdu_length = data[pdu + 1]
        ids = pdu + 2 if pdu_length < 0x80 else pdu + pdu_length - 0x7E
        list_length = data[ids + 13]
        binds = ids + 14 if list_length < 0x80 else ids + list_length - 0x72
        if (
            data[0] != 0x30
            or (length if length < 0x80 else _from_bytes(data[2:at], "big")) + at != size
            or data[at + 3] != 0x04
            or data[at + 4] > 0x7F
            or data[pdu] != 0xA2
            or (pdu_length if pdu_length < 0x80 else _from_bytes(data[pdu + 2 : ids], "big")) + ids
            != size
            or data[ids : ids + 2] != b"\x02\x04"
            or data[ids + 6 : ids + 13] != _NO_ERROR
            or (list_length if list_length < 0x80 else _from_bytes(data[ids + 14 : binds], "big"))
            + binds
            != size
        ):
            return None
        return data[at:pdu], data[ids + 2 : ids + 6], binds
    except IndexError:
        return None


def read_values(
    data: bytes, at: int, expected: Sequence[tuple[bytes, int]]
) -> list[RawValue | None] | None:
    """The values of the `expected` OIDs (encoded, with their size) in this order; None if the
    response holds others or is encoded in some other way.
    """
    values: list[RawValue | None] = []
    append = values.append
    try:
        for oid, size in expected:
            tag_at = at + 2 + size
            length = data[tag_at + 1]
            end = tag_at + 2 + length
            if (
                data[at + 2 : tag_at] != oid
                or data[at + 1] != size + 2 + length
                or data[at + 1] > 0x7F
                or data[at] != 0x30
            ):
                return None
            tag = data[tag_at]
            if tag == 0x04:
                append(data[tag_at + 2 : end])
            elif tag == 0x02 and 0 < length < 5:
                append(_from_bytes(data[tag_at + 2 : end], "big", signed=True))
            elif 0x41 <= tag <= 0x43 and 0 < length < 5 and data[tag_at + 2] < 0x80:
                append(_from_bytes(data[tag_at + 2 : end], "big"))
            else:
                append(value_of(tag, data[tag_at + 2 : end]))
            at = end
    except IndexError:
        return None
    return values if at == len(data) else None


def read_rows(
    data: bytes, at: int, columns: Sequence[tuple[bytes, int]], last: Sequence[Oid]
) -> Rows | None:
    """The rows of the answer to a GETBULK or GETNEXT for `columns` (content octets of their OIDs,
    with the size), of which the indexes in `last` were read already.

    Returns the cells by column, the last index of each, which columns have ended, and whether an
    OID did not increase (what follows it is not read).
    """
    found: list[dict[Oid, RawValue]] = [{} for _ in columns]
    reached = list(last)
    ended = [False] * len(columns)
    stuck = False
    numbered = [(number, *column) for number, column in enumerate(columns)]
    end = len(data)
    try:
        while at < end:
            for number, column, size in numbered:
                if at >= end:
                    break
                oid_size = data[at + 3]
                tag_at = at + 4 + oid_size
                length = data[tag_at + 1]
                total = data[at + 1]
                if (
                    total != oid_size + 4 + length
                    or total > 0x7F
                    or data[at] != 0x30
                    or data[at + 2] != 0x06
                ):
                    return None
                tag = data[tag_at]
                suffix = at + 4 + size
                if tag == 0x82 or oid_size < size or data[at + 4 : suffix] != column:
                    if oid_of(data[at + 4 : tag_at]) is None:
                        return None
                    ended[number] = True
                elif not ended[number]:
                    index = index_of(data[suffix:tag_at])
                    if index is None:
                        return None
                    if index <= reached[number]:
                        stuck = ended[number] = True
                    else:
                        reached[number] = index
                        value: RawValue | None
                        if tag == 0x04:
                            value = data[tag_at + 2 : tag_at + 2 + length]
                        elif tag == 0x02 and 0 < length < 5:
                            value = _from_bytes(
                                data[tag_at + 2 : tag_at + 2 + length], "big", signed=True
                            )
                        elif 0x41 <= tag <= 0x43 and 0 < length < 5 and data[tag_at + 2] < 0x80:
                            value = _from_bytes(data[tag_at + 2 : tag_at + 2 + length], "big")
                        else:
                            value = value_of(tag, data[tag_at + 2 : tag_at + 2 + length])
                        if value is not None:
                            found[number][index] = value
                at = tag_at + 2 + length
    except IndexError:
        return None
    return (found, reached, ended, stuck) if at == end else None
