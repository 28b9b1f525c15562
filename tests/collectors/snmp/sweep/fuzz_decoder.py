"""The decoder under atheris, by hand: not part of the tests, which use hypothesis.

    pip install atheris && python -m tests.collectors.snmp.sweep.fuzz_decoder -max_total_time=600

It ends with the packet that made it fail, if any does.
"""

from __future__ import annotations

import sys

import atheris  # type: ignore[import-not-found]  # not a dependency

with atheris.instrument_imports(include=["collectors.snmp.sweep"]):
    from collectors.snmp.sweep import ber
    from tests.collectors.snmp.sweep import oracle


def packet_from(data: bytes) -> bytes:
    """Half of the time inside a sound frame, so that the varbinds are reached."""
    if not data or data[0] & 1:
        return data[1:]
    binds = b""
    for place, part in enumerate(data[1:].split(b"|")):
        name = ber.tlv(ber.OBJECT_ID, ber.oid_content(oracle.KEYS[place % 3]))
        binds += ber.tlv(ber.SEQUENCE, name + part) if data[0] & 2 else part
    pdu = b"\x02\x04ABCD\x02\x01\x00\x02\x01\x00" + ber.tlv(ber.SEQUENCE, binds)
    return ber.tlv(
        ber.SEQUENCE, b"\x02\x01\x01" + ber.tlv(ber.OCTETS, b"public") + ber.tlv(ber.RESPONSE, pdu)
    )


def one(data: bytes) -> None:
    """Check one input."""
    packet = packet_from(data)
    oracle.check_against_pyasn1(packet)
    oracle.check_fast_scalars(packet)
    oracle.check_fast_rows(packet)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
