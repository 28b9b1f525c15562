"""Checks from the collector's machine, against dnsmasq and a portal in a namespace."""

from __future__ import annotations

import asyncio
import json

import pytest

from collectors.checks.from_collector import check_from_collector
from collectors.checks.model import CheckPlan
from tests.collectors.checks.place import CLIENT, GATEWAY, NAME

pytestmark = pytest.mark.service


def check(street, timeout_s=1.0, **plan):
    plan = {"interface": street.inside, **plan}
    results = asyncio.run(
        check_from_collector(CheckPlan(timeout_s=timeout_s, **plan), street.street)
    )
    return {one.check: one for one in results}


def test_address_name_and_portal_as_a_client_gets_them(street):
    before = street.leases
    found = check(street, dns_name=NAME, portal_url=f"http://{NAME}/302")
    assert {name: one.ok for name, one in found.items()} == dict.fromkeys(
        ["dhcp", "dns", "portal"], True
    )
    assert found["dhcp"].reason == f"offer from {GATEWAY}"
    assert found["portal"].reason == "portal: redirects to http://portal.example"
    assert all(one.ms is not None for one in found.values())
    assert street.leases == before  # an offer was asked for, and no lease taken


@pytest.mark.parametrize(
    ("path", "expect", "ok", "reason"),
    [
        ("/204", "either", True, "internet: 204"),
        ("/204", "portal", False, "internet: 204, portal expected"),
        ("/302", "portal", True, "portal: redirects to http://portal.example"),
        ("/200", "internet", False, "portal: answers 200 itself, internet expected"),
        ("/511", "either", True, "portal: answers 511 itself"),
        ("/500", "either", False, "HTTP 500"),
        ("/hang", "either", False, "no answer"),
        ("/rubbish", "either", False, "not HTTP"),
        ("/drop", "either", False, "connection refused or broken off"),
    ],
)
def test_what_answers_the_probe_is_told_apart(street, path, expect, ok, reason):
    found = check(street, interface="", portal_url=f"http://{GATEWAY}{path}", expect=expect)
    assert (found["portal"].ok, found["portal"].reason) == (ok, reason)


def test_where_nobody_serves_the_reason_says_which_step(street):
    found = check(
        street, dns_name="no.such.nowhere", dns_server=GATEWAY,
        portal_url="http://nothing.nowhere/204",
    )  # fmt: skip
    assert (found["dns"].ok, found["dns"].reason) == (False, "NXDOMAIN")
    assert found["portal"].reason == "nothing.nowhere: NXDOMAIN"
    found = check(
        street, interface="", source=CLIENT, dns_name=NAME, dns_server="10.213.0.66",
        portal_url=f"http://{GATEWAY}:81/204",
    )  # fmt: skip
    assert (found["dns"].ok, found["dns"].reason) == (False, "no answer")
    assert found["portal"].reason == "connection refused or broken off"


def test_a_network_without_dhcp_gives_no_answer(street):
    found = check(street, interface="lo")
    assert (found["dhcp"].ok, found["dhcp"].reason) == (False, "no answer")


def test_what_cannot_be_made_here_is_unknown_and_not_failed(street):
    found = check(street, interface="nosuch0", dns_name=NAME)
    assert [one.ok for one in found.values()] == [None, None]
    assert "no interface 'nosuch0'" in found["dhcp"].reason
    plan = CheckPlan(dns_name=NAME)
    (result,) = asyncio.run(check_from_collector(plan, "nosuchplace"))
    assert result.ok is None
    assert "nosuchplace" in result.reason


def test_a_city_checks_from_a_namespace_and_stores_what_came(street, run, home):
    run("init")
    settings = home / "farola.toml"
    settings.write_text(
        settings.read_text() + f'\n[checks]\nnamespace = "{street.street}"\ninterface = '
        f'"{street.inside}"\ndns_name = "{NAME}"\nportal_url = "http://{NAME}/204"\n'
        'expect = "portal"\ntimeout_s = 1\n'
    )
    done = json.loads(run("collect", "check", "--json").stdout)
    (place,) = done["checked"]
    assert place["device"].startswith("collector:")
    assert [(one["check"], one["ok"]) for one in place["results"]] == [
        ("dhcp", True), ("dns", True), ("portal", False),
    ]  # fmt: skip
    shown = run("collect", "check", "--from", "collector").stdout  # what fails is a result
    assert "FAILED" in shown
    assert "portal expected" in " ".join(shown.split())


def test_a_check_that_could_not_be_made_is_no_success(run, home):
    run("init")
    assert "no device 'nope' in" in run("collect", "check", "nope", code=1).stderr
    settings = home / "farola.toml"
    settings.write_text(
        settings.read_text() + f'\n[checks]\nnamespace = "nosuchplace"\ndns_name = "{NAME}"\n'
    )
    (place,) = json.loads(run("collect", "check", "--json", code=1).stdout)["checked"]
    assert [(one["check"], one["ok"]) for one in place["results"]] == [("dns", None)]
