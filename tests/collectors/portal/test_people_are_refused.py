"""Tables about single people are not read."""

from __future__ import annotations

from pathlib import Path

import pytest

from collectors.portal.people import refuse_people
from farola.errors import InputError
from inventory.importers.source import open_source


def check(path: Path, column: str, cells: list[str], place: str = "") -> None:
    rows = "\n".join(f"2019-04-{n + 1:02};{cell};{n}" for n, cell in enumerate(cells))
    file = path / "usage.csv"
    file.write_text(f"day;{column};minutes\n{rows}\n", encoding="utf-8")
    refuse_people(open_source(file), [place])


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("dev", ["02:00:00:aa:00:01", "02:00:00:aa:00:02", "x"]),
        ("dev", ["0200.00aa.0001"] * 2), ("dev", ["020000AA0001"] * 2),
        ("who", ["ana@example.org", "", "luis@example.org"]),
        ("who", ["+52 55 1234 5678", "+525512345678"]), ("who", ["(55) 1234-5678"]),
        ("from", ["10.0.0.7", "10.0.0.8"]),
        ("hash", ["d41d8cd98f00b204e9800998ecf8427e"] * 3),
        ("Correo electrónico", ["-"]), ("client_mac", ["hidden"]), ("User ID", ["7"]),
        ("Calling-Station-Id", ["1"]), ("Teléfono", ["1"]),
    ],
)  # fmt: skip
def test_a_column_of_persons_refuses_the_whole_file(tmp_path, column, cells) -> None:
    with pytest.raises(InputError, match=rf"column '{column}' holds .*single people"):
        check(tmp_path, column, cells)


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("users", ["12", "7880445"]), ("minutes_total", ["2 625 117,83", "1.571.972,95"]),
        ("sessions", ["123456789012", "210987654321"]), ("site", ["Cruddas", "ana@home", "a", "b",
         "c", "d"]), ("period", ["2019-04", "04/2019"]), ("macro area", ["North", "South"]),
    ],
)  # fmt: skip
def test_figures_and_places_are_no_persons(tmp_path, column, cells) -> None:
    check(tmp_path, column, cells)


def test_random_ids_of_sites_are_no_persons_but_macs_are(tmp_path) -> None:
    check(tmp_path, "site", ["d41d8cd98f00b204e9800998ecf8427e"] * 2, place="site")
    with pytest.raises(InputError, match="MAC"):
        check(tmp_path, "site", ["02:00:00:aa:00:01"] * 2, place="site")
