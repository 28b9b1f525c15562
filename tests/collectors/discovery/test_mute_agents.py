"""Agents that answer a search and tell nothing: a view without the system group."""

from __future__ import annotations

from pysnmp.proto.rfc1905 import noSuchObject

from tests.collectors.snmp.sweep.fakes import DESCR, fake, table_agent


def search(city, port, *more):
    return city(
        "collect", "discover", "127.0.0.1", "--port", port, "--timeout", 0.5, *more, "--json"
    ).json


def test_an_agent_that_tells_nothing_is_found_and_of_no_known_family(city):
    def handle(request):
        return request.answer([(oid, noSuchObject) for oid in request.oids])

    with fake(handle) as port:
        report = search(city, port)
    (found,) = report["found"]
    assert (found["address"], found["family"], found["unknown"]) == ("127.0.0.1", "", True)


def test_another_credential_that_is_shown_more_is_tried(city):
    for name in ("blind", "city"):
        city("device", "credential", name, "--field", "snmp_community", stdin=name)
    sound = table_agent({DESCR: b"Linux post"})

    def handle(request):
        if bytes(request.message.getComponentByPosition(1)) == b"blind":
            return request.answer([(oid, noSuchObject) for oid in request.oids])
        return sound(request)

    with fake(handle) as port:
        report = search(city, port, "--credential", "blind", "--credential", "city")
    (found,) = report["found"]
    assert (found["credential"], found["family"]) == ("city", "generic")
