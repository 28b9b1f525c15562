"""Families are found by sysObjectID prefix, then by sysDescr, then by asking for a proof."""

from __future__ import annotations

import copy

import pytest
import yaml

from collectors.snmp.book import FOLDER, SYS_DESCR, SYS_OBJECT_ID, oid_of, packaged, read_book
from farola.errors import InputError

NET_SNMP = oid_of("1.3.6.1.4.1.8072.3.2.10")
DISTRO = oid_of("1.3.6.1.4.1.8072.1.3.2.3.1.1.6.100.105.115.116.114.111")


def values(object_id: str | None, descr: str | None, **more):
    found = {}
    if object_id is not None:
        found[SYS_OBJECT_ID] = oid_of(object_id)
    if descr is not None:
        found[SYS_DESCR] = descr.encode()
    return found


@pytest.mark.parametrize(
    ("object_id", "descr", "family"),
    [
        ("1.3.6.1.4.1.8072.3.2.10", "Linux OpenWrt 5.4.137 #0 SMP armv7l", "openwrt"),
        ("1.3.6.1.4.1.8072.3.2.10", "UAP-nanoHD 5.43.36.12724", "unifi"),
        ("1.3.6.1.4.1.8072.3.2.10", "Linux server 6.1.0 x86_64", "generic"),
        ("1.3.6.1.4.1.41112", "U6-Lite 6.5", "unifi"),
        ("1.3.6.1.4.1.10002.1", "Linux 2.6.33 mips", "airos"),
        ("1.3.6.1.4.1.14988.1", "RouterOS RB951", "routeros"),
        ("1.3.6.1.4.1.14823.1.2.59", "ArubaOS (MODEL: 225)", "aruba-instant"),
        ("1.3.6.1.4.1.9.1.1069", "Cisco Controller", "cisco-wlc"),
        ("1.3.6.1.4.1.99999.1", "OpenWrt in the text of another vendor", "generic"),
        ("1.3.6.1.4.1.8072.3.2.100", "OpenWrt look-alike: another number", "generic"),
        (None, None, "generic"),
    ],
    ids=[
        "openwrt",
        "unifi",
        "a server",
        "unifi by vendor",
        "airos",
        "routeros",
        "aruba",
        "cisco",
        "text alone",
        "no prefix",
        "nothing",
    ],
)
def test_the_family_fits_the_identity(object_id, descr, family):
    assert packaged().choose(values(object_id, descr)).family == family


def test_a_renamed_openwrt_is_told_by_its_script():
    renamed = values("1.3.6.1.4.1.8072.3.2.10", "Linux plaza-norte 5.15.134 #0")
    doubts = packaged().doubts(renamed)
    assert DISTRO in doubts
    assert packaged().choose({**renamed, DISTRO: b"OpenWrt 23.05.2"}).family == "openwrt"
    assert packaged().choose({**renamed, DISTRO: b"Debian 12"}).family == "generic"


def test_an_old_unifi_is_told_from_airos_by_its_radio():
    alike = values("1.3.6.1.4.1.10002.1", "Linux 3.3.8 mips")
    radio = oid_of("1.3.6.1.4.1.41112.1.6.1.1.1.3.1")
    assert radio in packaged().doubts(alike)
    assert packaged().choose({**alike, radio: b"ng"}).family == "unifi"


def test_nothing_more_is_asked_where_the_identity_is_enough():
    book = packaged()
    assert book.doubts(values("1.3.6.1.4.1.8072.3.2.10", "Linux OpenWrt 5.4.137")) == ()
    assert book.doubts(values("1.3.6.1.4.1.9.1.2", "Cisco IOS")) == ()
    assert book.doubts({}) == ()


def test_a_family_needs_a_file_and_no_code(tmp_path):
    (tmp_path / "generic.yaml").write_text((FOLDER / "generic.yaml").read_text())
    (tmp_path / "lamp.yaml").write_text(
        "family: lamp\ntitle: Lamp\nextends: generic\n"
        "match: {sys_object_id: [1.3.6.1.4.1.55555]}\n"
        "tables: {radio: {clients: 1.3.6.1.4.1.55555.1.2, unused: 1.3.6.1.4.1.55555.1.3}}\n"
        "radios: [{table: radio, fields: {clients: {column: clients}}}]\n"
    )
    profile = read_book(tmp_path).choose(values("1.3.6.1.4.1.55555.7", "Lamp"))
    assert profile.family == "lamp"
    assert profile.verified == ""  # no recording: unverified
    assert (oid_of("1.3.6.1.4.1.55555.1.2"),) in profile.question.tables  # what is used is asked
    assert "interfaces" in profile.tables


LAMP = {
    "family": "lamp", "title": "Lamp", "match": {"sys_object_id": ["1.3.6.1.4.1.55555"]},
    "tables": {"radio": {"index": {"radio": 1}, "busy": "1.3.6.1.4.1.55555.1.2"}},
    "radios": [{"table": "radio", "key": "radio", "fields": {"clients": {"column": "busy"}}}],
}  # fmt: skip


def lamp(path: str, value: object) -> dict:
    """The profile above with one place of it changed."""
    data = copy.deepcopy(LAMP)
    place = data
    *way, last = [int(key) if key.isdigit() else key for key in path.split("/")]
    for key in way:
        place = place[key]
    place[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("colour", "red", "unknown key 'colour'"),
        ("family", "", "family: is missing"),
        ("verified", "by me", "verified: 'by me'"),
        ("extends", "nobody", "extends: there is no profile 'nobody'"),
        ("match/sys_object_id", "1.3.6.1", "match.sys_object_id: must be a list"),
        ("match/sys_object_id", ["enterprises.5"], "'enterprises.5' is not an OID"),
        ("match/sys_descr", "(", "match.sys_descr: '(' is not a regular expression"),
        ("match/confirm", {"oid": "1.3"}, "match.confirm.matches"),
        ("tables/radio/busy", 1.3, "tables.radio.busy: 1.3 is not an OID"),
        ("tables/radio/index", {"radio": "all"}, "tables.radio.index.radio: 'all'"),
        ("tables/radio/permanent", "yes", "tables.radio.permanent: must be true or false"),
        ("tables/radio/unless", "busy", "tables.radio.unless: must be TABLE.COLUMN"),
        ("radios/0/table", "radios", "radios[0].table: there is no table 'radios'"),
        ("radios/0/key", "slot", "radios[0].key: table 'radio' has no 'slot'"),
        ("radios/0/where", {"up": 1}, "radios[0].where: table 'radio' has no 'up'"),
        ("radios/0/fields/users", {"column": "busy"}, "radios[0].fields: unknown key 'users'"),
        ("radios/0/fields/clients", "busy", "radios[0].fields.clients: must be a mapping"),
        ("radios/0/fields/clients", {"scale": 2}, "radios[0].fields.clients: says no source"),
        ("radios/0/fields/clients/column", "load", "radios[0].fields.clients.column"),
        ("radios/0/fields/clients/scale", "10", "clients.scale: '10' is not a number"),
        ("radios/0/fields/clients/combine", "all", "clients.combine: 'all' is not one of"),
        ("radios/0/fields/clients/to", "int", "clients.to: 'int' is not one of"),
        ("radios/0/fields/clients/count", "rows", "clients.count: must be"),
        ("radios/0/fields/band", {"column": "busy", "map": {1: "5G"}}, "fields.band.map.1: '5G'"),
        ("radios/0/fields/band", {"column": "busy", "scale": 2}, "band: scale is for numbers"),
        ("radios/0/fields/clients", {"from": "radio", "count": "rows"}, "clients: from needs by"),
        ("device", {"clients": {"column": "busy"}}, "device.clients.column: there is no row here"),
        ("device", {"mem_pct": {"percent": {"total": {"oid": "1.3.6"}}}}, "mem_pct.percent: needs"),
        ("device", {"clients": {"value": "many"}}, "clients.value: 'many' cannot be clients"),
        ("interfaces", {"uplink": "eth0"}, "interfaces.uplink: must be a list"),
        ("access_points", [{"fields": {}}], "access_points[0]: needs a table"),
        (
            "access_points",
            [{"table": "radio", "fields": {"up": {"column": "busy"}}}],
            "access_points[0].fields.up: needs a map to true and false",
        ),
        (
            "access_points",
            [{"table": "radio", "fields": {}, "radios": [{"table": "radio", "fields": {}}]}],
            "access_points[0].radios[0]: needs table and access_point",
        ),
        ("named", {"x": {"column": "1.3", "split": "(.*)"}}, "named.x.split: needs the groups"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_profile_is_told_with_its_place(tmp_path, path, value, where):
    (tmp_path / "lamp.yaml").write_text(yaml.safe_dump(lamp(path, value)))
    with pytest.raises(InputError) as told:
        read_book(tmp_path)
    assert "lamp.yaml: not a profile: " in str(told.value)
    assert where in str(told.value)
    assert "\n" not in str(told.value)


def test_the_profile_of_that_test_is_itself_good(tmp_path):
    (tmp_path / "lamp.yaml").write_text(yaml.safe_dump(LAMP))
    assert read_book(tmp_path).named("lamp").radios.sources


@pytest.mark.parametrize(
    "text",
    ["family: [", "family: x\n", "- a list\n", "family: x\ntitle: x\nmatch: {sys_object_id: [a]}",
     "extends: broken\n", "\x00"],
    ids=["no yaml", "keys missing", "a list", "no oid", "a circle", "binary"],
)  # fmt: skip
def test_a_broken_profile_is_named(tmp_path, text):
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(InputError, match=r"broken\.yaml"):
        read_book(tmp_path)


def test_the_example_in_the_docs_is_a_profile(tmp_path):
    docs = FOLDER.parents[2] / "docs" / "profiles.md"
    blocks = docs.read_text().split("```yaml\n")[1:]
    example, controller = (block.split("```")[0] for block in blocks)
    (tmp_path / "generic.yaml").write_text((FOLDER / "generic.yaml").read_text())
    (tmp_path / "lamp.yaml").write_text(example)
    tables = (
        "tables:\n  ap: {index: {mac: 6}, name: 1.3.1, status: 1.3.2}\n"
        "  apradio: {index: {ap: 6, slot: 1}, channel: 1.3.3, type: 1.3.4}\n"
    )
    (tmp_path / "controller.yaml").write_text(
        "family: c\ntitle: C\nmatch: {sys_object_id: [1.3.9]}\n" + tables + controller
    )
    book = read_book(tmp_path)
    assert book.named("lamp").radios.sources
    assert book.named("controller").access_points is not None


def test_recorded_families_say_so():
    verified = {p.name: p.verified for p in packaged().profiles}
    recorded = ("openwrt", "unifi", "airos", "routeros", "aruba-instant", "cisco-wlc")
    assert {verified[name] for name in recorded} == {"recording"}
    assert verified["generic"] == "snmpd"
