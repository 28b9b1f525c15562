"""`farola snmp probe` against agents that tell nothing, too little, or too much."""

from __future__ import annotations

import json

from pysnmp.proto.rfc1902 import Null
from pysnmp.proto.rfc1905 import noSuchObject

from tests.collectors.snmp.sweep.fakes import DESCR, NAME, fake, table_agent

RADIO = (1, 3, 6, 1, 4, 1, 41112, 1, 6, 1, 2, 1)
IDENTITY = {DESCR: b"UAP-AC 6.5", NAME: b"\x1b]0;pwn\x07" + b"post" * 100}
OBJECT_ID = (1, 3, 6, 1, 2, 1, 1, 2, 0)


def unifi(**more):
    from pysnmp.proto.rfc1902 import ObjectName

    return IDENTITY | {OBJECT_ID: ObjectName((1, 3, 6, 1, 4, 1, 41112))} | more.get("values", {})


def nothing(value):
    def handle(request):
        return request.answer([(oid, value) for oid in request.oids])

    return handle


def test_an_agent_whose_view_is_empty_is_an_error_that_names_the_view(run):
    for value in (Null(""), noSuchObject):
        with fake(nothing(value)) as port:
            done = run("snmp", "probe", f"127.0.0.1:{port}", "--json", code=1)
        assert done.stdout == ""
        assert "answers, but tells nothing: check the view" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_reading_in_part_says_so_to_a_script_and_names_the_table(run):
    sound = table_agent(unifi(values={(*RADIO, 8, 1): 5}))

    def broken(request):
        if request.oids[0][:-1] == RADIO or request.oids[0][: len(RADIO)] == RADIO:
            return None
        return sound(request)

    with fake(broken) as port:
        done = run("snmp", "probe", f"127.0.0.1:{port}", "--timeout", "0.2", "--json")
    printed = json.loads(done.stdout)
    assert printed["complete"] is False
    assert "no answer at table 1.3.6.1.4.1.41112.1.6.1.2.1" in printed["error"]
    assert "--timeout 1" in printed["error"]
    assert printed["error"] in done.stderr
    assert printed["clients"] is None


def test_a_name_with_a_terminal_s_escapes_reaches_no_terminal(run):
    with fake(table_agent(unifi(values={(*RADIO, 8, 1): 5}))) as port:
        done = run("snmp", "probe", f"127.0.0.1:{port}")
        printed = json.loads(run("snmp", "probe", f"127.0.0.1:{port}", "--json").stdout)
    assert "\x1b" not in done.stdout
    assert (printed["complete"], printed["error"]) == (True, "")
    assert printed["sys_name"].isprintable()
    assert len(printed["sys_name"]) == 255


def test_a_family_of_the_home_is_probed_and_a_wrong_file_is_told(run, home):
    folder = home / "profiles"
    folder.mkdir(parents=True)
    (folder / "unifi.yaml").write_text("extends: unifi\nfamily: our-unifi\n")
    (folder / "broken.yaml").write_text("family: [")
    with fake(table_agent(unifi())) as port:
        done = run("snmp", "probe", f"127.0.0.1:{port}", "--json")
    assert json.loads(done.stdout)["family"] == "our-unifi"
    (line,) = done.stderr.splitlines()
    assert "broken.yaml: not a profile: " in line
    assert line.endswith("; left out")
