"""Poll after poll of a device whose data stays the same gives the first reading again, though only
what it has and what tells something is asked by then: made-up controllers and access points, with
rows, columns and tables missing.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from collectors.snmp.model import Target
from collectors.snmp.probe import probe_json
from collectors.snmp.read import Reader
from tests.collectors.snmp.conftest import reply_to

FOLDER = Path(__file__).parent / "families"
FAMILIES = sorted(path.stem for path in FOLDER.glob("*.snmprec"))
IDENTITY = (1, 3, 6, 1, 2, 1, 1)
NAME = (1, 3, 6, 1, 4, 1, 14823, 2, 2, 1, 5, 2, 1, 4, 1, 3)  # wlanAPName
POLLS = 5


def value(kind, text):
    """A value of a recording, as the reader is given it."""
    if kind == "4x":
        return bytes.fromhex(text)
    if kind in ("4", "64"):
        return text.encode() if kind == "4" else bytes(map(int, text.split(".")))
    return tuple(map(int, text.split("."))) if kind == "6" else int(text)


def recorded(family):
    lines = (FOLDER / f"{family}.snmprec").read_text().splitlines()
    cells = (line.split("|", 2) for line in lines)
    return {tuple(map(int, oid.split("."))): value(kind, text) for oid, kind, text in cells}


def varied(values, chance):
    """The same with cells, columns and whole tables missing or empty; who it is stays."""
    columns = sorted({oid[:-1] for oid in values} | {oid[:-3] for oid in values})
    gone = [one for one in columns if one[:7] != IDENTITY and chance.random() < 0.04]
    share = chance.choice((0.0, 0.05, 0.3))
    found = {}
    for oid, told in values.items():
        if oid[:7] != IDENTITY and (
            chance.random() < share or any(oid[: len(one)] == one for one in gone)
        ):
            continue
        blank = oid[:7] != IDENTITY and isinstance(told, bytes) and chance.random() < share / 2
        found[oid] = b"" if blank else told
    return found


def polled(values):
    """What polls of an agent that holds `values` say, and how many tables each walked."""
    reader = Reader(None)  # type: ignore[arg-type]  # no packet leaves
    said = []
    for _ in range(POLLS):
        talk, walked = reader._conversation(Target("one", "one.example")), 0
        try:
            question = next(talk)
            while True:
                walked += len(question.tables)
                question = talk.send(reply_to(question, values))
        except StopIteration as end:
            told = probe_json(end.value)
            # Of an access point that is down only that it is there is kept.
            told["access_points"] = [
                one if one["up"] is not False else (one["key"], one["name"])
                for one in told["access_points"]
            ]
            said.append((told, walked))
    return said


@pytest.mark.parametrize("family", FAMILIES)
def test_what_does_not_change_is_read_as_it_was_first(family):
    whole = recorded(family)
    for seed in range(40):
        values = varied(whole, random.Random(f"{family}{seed}"))
        first, *others = (told for told, _ in polled(values))
        for number, other in enumerate(others, 2):
            assert other == first, f"variation {seed}, poll {number}"


def test_names_of_another_table_are_asked_on_only_where_some_are_missing():
    values = recorded("arubaos")
    usual = polled(values)[-1][1]
    name = next(oid for oid in values if oid[: len(NAME)] == NAME)
    said = polled({oid: told for oid, told in values.items() if oid != name})
    assert {told["access_points"][-1]["name"] for told, _ in said} == {"lamp-1"}
    assert said[-1][1] == usual + 1
