"""The Grafana dashboard: every query of it runs on a real InfluxDB and finds what was measured."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from farola.settings import Settings, StoreSettings
from timeseries import SCHEMA, Batch
from timeseries.influx import InfluxStore, prepare
from timeseries.influx_http import Server

DASHBOARD = json.loads(
    (Path(__file__).parents[2] / "docs" / "grafana" / "farola.json").read_text(encoding="utf-8")
)
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = {
    f"{panel['title']} {target['refId']}": target["query"]
    for panel in PANELS
    for target in panel["targets"]
}
LISTS = {
    one["name"]: one["query"] for one in DASHBOARD["templating"]["list"] if one["type"] == "query"
}
MINUTE, HOUR = 60_000, 3_600_000
END = int(time.time() * 1000) // HOUR * HOUR
START = END - 3 * HOUR
CHOSEN = {
    "timeFilter": f"time >= {START}ms and time <= {END}ms", "__interval": "1m", "search": "^ap",
    "rollups": "rollups", "kind": "neighbourhood", "group": "Roma Norte", "device": "ap's 1",
}  # fmt: skip
TAGS = {
    "device": CHOSEN["device"], "interface": "eth0", "radio": "radio0", "band": "5", "ssid": "Free",
    "collector": "main", "check": "dns", "group": CHOSEN["group"], "site": "s-1",
}  # fmt: skip
VALUES: dict[type, Any] = {float: 2.5, int: 3, bool: True, str: "up"}


def filled_in(query: str) -> str:
    """As Grafana does before it asks: values in quotes are escaped, the longest names first."""
    for name in sorted(CHOSEN, key=len, reverse=True):
        value = CHOSEN[name]
        query = query.replace(f"'${name}'", "'" + value.replace("'", r"\'") + "'")
        query = query.replace(f"${name}", value)
    return query


@pytest.fixture(scope="module")
def server(influxd: str) -> Server:
    """One in which each measurement has a row a minute, or rollups at their hours."""
    settings = StoreSettings(
        "influx", influxd, "v1", "grafana/raw", rollup_bucket="grafana/rollups"
    )
    prepare(Settings(Path(), store=settings))
    store = InfluxStore(settings)
    for shape in SCHEMA.values():
        times = list(range(START, END, HOUR if shape.is_rollup else MINUTE))
        kinds = ["neighbourhood", "city"] if "kind" in shape.tags else [""]
        for kind in kinds:
            tags = {tag: [kind if tag == "kind" else TAGS[tag]] * len(times) for tag in shape.tags}
            fields = {name: [VALUES[type_]] * len(times) for name, type_ in shape.fields.items()}
            assert store.write([Batch(shape.name, times, tags, fields)]) == len(times)
    store.close()
    return Server(settings, "")


@pytest.mark.service
@pytest.mark.parametrize("title", QUERIES)
def test_each_query_finds_what_was_measured(server: Server, title: str) -> None:
    query = filled_in(QUERIES[title])
    assert "$" not in query
    series = server.query(query)
    assert series, query
    for one in series:
        for name, column in zip(one["columns"], zip(*one["values"], strict=True), strict=True):
            assert name == "time" or None not in column, f"{name} is empty: {query}"
            if "percent" in _unit(title) and name not in {"time", "group"}:
                assert all(0 <= value <= 100 for value in column)


@pytest.mark.service
@pytest.mark.parametrize("name", LISTS)
def test_each_list_offers_what_there_is(server: Server, name: str) -> None:
    (found,) = server.query(filled_in(LISTS[name]))
    assert CHOSEN[name] in [value for _, value in found["values"]]


def test_what_is_asked_for_is_kept() -> None:
    for title, query in QUERIES.items():
        names = re.findall(r'FROM (?:"\$rollups"\.)?"(\w+)"', query)
        assert names, title
        known = {"kind", *(made for made in re.findall(r'AS "(\w+)"', query))}
        for name in names:
            assert ('"$rollups"' in query) == SCHEMA[name].is_rollup, title
            known |= {name, *SCHEMA[name].tags, *SCHEMA[name].fields}
        assert set(re.findall(r'"(\w+)"', query)) <= known, title


def test_panels_are_told_apart_and_do_not_overlap() -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert len(QUERIES) == sum(len(panel["targets"]) for panel in PANELS)


def _unit(title: str) -> str:
    (unit,) = (
        panel["fieldConfig"]["defaults"]["unit"]
        for panel in PANELS
        if title.rpartition(" ")[0] == panel["title"]
    )
    return str(unit)
