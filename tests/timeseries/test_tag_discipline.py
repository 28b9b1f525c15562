"""Cardinality is a promise: what may be a tag is listed here and in docs/timeseries.md, and a
client's address or a session never is one, whatever a device calls its radios and networks.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from farola.errors import StoreError
from timeseries import SCHEMA, Batch, Store, clean_batch
from timeseries.checking import checked
from timeseries.tags import MASK, OWN, fault_of_tag, masked

TOLD = {"interface", "radio", "band", "ssid", "check"}
"""Things that a device of the city has a handful of, by the names it gives them."""
GUIDE = Path(__file__).resolve().parents[2] / "docs" / "timeseries.md"
FORMS = (
    "{0}:{1}:{2}:{3}:{4}:{5}", "{0}-{1}-{2}-{3}-{4}-{5}", "{0} {1} {2} {3} {4} {5}",
    "{0}_{1}_{2}_{3}_{4}_{5}", "{0}.{1}.{2}.{3}.{4}.{5}",
    "{0}{1}{2}{3}{4}{5}", "{0}{1}.{2}{3}.{4}{5}", "{0}{1}-{2}{3}-{4}{5}", "{0}{1}{2}-{3}{4}{5}",
    "{0}{1}:{2}{3}:{4}{5}",
)  # fmt: skip
OCTETS = st.binary(min_size=6, max_size=6)
AROUND = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["", "wlan0-", "sta", "Ana ", "enx", ".7", "\\x0a", "a", "0", ":", "(MAC)", "é"]
)
NAMES = (
    "", "wlan0", "wlan0-1", "phy0-ap0", "ath0.100", "wl1.2", "radio0", "Radio-5GHz", "wifi1", "0",
    "25", "GigabitEthernet1/0/24", "ge-0/0/1.100", "1.1.2", "2.4", "5", "6 GHz", "10.20.30.40",
    "CDMX-Internet para Todos", "Café Fácil 2026", "face cafe", "dead-beef", "شبكة المدينة",
    "Casa 55 12 34 56 78", "2026-11-22 20:13", "DHCP", "HUAWEI-A5B1C2", "🍕", "a,b=c", 'q"',
)  # fmt: skip


def guide_rows(columns: int) -> list[list[str]]:
    """Rows of the guide's tables of so many columns whose first cell names measurements."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in GUIDE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    ]
    names = re.compile(r"`(\w+)`(?:, `(\w+)`)?")
    return [
        [name, *row[1:]]
        for row in rows
        if len(row) == columns and (found := names.fullmatch(row[0]))
        for name in found.groups()
        if name in SCHEMA
    ]


def test_only_what_the_city_has_a_bounded_number_of_is_a_tag() -> None:
    for shape in SCHEMA.values():
        assert set(shape.tags) <= OWN | TOLD, shape.name
        assert shape.tags, shape.name
        assert not set(shape.tags) & set(shape.fields), shape.name
    assert not OWN & TOLD
    assert {tag for shape in SCHEMA.values() for tag in shape.tags} == OWN | TOLD


def test_the_guide_tells_the_cardinality_of_each_measurement() -> None:
    rows = {name: [tag.strip() for tag in tags.split(",")] for name, tags, *_ in guide_rows(4)}
    assert rows == {shape.name: list(shape.tags) for shape in SCHEMA.values()}
    for _, _, combinations, in_a_city in guide_rows(4):
        assert combinations
        assert int(in_a_city.replace(",", "")) > 0


def test_the_guide_tells_the_fields_of_each_measurement_of_raw_rows() -> None:
    told = {name: re.findall(r"`(\w+)`", fields) for name, fields in guide_rows(2)}
    assert told == {s.name: list(s.fields) for s in SCHEMA.values() if not s.is_rollup}


def test_fields_have_one_of_four_types() -> None:
    for shape in SCHEMA.values():
        assert set(shape.fields.values()) <= {int, float, bool, str}, shape.name


def ssid(name: str, device: str = "ap-1") -> Batch:
    return Batch("ssid", [7], {"device": [device], "ssid": [name]}, {"clients": [1]})


def digits(text: str) -> str:
    return re.sub(r"[^0-9a-z]", "", text.lower())


@given(OCTETS, st.sampled_from(FORMS), st.booleans(), AROUND, AROUND)
@example(bytes(6), FORMS[0], False, "", "")
@example(b"\xff" * 6, FORMS[5], True, "a", "\\")
def test_an_address_in_a_name_is_neither_kept_nor_repeated(
    octets: bytes, form: str, is_upper: bool, before: str, after: str
) -> None:
    address = form.format(*(f"{octet:02x}" for octet in octets))
    address = address.upper() if is_upper else address
    name = before + address + after
    (kept,) = clean_batch("ssid", [7], {"device": ["a"], "ssid": [name]}, {"clients": [1]}).tags[
        "ssid"
    ]
    assert MASK in kept
    assert octets.hex() not in digits(kept)
    with pytest.raises(StoreError, match=r"tag ssid .* (looks like|control|ends with)") as refused:
        checked(ssid(name))
    assert octets.hex() not in digits(str(refused.value))


@pytest.mark.parametrize(
    "name",
    ["0:1b:2c:3:4:f5", "fe80::21b:2cff:fe03:405", "2001:db8:0:1:21b:2cff:fe03:405",
     "8f14e45f-ceea-467f-a8b3-bd1c5f2a3b4c", "5F3A1B2C-00000012", "0.27.44.3.4.245"],
)  # fmt: skip
def test_other_ways_to_write_a_client_or_a_session_are_known(name: str) -> None:
    assert re.fullmatch(r"(2001:db8:0:1:|fe80::)?\(MAC\)", masked(name))
    with pytest.raises(StoreError, match="looks like a hardware address or a session's id"):
        checked(ssid(name))


@pytest.mark.parametrize("name", NAMES)
def test_what_devices_do_call_their_parts_stays_as_it_is(name: str) -> None:
    assert masked(name) == name
    assert not fault_of_tag("ssid", name)


@given(st.text(st.sampled_from("0aAf9g:-._ \\x\n\x00(MAC)é"), max_size=40))
def test_a_cleaned_name_is_taken_and_cleaning_it_again_changes_nothing(name: str) -> None:
    batch = clean_batch("ssid", [7], {"device": [name], "ssid": [name]}, {"clients": [1]})
    (kept,) = batch.tags["ssid"]
    assert checked(ssid(kept, batch.tags["device"][0])).times == [7]
    assert clean_batch("ssid", [7], batch.tags, batch.fields).tags == batch.tags


def test_ids_of_the_inventory_may_be_addresses() -> None:
    own = "0c:8d:db:11:22:33"
    assert checked(ssid("City Free", device=own)).tags[0] == [own]
    batch = clean_batch("ssid", [7], {"device": [own], "ssid": [own]}, {"clients": [1]})
    assert batch.tags == {"device": [own], "ssid": [MASK]}


def test_a_thousand_clients_are_one_more_interface(store: Store) -> None:
    for poll in range(2):
        names = ["eth0", *(f"wlan0.sta-02:00:5e:00:{poll:02x}:{i % 256:02x}" for i in range(500))]
        columns = {"device": ["ap-1"] * len(names), "interface": names}
        totals = {"rx_bytes_total": [*range(len(names))]}
        at = [1_700_000_000_000 + poll] * len(names)
        store.write([clean_batch("interface", at, columns, totals)])
    assert store.latest("interface").tags["interface"] == ["eth0", f"wlan0.sta-{MASK}"]
