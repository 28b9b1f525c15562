"""Raw values as devices send them: numbers in text, MAC addresses, uptimes, channels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.snmp.values import (
    address_of,
    band_of,
    band_of_channel,
    channel_of,
    mac_of,
    name_of,
    number_of,
    seconds_of,
    text_of,
)


@pytest.mark.parametrize(
    ("mhz", "expected"),
    [(2412, (1, "2.4")), (2462, (11, "2.4")), (2484, (14, "2.4")), (5180, (36, "5")),
     (5785, (157, "5")), (5955, (1, "6")), (7115, (233, "6")), (58_320, (1, "60")),
     (69_120, (6, "60")), (900, (None, "")), (2400, (None, "")), (0, (None, ""))],
)  # fmt: skip
def test_channels_of_frequencies(mhz, expected):
    assert channel_of(mhz) == expected


@pytest.mark.parametrize(
    ("channel", "band"),
    [(1, "2.4"), (14, "2.4"), (36, "5"), (144, "5"), (149, "5"), (177, "5"), (53, "6"), (69, "6"),
     (233, "6"), (0, ""), (20, ""), (178, ""), (255, "")],
)  # fmt: skip
def test_bands_of_channels(channel, band):
    assert band_of_channel(channel) == band


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(5, 5), (b"-90", -90), (b' "12" ', 12), (b"20.00 dBm", 20.0), (b"7\n", 7), (b"", None),
     (b"abc", None), (b"12abc", None), (b"1.2.3", None), (None, None), ((1, 3), None),
     (b"\xff\xfe", None), (10**400, None), (b"9" * 400, None)],
)  # fmt: skip
def test_numbers_out_of_what_devices_say(raw, expected):
    assert number_of(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(b"3 days, 04:05:06", 273_906), (b"1w2d3h", 788_400), (b"5 hours 2 minutes", 18_120),
     (b"42", 42), (42, 42), (b"12:30", 45_000), (b"1d 00:00:01", 86_401), (b"2 moons", None),
     (b"", None), (None, None)],
)  # fmt: skip
def test_uptimes_in_words(raw, expected):
    assert seconds_of(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(bytes([0, 0x1A, 0xB, 1, 2, 3]), "00:1a:0b:01:02:03"),
     (b"00-1A-0B-01-02-03", "00:1a:0b:01:02:03"), (b"001a.0b01.0203", "00:1a:0b:01:02:03"),
     (b"AP-00123", ""), (b"", ""), (7, ""), (None, "")],
)  # fmt: skip
def test_mac_addresses(raw, expected):
    assert mac_of(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(bytes([192, 0, 2, 7]), "192.0.2.7"), (b"192.0.2.7", "192.0.2.7"), (bytes(4), ""),
     (b"2001:db8::1", "2001:db8::1"), (b"2001:db8:0:0::12", "2001:db8::12"),
     (b"nowhere", ""), (5, "")],
)  # fmt: skip
def test_addresses(raw, expected):
    assert address_of(raw) == expected


def test_names_are_fit_to_be_tags():
    assert name_of(b' "City\x07 Free"\n') == "City Free"
    assert name_of((1, 2)) == "1.2"
    assert len(name_of(b"x" * 500)) == 64
    assert name_of(None) == ""


texts = st.text(max_size=20).map(str.encode)
oids = st.lists(st.integers(0, 2**32), max_size=9).map(tuple)


@given(st.one_of(st.none(), st.integers(), st.binary(max_size=40), texts, oids))
def test_nothing_that_a_device_sends_raises(raw):
    for reads in (number_of, text_of, name_of, mac_of, address_of, seconds_of, band_of):
        reads(raw)
