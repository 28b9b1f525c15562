"""Which addresses a range means: all of it, nothing else, and no more than was meant."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.discovery.ranges import LIMIT, read_ranges
from farola.errors import InputError

networks = st.builds(
    lambda number, length: ipaddress.ip_network((number, length), strict=False),
    st.integers(int(ipaddress.ip_address("1.0.0.0")), int(ipaddress.ip_address("223.0.0.0"))),
    st.integers(22, 32),
)


@settings(deadline=None)
@given(st.lists(networks, min_size=1, max_size=4))
def test_a_network_is_its_hosts_each_once_and_nothing_else(some):
    ranges = read_ranges([str(one) for one in some])
    asked = list(ranges)
    meant = {str(host) for one in some for host in one.hosts()}
    assert len(asked) == len(set(asked)) == ranges.count
    assert set(asked) == meant
    assert all(address in ranges for address in asked)
    outside = {str(one.network_address - 1) for one in some} - meant
    assert not any(address in ranges for address in outside)


def test_addresses_ranges_and_small_ipv6_networks():
    assert list(read_ranges(["10.2.0.254-10.2.1.1", "10.2.0.7"])) == [
        "10.2.0.7", "10.2.0.254", "10.2.0.255", "10.2.1.0", "10.2.1.1",
    ]  # fmt: skip
    assert list(read_ranges(["2001:db8::/126"])) == ["2001:db8::1", "2001:db8::2", "2001:db8::3"]


def test_a_file_holds_one_range_a_line(tmp_path):
    file = tmp_path / "ranges.txt"
    file.write_text("# the park\n10.2.0.0/30\n\n10.3.0.1  # the gate\n")
    assert list(read_ranges([str(file)])) == ["10.2.0.1", "10.2.0.2", "10.3.0.1"]
    file.write_text("10.2.0.0/30\nthe gate\n")
    with pytest.raises(InputError, match="line 2: 'the gate'"):
        read_ranges([str(file)])


def test_more_than_a_14_must_be_said_to_be_meant():
    assert read_ranges(["10.0.0.0/14"]).count == LIMIT - 2
    for texts in (["10.0.0.0/13"], ["10.0.0.0/14", "10.8.0.0/29"], ["2001:db8::/108"]):
        with pytest.raises(InputError, match="--large"):
            read_ranges(texts)
        assert read_ranges(texts, large=True).count > LIMIT
    with pytest.raises(InputError, match="too many"):
        read_ranges(["2001:db8::/64"], large=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("127.20.0.5/22", "write 127.20.0.0/22"),
        ("10.0.0.9-10.0.0.1", "not below"),
        ("10.0.0.1-::1", "IPv4 and IPv6 mixed"),
        ("0.0.0.0/0", "no device has"),
        ("239.1.2.3", "no device has"),
        ("255.255.255.255", "no device has"),
        ("ff02::1", "no device has"),
        ("fe80::1%eth0", "zone"),
        ("ap-7.example.net", "no address"),
        ("10.0.0.0/33", "no network"),
        ("", "no address"),
        ("x" * 10_000, "no range"),
        ("/", "no network"),
    ],
)
def test_what_is_no_range_is_one_line(text, said):
    with pytest.raises(InputError, match=said) as told:
        read_ranges([text])
    assert len(str(told.value)) < 300


@settings(deadline=None)
@given(st.text(max_size=40))
def test_rubbish_is_refused_in_one_line(text):
    told = ""
    try:
        read_ranges([text])
    except InputError as error:
        told = str(error)
    assert "\n" not in told
