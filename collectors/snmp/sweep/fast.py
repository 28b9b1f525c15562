"""The fast readings of a response: the envelope, the values of OIDs that are known beforehand, and
the rows of a table. They read what nearly every agent sends and return None for all else, which is
then read by `ber.decode_response`; what they accept means the same there.
"""

from __future__ import annotations

from collections.abc import Sequence

from collectors.snmp.model import Oid, RawValue
from collectors.snmp.sweep.ber import (
    COUNTER32,
    COUNTER64,
    END_OF_VIEW,
    GAUGE32,
    TICKS,
    arcs_of,
    is_foreign,
    oid_of,
    pair_at,
    value_of,
)

_from_bytes = int.from_bytes
_NO_ERROR = b"\x02\x01\x00\x02\x01\x00\x30"
"""error-status 0, error-index 0, and the tag of the varbinds' list."""

_OCTETS, _SIGNED, _UNSIGNED, _OTHER = range(4)
UNSIGNED_SIZES = {COUNTER32: 4, GAUGE32: 4, TICKS: 4, COUNTER64: 8}
"""Octets of the largest value of these types."""
_HEADS = 256
_CELLS = 4096

Head = tuple[int, int]
"""Kind and length of a value."""
Cell = tuple[Oid | None, int, int]
"""Index, kind and length of a value in a column."""
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


class Expected:
    """An OID that a response is expected to hold next: `size` octets come before the value (tag and
    length of the varbind, the OID, tag and length of the value), and `heads` knows what the usual
    ones of them say.
    """

    __slots__ = ("content", "heads", "size")

    def __init__(self, content: bytes) -> None:
        """`content` is the OID's, without tag and length."""
        self.content = content
        self.size = len(content) + 6
        self.heads: dict[bytes, Head] = {}

    def learn(self, head: bytes) -> Head | None:
        """What `head` says; None if it is another OID's, or not encoded in the shortest form."""
        found = _head_of(head)
        if found is None or head[4:-2] != self.content:
            return None
        if len(self.heads) >= _HEADS:
            self.heads.clear()
        self.heads[head] = found
        return found


def _head_of(head: bytes) -> Head | None:
    """The kind of value and its length that the octets before it announce; None if they are not
    in the shortest form.
    """
    if len(head) < 6:
        return None
    tag, length = head[-2:]
    if (
        head[0] != 0x30
        or is_foreign(tag)
        or head[1] > 0x7F
        or head[2] != 0x06
        or head[3] != len(head) - 6
        or head[1] != len(head) - 2 + length
    ):
        return None
    if tag == 0x04:
        return _OCTETS, length
    if tag == 0x02 and 0 < length < 5:
        return _SIGNED, length
    if tag in UNSIGNED_SIZES and 0 < length <= UNSIGNED_SIZES[tag]:
        return _UNSIGNED, length
    return _OTHER, length


def read_values(data: bytes, at: int, expected: Sequence[Expected]) -> list[RawValue | None] | None:
    """The values of the `expected` OIDs in this order; None if the response holds others or is
    encoded in some other way.
    """
    values: list[RawValue | None] = []
    append = values.append
    for one in expected:
        start = at + one.size
        head = one.heads.get(data[at:start]) or one.learn(data[at:start])
        if head is None:  # most likely a long string, whose length takes more octets
            pair = pair_at(data, at)
            if pair is None or pair[0] != one.content:
                return None
            _, tag, start, at = pair
            append(value_of(tag, data[start:at]))
            continue
        kind, length = head
        at = start + length
        content = data[start:at]
        if kind == _OCTETS:
            append(content)
        elif kind == _SIGNED:
            append(_from_bytes(content, "big", signed=True))
        elif kind == _UNSIGNED and content < b"\x80":
            append(_from_bytes(content, "big"))
        else:
            append(value_of(data[start - 2], content))
    return values if at == len(data) else None


class Column:
    """A column as it comes in the answer to a GETBULK: `heads` knows what the octets before the
    value of the usual rows say.
    """

    __slots__ = ("content", "heads")

    def __init__(self, content: bytes) -> None:
        """`content` is that of the column's OID, without tag and length."""
        self.content = content
        self.heads: dict[bytes, Cell] = {}

    def learn(self, head: bytes) -> Cell | None:
        """What `head` says: the index (None past the end of the column), kind and length; None if
        it is not encoded in the shortest form.
        """
        found = _head_of(head)
        if found is None or oid_of(head[4:-2]) is None:
            return None
        if len(self.heads) >= _CELLS:
            self.heads.clear()
        cell = self.heads[head] = (self.index_of(head[4:-2], head[-2]), *found)
        return cell

    def index_of(self, oid: bytes, tag: int) -> Oid | None:
        """The row that this OID (its content) is in; None past the end of the column."""
        if tag == END_OF_VIEW or not oid.startswith(self.content):
            return None
        return arcs_of(oid[len(self.content) :])


def read_rows(data: bytes, at: int, columns: Sequence[Column], last: Sequence[Oid]) -> Rows | None:
    """The rows of the answer to a GETBULK or GETNEXT for `columns`, of which the indexes in `last`
    were read already.

    Returns the cells by column, the last index of each, which columns have ended, and whether an
    OID did not increase (what follows it is not read).
    """
    found: list[dict[Oid, RawValue]] = [{} for _ in columns]
    reached = list(last)
    ended = [False] * len(columns)
    stuck = False
    numbered = [
        (number, column.heads, column, found[number]) for number, column in enumerate(columns)
    ]
    try:
        while numbered:
            for number, heads, column, cells in numbered:
                start = at + data[at + 3] + 6  # IndexError ends the loop, at the end of the data
                cell = heads.get(data[at:start]) or column.learn(data[at:start])
                if cell is None:  # most likely a long string
                    pair = pair_at(data, at)
                    if pair is None or oid_of(pair[0]) is None:
                        return None
                    oid, tag, start, at = pair
                    index, kind = column.index_of(oid, tag), _OTHER
                else:
                    index, kind, length = cell
                    tag = data[start - 2]
                    at = start + length
                if index is None or ended[number] or index <= reached[number]:
                    stuck |= index is not None and not ended[number]
                    ended[number] = True
                else:
                    reached[number] = index
                    content = data[start:at]
                    if kind == _SIGNED:
                        cells[index] = _from_bytes(content, "big", signed=True)
                    elif kind == _OCTETS:
                        cells[index] = content
                    elif kind == _UNSIGNED and content < b"\x80":
                        cells[index] = _from_bytes(content, "big")
                    elif (value := value_of(tag, content)) is not None:
                        cells[index] = value
    except IndexError:
        pass
    return (found, reached, ended, stuck) if at == len(data) else None
