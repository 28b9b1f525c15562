"""Which site a table means by a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.portal.places import Gazetteer, Match, Place
from inventory.importers.report import BadCellError

SITES = Gazetteer(
    "site",
    [
        Place("C1", "Cruddas"), Place("C2", "City"), Place("O1", "Outer West"),
        Place("W1", "West End"), Place("W2", "West Gate"), Place("N1", "Niños Héroes"),
        Place("P1", "Parque"), Place("P2", "Parque"), Place("7", "Kenton"),
    ],
)  # fmt: skip


def match(*names: str) -> dict[str, str]:
    """The id found for each name, or why there is none."""
    found = SITES.resolve(names, "Library")
    return {n: m.place.id if isinstance(m, Match) else m.why for n, m in found.items()}


@pytest.mark.parametrize(
    ("name", "place", "why"),
    [
        ("7", "7", ""), ("City", "C2", ""), ("CITY", "C2", "written differently"),
        ("ninos heroes", "N1", "written differently"), ("Outer  West", "O1", "written differently"),
        ("Cruddas Park", "C1", "begins so"), ("Outer", "O1", "begins so"),
    ],
)  # fmt: skip
def test_by_id_then_name_then_likeness_then_beginning(name: str, place: str, why: str) -> None:
    found = SITES.resolve([name], "Library")[name]
    assert isinstance(found, Match)
    assert found.place.id == place
    assert why in found.why if why else found.why == ""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("West", "could be 2 sites: 'West End', 'West Gate'"),
        ("Parque", "2 sites have this name (P1, P2…): use ids"),
        ("Kentn", "is no site of the inventory; near are 'Kenton'"),
        ("Crud", "near are 'Cruddas'"),
        ("Nowhere at all", "is no site of the inventory"),
        ("C", "is no site"),
    ],
)
def test_none_or_several_is_rejected_with_what_is_near(name: str, why: str) -> None:
    assert why in match(name)[name]


def test_a_beginning_never_takes_what_another_name_means() -> None:
    found = match("Cruddas", "Cruddas Park")
    assert found["Cruddas"] == "C1"
    assert "which 'Cruddas' means as well" in found["Cruddas Park"]
    both = match("Cruddas Park", "Cruddas Hill")
    assert all("means as well" in why for why in both.values())


@given(names=st.lists(st.text(max_size=20), max_size=6))
def test_any_names_are_matched_or_refused_and_no_place_twice_by_guess(names: list[str]) -> None:
    found = SITES.resolve(names, "x")
    assert set(found) == set(names)
    assert all(isinstance(m, Match | BadCellError) for m in found.values())
    guessed = [m.place.id for m in found.values() if isinstance(m, Match) and "begins" in m.why]
    assert len(guessed) == len(set(guessed))
