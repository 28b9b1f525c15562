"""Families are found by sysObjectID prefix, then by sysDescr, then by asking for a proof."""

from __future__ import annotations

import pytest

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
        ("1.3.6.1.4.1.99999.1", "OpenWrt in the text of another vendor", "generic"),
        ("1.3.6.1.4.1.8072.3.2.100", "OpenWrt look-alike: another number", "generic"),
        (None, None, "generic"),
    ],
    ids=["openwrt", "unifi", "a server", "unifi by vendor", "text alone", "no prefix", "nothing"],
)
def test_the_family_fits_the_identity(object_id, descr, family):
    assert packaged().choose(values(object_id, descr)).family == family


def test_a_renamed_openwrt_is_told_by_its_script():
    renamed = values("1.3.6.1.4.1.8072.3.2.10", "Linux plaza-norte 5.15.134 #0")
    doubts = packaged().doubts(renamed)
    assert DISTRO in doubts
    assert packaged().choose({**renamed, DISTRO: b"OpenWrt 23.05.2"}).family == "openwrt"
    assert packaged().choose({**renamed, DISTRO: b"Debian 12"}).family == "generic"


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
        "tables: {radio: {clients: 1.3.6.1.4.1.55555.1.2}}\n"
        "radios: [{table: radio, fields: {clients: {column: clients}}}]\n"
    )
    profile = read_book(tmp_path).choose(values("1.3.6.1.4.1.55555.7", "Lamp"))
    assert profile.family == "lamp"
    assert profile.verified == ""  # no recording: unverified
    assert (oid_of("1.3.6.1.4.1.55555.1.2"),) in profile.question.tables
    assert "interfaces" in profile.tables


@pytest.mark.parametrize(
    "text",
    ["family: [", "family: x\n", "- a list\n", "family: x\ntitle: x\nmatch: {sys_object_id: [a]}"],
    ids=["no yaml", "keys missing", "a list", "no oid"],
)
def test_a_broken_profile_is_named(tmp_path, text):
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(InputError, match=r"broken\.yaml"):
        read_book(tmp_path)


def test_every_packaged_family_says_what_it_was_verified_with():
    verified = {p.name: p.verified for p in packaged().profiles if p.verified}
    assert verified.pop("generic") == "snmpd"
    assert verified == dict.fromkeys(
        ("openwrt", "unifi", "airos", "routeros", "aruba-instant", "cisco-wlc"), "recording"
    )
