"""docs/timeseries.md says what is so: settings and their defaults, servers, links, checks."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from farola.settings import StoreSettings
from timeseries.influx_versions import TABLE, works_there

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "timeseries.md"
TEXT = GUIDE.read_text(encoding="utf-8")


def table(header: str) -> list[list[str]]:
    """The cells of the table below that header line."""
    _, _, below = TEXT.partition(f"\n{header}\n|---")
    assert below, header
    rows = below.partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_every_setting_is_told_with_its_default() -> None:
    told = {name.strip("`"): value for name, value, _ in table("| setting | default | meaning |")}
    assert told == {
        one.name: "none" if one.default == "" else
        f"`{one.default}`" if isinstance(one.default, str) else str(one.default)
        for one in fields(StoreSettings)
    }  # fmt: skip


@pytest.mark.parametrize("version", ["1.6", "1.7", "1.8", "2.0", "3.0"])
def test_what_works_on_a_server_is_what_doctor_says(version: str) -> None:
    major, minor = version.split(".")
    name = f"InfluxDB {version if major == '1' else major}"
    (row,) = (one for one in table("| server | write with | sign in with | state |")
              if one[0].startswith(name))  # fmt: skip
    works = works_there(version)
    api = re.search(r'`api = "(\w+)"`', row[1])
    assert api
    assert api[1] == works.api[0]
    assert set(re.findall(r"`(token|basic|bearer)`", row[2])) == set(works.auth)
    assert row[3] == ("run by the tests" if works.is_run else "documented, not run")
    assert (int(major), int(minor)) in TABLE


def test_every_link_within_the_guide_leads_somewhere() -> None:
    def anchor(title: str) -> str:
        return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")

    anchors = {anchor(title) for title in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)}
    for target in re.findall(r"\]\(#([^)]+)\)", TEXT):
        assert target in anchors, target
    for file in re.findall(r"\]\(([\w./-]+\.md)", TEXT):
        assert (GUIDE.parent / file).is_file(), file
