"""What comes from the air is hostile: never an exception, never a wrong value."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.airwaves import elements
from collectors.airwaves.beacon import Beacon, Skipped, from_line, to_line
from collectors.airwaves.elements import announced, remembered
from collectors.airwaves.frames import band_and_channel, decode

RADIOTAP, BARE, PRISM = 127, 105, 119


@given(st.binary(max_size=400), st.sampled_from([RADIOTAP, BARE, PRISM, 1]))
def test_any_bytes_give_a_beacon_or_a_reason(data: bytes, link: int) -> None:
    found = decode(link, data, 1, 0, len(data))
    assert isinstance(found, Beacon | Skipped)


@given(data=st.data())
def test_a_frame_cut_short_is_skipped_and_never_misread(data: st.DataObject, make_beacon) -> None:
    whole = make_beacon(security="WPA2", checksum=True)
    cut = data.draw(st.integers(0, len(whole) - 1))
    found = decode(RADIOTAP, whole[:cut], 1, 0, len(whole))
    assert found in (Skipped.TRUNCATED, Skipped.MALFORMED)


@given(data=st.data())
def test_a_flipped_bit_is_caught_by_the_checksum(data: st.DataObject, make_beacon) -> None:
    whole = bytearray(make_beacon(security="WPA2", checksum=True))
    start = whole[2]
    at = data.draw(st.integers(start + 1, len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    assert decode(RADIOTAP, bytes(whole), 1, 0, len(whole)) is Skipped.CORRUPT


@given(others=st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=60)), max_size=8))
def test_the_name_and_security_survive_any_other_elements(others, make_beacon) -> None:
    quiet = [e for e in others if e[0] not in (0, 3, 48, 61, 68, 221, 255)]
    more = b"".join(bytes([kind, len(content)]) + content for kind, content in quiet)
    found = decode(RADIOTAP, make_beacon(b"Plaza", security="WPA2", more=more), 1, 0)
    assert isinstance(found, Beacon)
    assert (found.ssid, found.security, found.channel) == (b"Plaza", "WPA2", 6)


@given(ssid=st.binary(max_size=40), signal=st.integers(-128, 127), tsf=st.integers(0, 2**64 - 1))
def test_any_name_level_and_clock_come_through(ssid, signal, tsf, make_beacon) -> None:
    found = decode(RADIOTAP, make_beacon(ssid, signal=signal, tsf=tsf), 7, 99)
    if len(ssid) > 32:
        assert found is Skipped.MALFORMED
        return
    assert isinstance(found, Beacon)
    assert (found.rssi_dbm, found.tsf_us, found.frame, found.at_us) == (signal, tsf, 7, 99)
    assert found.ssid == (ssid if ssid.strip(b"\0") else b"")
    assert from_line(to_line(found)) == found


ELEMENT = st.tuples(
    st.sampled_from([0, 1, 3, 5, 5, 7, 11, 11, 48, 61, 221, 255]), st.binary(max_size=5)
).map(lambda e: bytes([e[0], len(e[1])]) + e[1])


@given(
    bodies=st.lists(st.lists(ELEMENT, max_size=6).map(b"".join), min_size=1, max_size=6),
    turns=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40), st.integers(0, 255))),
)
def test_what_is_remembered_of_a_sender_is_what_the_frame_says(bodies, turns) -> None:
    for which, at, byte in turns:
        body = bytearray(bodies[which % len(bodies)])
        if at < len(body):
            body[at] = byte
        whole = bytes(body)
        assert remembered(whole, False, b"one") == announced(whole, False)


def test_the_load_of_an_access_point_is_not_looked_at_twice(monkeypatch) -> None:
    walks = []
    monkeypatch.setattr(
        "collectors.airwaves.elements._walk",
        lambda body, walk=elements._walk: walks.append(1) or walk(body),
    )
    for n in range(50):
        body = b"\x00\x05Plaza\x05\x04" + bytes([n, 3, 0, 0]) + b"\x0b\x05" + bytes([n] * 5)
        found = remembered(body, False, b"walked once")
        assert found is not None
        assert found.ssid == b"Plaza"
    assert len(walks) == 1


@pytest.mark.parametrize("subtype", [0x40, 0x00, 0x20, 0xB0, 0xC0, 0xD0, 0x88, 0x08, 0xD4])
def test_frames_of_clients_are_not_looked_into(subtype: int, make_beacon) -> None:
    frame = make_beacon(subtype=subtype)
    assert decode(RADIOTAP, frame, 1, 0, len(frame)) is Skipped.OTHER


def test_the_receiver_of_a_probe_response_is_never_read_out(make_beacon) -> None:
    client = "02:aa:bb:cc:dd:ee"
    found = decode(RADIOTAP, make_beacon(subtype=0x50, receiver=client), 1, 0)
    assert isinstance(found, Beacon)
    assert found.probe_response
    line = to_line(found)
    assert client not in line
    assert client.replace(":", "") not in line


def test_a_frame_that_was_captured_short_says_so(make_beacon) -> None:
    frame = make_beacon()
    assert decode(RADIOTAP, frame, 1, 0, len(frame) + 40) is Skipped.TRUNCATED


@pytest.mark.parametrize(
    ("change", "at"),
    [("multicast bssid", 16), ("more fragments", 1), ("encrypted", 1)],
)
def test_what_no_access_point_sends_is_malformed(change: str, at: int, make_beacon) -> None:
    frame = bytearray(make_beacon())
    start = frame[2]
    frame[start + at] |= {"multicast bssid": 1, "more fragments": 4, "encrypted": 0x40}[change]
    assert decode(RADIOTAP, bytes(frame), 1, 0) is Skipped.MALFORMED


def test_several_antennas_use_more_words_of_presence(make_beacon) -> None:
    plain = make_beacon(signal=-70)
    frame = plain[plain[2] :]
    present = (1 << 1 | 1 << 3 | 1 << 5 | 1 << 31, 1 << 5 | 1 << 11 | 1 << 31, 1 << 5 | 1 << 11)
    fields = struct.pack("<BBHHb", 0, 0, 5180, 0x140, -51) + b"\xb0\x00\xc0\x01"
    tap = struct.pack("<BBH3I", 0, 0, 16 + len(fields), *present) + fields
    found = decode(RADIOTAP, tap + frame, 1, 0)
    assert isinstance(found, Beacon)
    assert (found.rssi_dbm, found.band) == (-51, "5")


def test_a_prism_header_is_stepped_over(make_beacon) -> None:
    radiotap = make_beacon()
    header = struct.pack("<II", 0x44, 144) + bytes(136)
    found = decode(PRISM, header + radiotap[radiotap[2] :], 1, 0)
    assert isinstance(found, Beacon)
    assert (found.ssid, found.rssi_dbm) == (b"Free WiFi", None)


def test_a_checksum_that_nobody_announced_is_not_read_as_elements(make_beacon) -> None:
    radiotap = make_beacon(checksum=True)
    found = decode(BARE, radiotap[radiotap[2] :], 1, 0)
    assert isinstance(found, Beacon)


@pytest.mark.parametrize(
    ("rsn", "security"),
    [
        ("0100", "Enterprise"),
        ("0100000fac04", "Enterprise"),
        ("0100000fac040100000fac040100000fac12", "OWE"),
        ("0100000fac040100000fac040200000fac02000fac08", "WPA2/WPA3-SAE"),
        ("0100000fac040100000fac040100001122ff", "unknown"),
        ("0200000fac04", "unknown"),
        ("0100000fac040100000fac04ff00000fac02", None),
        ("01", None),
    ],
)
def test_security_elements_by_the_standard(rsn: str, security: str | None) -> None:
    content = bytes.fromhex(rsn)
    found = announced(b"\x00\x01A" + bytes([48, len(content)]) + content, True)
    assert (found.security if found else None) == security


def test_six_gigahertz_is_told_by_its_own_element() -> None:
    operation = bytes([36]) + (1 << 17).to_bytes(3, "little") + bytes(3) + bytes([37, 0, 0, 0, 0])
    found = announced(b"\x00\x01A" + bytes([255, len(operation)]) + operation, False)
    assert found is not None
    assert band_and_channel(found.channel, found.six_ghz, None) == ("6", 37)


@pytest.mark.parametrize(
    ("channel", "frequency", "expected"),
    [
        (None, 2484, ("2.4", 14)), (None, 5935, ("6", 2)), (None, 5955, ("6", 1)),
        (None, 5180, ("5", 36)), (6, 2442, ("2.4", 6)), (6, 5180, ("5", None)),
        (None, 900, ("", None)), (0, 2412, ("2.4", None)), (None, 5181, ("5", None)),
    ],
)  # fmt: skip
def test_band_and_channel(channel, frequency, expected) -> None:
    assert band_and_channel(channel, False, frequency) == expected


def test_the_fingerprint_holds_over_the_parts_that_change(make_beacon) -> None:
    def print_of(**changes: object) -> str:
        found = decode(RADIOTAP, make_beacon(**changes), 1, 0)
        assert isinstance(found, Beacon)
        return found.fingerprint

    traffic = bytes([5, 4, 0, 3, 0, 0])
    usual = print_of(more=traffic)
    assert print_of(more=bytes([5, 4, 2, 3, 0, 8]), tsf=1, signal=-1) == usual
    assert print_of(more=traffic + bytes([45, 26]) + bytes(26)) != usual
    assert print_of(more=traffic, security="WPA2") != usual
