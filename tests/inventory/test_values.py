"""Cells: what is unambiguous is read and told, what is not is refused."""

from __future__ import annotations

import math
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.importers.values import (
    decimal_sign,
    read_host,
    read_mac,
    read_number,
    read_port,
    read_text,
)


@pytest.mark.parametrize(
    ("cell", "kind", "value", "why"),
    [
        ("19.432707", "degrees", 19.432707, ""),
        (" -99.1 ", "degrees", -99.1, "outer spaces removed"),
        ("\n-99.2088389", "degrees", -99.2088389, "outer spaces removed"),
        ("19.56244779963221, ", "degrees", 19.56244779963221, "trailing comma removed"),
        ("19,432707", "degrees", 19.432707, "decimal comma read as a point"),
        ("19,432", "degrees", 19.432, "decimal comma read as a point"),
        ("-34,6", "degrees", -34.6, "decimal comma read as a point"),
        ("−34.6", "degrees", -34.6, "minus sign read"),
        ("34.6 S", "degrees", -34.6, "degrees with minutes or a hemisphere made decimal"),
        (
            "19°25'57.7\"N",
            "degrees",
            19.432694,
            "degrees with minutes or a hemisphere made decimal",
        ),
        ("1,234", "count", 1234, "thousands separators removed"),
        ("1.234", "count", 1234, "thousands separators removed"),
        ("1 234 567", "count", 1234567, "thousands separators removed"),
        ("1\u202f234", "count", 1234, "thousands separators removed"),
        ("1'234.5", "measure", 1234.5, "thousands separators removed"),
        ("1.234.567,5", "measure", 1234567.5, "decimal comma read as a point"),
        ("1,234,567.5", "measure", 1234567.5, "thousands separators removed"),
        ("0,123", "measure", 0.123, "decimal comma read as a point"),
        ("3183.0", "count", 3183, ""),
        ("1e3", "measure", 1000, ""),
        (7, "count", 7, ""),
        (7.5, "measure", 7.5, ""),
    ],
)
def test_numbers_written_in_many_ways(cell: object, kind: str, value: float, why: str) -> None:
    got, told = read_number(cell, kind)  # type: ignore[arg-type]
    assert got == pytest.approx(value, abs=1e-6)
    assert told == why


@pytest.mark.parametrize(
    "cell",
    ["nan", "NaN", "inf", "-Infinity", float("nan"), float("inf"), "1e999", "abc", "", "-", "1,2,3",
     "1.2.3", "12 34", "1,23,456", True, None, "0x10", "1_000", "١٢٬٣", "--5", "5-", "N/A"],
)  # fmt: skip
def test_what_is_no_finite_number_is_refused(cell: object) -> None:
    with pytest.raises(ValueError, match="is not a"):
        read_number(cell, "measure")


def test_a_measure_that_could_be_two_numbers_is_refused_unless_its_column_tells() -> None:
    with pytest.raises(ValueError, match=r"could mean 1234 or 1\.234"):
        read_number("1,234", "measure")
    assert decimal_sign(["1,234", "5,5", None, 3.5]) == ","
    assert read_number("1,234", "measure", ",")[0] == 1.234
    assert decimal_sign(["1,234", "1,234.5"]) == "."
    assert read_number("1,234", "measure", ".")[0] == 1234
    assert decimal_sign(["5,5", "5.5"]) == ""


def test_a_count_follows_its_column() -> None:
    assert read_number("1.234", "count", ",")[0] == 1234
    assert read_number("1.234", "count", ".")[0] == 1.234


@given(st.floats(min_value=-180, max_value=180))
def test_degrees_survive_every_way_of_writing_them(value: float) -> None:
    for text in (
        f"{value:.9f}",
        f" {value:.9f}",
        f"{value:.9f}, ",
        f"{value:.9f}".replace(".", ","),
    ):
        got, why = read_number(text, "degrees")
        assert got == pytest.approx(value, abs=1e-9)
        assert (why == "") == (text == f"{value:.9f}")


@given(st.integers(min_value=0, max_value=10**9))
def test_counts_survive_every_way_of_grouping_them(value: int) -> None:
    for separator in ",.'   \u00a0":
        assert read_number(f"{value:,}".replace(",", separator), "count")[0] == value


@given(st.text(max_size=30))
def test_any_text_is_a_finite_number_or_refused(text: str) -> None:
    try:
        value, _ = read_number(text, "degrees")
    except ValueError:
        return
    assert math.isfinite(value)


@given(st.text(alphabet=string.digits + ".,' -+eNSW°", max_size=12))
def test_reading_is_stable(text: str) -> None:
    """What was read, written plainly, reads as itself without a repair."""
    try:
        value, _ = read_number(text, "measure")
    except ValueError:
        return
    again, why = read_number(f"{value:f}", "measure")
    assert again == pytest.approx(value, abs=1e-6)
    assert why == ""


@pytest.mark.parametrize(
    ("cell", "text"),
    [(" a ", "a"), ("\tb\u00a0", "b"), (123.0, "123"), (123, "123"), (1.5, "1.5"), ("0123", "0123"),
     ("", None), ("  ", None), (None, None), ("\ufeffid", "id")],
)  # fmt: skip
def test_texts_lose_outer_spaces_only(cell: object, text: str | None) -> None:
    assert read_text(cell)[0] == text


@pytest.mark.parametrize(
    "text", ["AA:BB:CC:00:11:22", "aa-bb-cc-00-11-22", "aabb.cc00.1122", "AABBCC001122"]
)
def test_mac_addresses_are_written_one_way(text: str) -> None:
    assert read_mac(text) == ("aa:bb:cc:00:11:22", "written in lower case with colons")


@pytest.mark.parametrize(
    "text",
    ["", "aa:bb", "zz:bb:cc:00:11:22", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff",
     "01:00:5e:00:00:01", "aa:bb:cc:00:11:22:33"],
)  # fmt: skip
def test_what_is_no_mac_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="MAC"):
        read_mac(text)


@pytest.mark.parametrize(
    ("text", "host"),
    [("10.0.0.1", "10.0.0.1"), ("2001:DB8::1", "2001:db8::1"), ("[::1]", "::1"),
     ("AP-1.example.org", "ap-1.example.org"), ("ap1", "ap1")],
)  # fmt: skip
def test_hosts(text: str, host: str) -> None:
    assert read_host(text) == host


@pytest.mark.parametrize(
    "text",
    ["10.0.0.1:22", "http://10.0.0.1", "root@10.0.0.1", "10.0.0.1/24", "10.0.0.256", "0.0.0.0",
     "224.0.0.1", "a..b", "-a", "a b", "ñ", "a" * 64, "1.2.3", "", "-oProxyCommand=x"],
)  # fmt: skip
def test_what_is_no_host_alone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be|is n"):
        read_host(text)


@given(st.text(max_size=40))
def test_a_host_never_looks_like_an_option_or_holds_a_space(text: str) -> None:
    try:
        host = read_host(text)
    except ValueError:
        return
    assert not host.startswith("-")
    assert not any(c.isspace() for c in host)


def test_ports() -> None:
    assert read_port("8022") == 8022
    assert read_port(22.0) == 22
    for bad in ("0", "65536", "22.5", "ssh", "-1"):
        with pytest.raises(ValueError, match="is not a"):
            read_port(bad)
