"""Families of a city's own: files in the home, beside those of Farola or in their place."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.snmp.book import SYS_DESCR, SYS_OBJECT_ID, book_of, oid_of, packaged
from farola.settings import Settings
from operations import examinations

LAMP = """
family: lamp
title: Lamp posts
extends: generic
match: {sys_object_id: [1.3.6.1.4.1.99999.1]}
tables: {radio: {clients: 1.3.6.1.4.1.99999.2.1.1}}
radios: [{table: radio, fields: {clients: {column: clients}}}]
"""
IDENTITY = {SYS_OBJECT_ID: oid_of("1.3.6.1.4.1.99999.1.7"), SYS_DESCR: b"Lamp"}
UNIFI = {SYS_OBJECT_ID: oid_of("1.3.6.1.4.1.41112"), SYS_DESCR: b"U6-Lite 6.5"}


@pytest.fixture
def folder(home):
    (home / "profiles").mkdir(parents=True)
    return home / "profiles"


def test_a_home_without_files_has_farola_s_families(home):
    assert book_of(home) is packaged()


def test_a_file_in_the_home_is_a_family(home, folder):
    (folder / "lamp.yaml").write_text(LAMP)
    book = book_of(home)
    assert book.choose(IDENTITY).family == "lamp"
    assert book.choose(UNIFI).family == "unifi"
    assert (book.own, book.faults) == (("lamp",), ())
    assert len(book.profiles) == len(packaged().profiles) + 1


def test_a_file_of_the_same_name_replaces_a_family_and_may_extend_it(home, folder):
    (folder / "unifi.yaml").write_text("extends: unifi\ntitle: Our UniFi\ntables: {radio: null}\n"
                                       "radios: []\n")  # fmt: skip
    found = book_of(home).choose(UNIFI)
    assert (found.family, found.title, found.verified) == ("unifi", "Our UniFi", "")
    assert "radio" not in found.tables
    assert packaged().choose(UNIFI).title != "Our UniFi"


def test_of_two_families_that_fit_alike_that_of_the_home_counts(home, folder):
    (folder / "zz.yaml").write_text(LAMP.replace("99999.1", "14988.1").replace("lamp", "ours"))
    router = {SYS_OBJECT_ID: oid_of("1.3.6.1.4.1.14988.1")}
    assert book_of(home).choose(router).family == "ours"


@pytest.mark.parametrize(
    "text",
    ["family: [", "- a list\n", "family: x\n", LAMP.replace("generic", "nobody"), "\x00",
     LAMP.replace("generic", "broken"), "[" * 5000, "? [a]\n: b\n", "family: x\ntitle: x\nmatch: 3",
     LAMP + "interfaces: {uplink: [1]}\n", LAMP.replace("{column: clients}", "{oid: 1.3, map: x}")],
)  # fmt: skip
def test_a_file_that_is_wrong_is_told_in_a_line_and_costs_no_other_family(home, folder, text):
    (folder / "broken.yaml").write_text(text)
    (folder / "lamp.yaml").write_text(LAMP)
    book = book_of(home)
    (fault,) = book.faults
    assert fault.startswith(f"{folder / 'broken.yaml'}: not a profile: ")
    assert "\n" not in fault
    assert {"lamp", *(one.name for one in packaged().profiles)} == {p.name for p in book.profiles}


def test_a_broken_file_in_the_place_of_a_family_leaves_that_family(home, folder):
    (folder / "unifi.yaml").write_text("family: unifi\n")
    book = book_of(home)
    assert book.choose(UNIFI) is packaged().choose(UNIFI)
    assert "unifi.yaml: not a profile: title: is missing" in book.faults[0]


THINGS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["oid", "column", "table", "fields", "index", "x"]), inner
        )
    ),
    max_leaves=6,
)


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60
)
@given(section=st.sampled_from(["extends", "match", "tables", "named", "device", "radios", "ssids",
                                "access_points", "interfaces", "family"]), told=THINGS)  # fmt: skip
def test_whatever_a_person_writes_costs_that_file_alone(home, section, told):
    (home / "profiles").mkdir(parents=True, exist_ok=True)
    data = yaml.safe_load(LAMP) | {section: told}
    (home / "profiles" / "odd.yaml").write_text(yaml.safe_dump(data))
    book = book_of(home)
    assert book.choose(UNIFI).family == "unifi"
    assert all("odd.yaml" in fault and "\n" not in fault for fault in book.faults)
    assert len(book.faults) + len(book.own) == 1


def test_doctor_says_which_file_is_wrong(home, folder):
    (folder / "lamp.yaml").write_text(LAMP)
    assert examinations.profiles(Settings(home)).detail == "lamp"
    (folder / "broken.yaml").write_text("family: [")
    check = examinations.profiles(Settings(home))
    assert not check.ok
    assert "broken.yaml" in check.detail
