"""What a meeting hears: every message in every language, with its plurals and figures."""

from __future__ import annotations

import string

import pytest
from babel.messages.pofile import read_po

from coverage_maps.plan.planning import make_plan
from coverage_maps.plan.plans import PlanRequest
from coverage_maps.telling.catalogue import collect, updated
from coverage_maps.telling.messages import FOLDER, LANGUAGES, counted, language
from coverage_maps.telling.summaries import summary
from coverage_maps.telling.words import explain
from farola.errors import InputError

RESIDENTS = (
    "It would bring free Wi-Fi within {reach} of {n} resident who has none today.",
    "It would bring free Wi-Fi within {reach} of {n} residents who have none today.",
)


def fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("code", LANGUAGES[1:])
def test_every_message_is_translated_and_keeps_what_stands_in_its_braces(code):
    path = FOLDER / code / "LC_MESSAGES" / "messages.po"
    assert updated(code, collect()) == path.read_bytes(), (
        "run python -m coverage_maps.telling.catalogue"
    )
    catalogue = read_po(path.read_bytes().decode().splitlines(), locale=code)
    for message in catalogue:
        if not message.id:
            continue
        assert not message.fuzzy
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        assert len(strings) == (catalogue.num_plurals if len(ids) == 2 else 1)
        for text in strings:
            assert text, f"{code}: {ids[0]!r} is not translated"
            assert fields(text) <= fields(ids[-1])
        if len(ids) == 1:
            assert fields(strings[0]) == fields(ids[0])
        # Arabic says "no resident", "one" and "two" as words; the other forms tell the number.
        told = strings[3:] if catalogue.num_plurals == 6 else strings[-1:]
        assert all(fields(text) == fields(ids[-1]) for text in told), ids


def test_arabic_counts_in_six_ways():
    say = language("ar")
    told = [say.count(*RESIDENTS, n, reach="80 م") for n in (0, 1, 2, 3, 11, 100)]
    assert len(set(told)) == 6
    assert "لساكن واحد" in told[1]
    assert "لساكنَين" in told[2]
    for count, noun in ((3, "سكان"), (10, "سكان"), (11, "ساكنًا"), (99, "ساكنًا"), (100, "ساكن"),
                        (102, "ساكن"), (103, "سكان"), (1_008, "سكان"), (611, "ساكنًا")):  # fmt: skip
        assert f"{count:,} {noun} " in say.count(*RESIDENTS, count, reach="80 م"), count


def test_spanish_counts_in_two_ways_and_writes_numbers_as_its_country():
    mexico, spain = language("es", "America/Mexico_City"), language("es", "Europe/Madrid")
    assert mexico.count(*RESIDENTS, 1, reach="80 m").endswith("1 habitante que hoy no lo tiene.")
    assert "12,345 habitantes" in mexico.count(*RESIDENTS, 12_345, reach="80 m")
    assert "12.345 habitantes" in spain.count(*RESIDENTS, 12_345, reach="80 m")
    assert language("es-MX").number(1234.5, 1) == mexico.number(1234.5, 1) == "1,234.5"
    assert spain.percent(0.584, 1).replace("\xa0", " ") == "58,4 %"
    assert (mexico.tag, language("ar").direction) == ("es-MX", "rtl")


def test_a_number_that_rounds_to_one_is_said_in_the_singular():
    assert "1 resident who has" in language("en").count(*RESIDENTS, 1.4, reach="80 m")


def test_a_language_that_is_not_there_is_told():
    for code in ("xx", "de", "not a language", ""):
        with pytest.raises(InputError, match="en, es, ar"):
            language(code)


def test_remarks_are_said_in_any_language():
    remark = counted("{n} site of {of}", "{n} sites of {of}", 2, of=1234.0)
    assert language("en").said(remark) == "2 sites of 1,234"


@pytest.fixture(scope="module")
def plan(city):
    neighbourhoods = [
        city.square(0, 0, 200, "west", deprivation=1.0, grade="low"),
        city.square(1000, 0, 200, "east", deprivation=9.0, grade="high", borough="Río"),
    ]
    sites = [
        city.site(3000, 0, "far"),
        *(city.site(x, 100, f"c{x}", status="candidate", cost=50.0)
          for x in (60, 120, 1060, 1100, 1400)),
    ]  # fmt: skip
    return make_plan(neighbourhoods, sites, [], PlanRequest(sites=3, equity=0.25))


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_plan_can_be_read_out_in_each_language(plan, code):
    say = language(code)
    for line in (
        *summary(plan, say),
        *(s for site in plan.sites for s in explain(site, plan, say)),
    ):
        assert "{" not in line
        assert line[-1] == "."
        # Two sentences that were never translated would be the same in English.
        assert code == "en" or line not in explain(plan.sites[0], plan, language("en"))
    first = " ".join(explain(plan.sites[0], plan, say))
    assert say.number(plan.sites[0].newly_covered) in first
    assert "Río" in first


def test_a_site_is_told_against_its_neighbours_and_its_runner_up(plan):
    say = language("en")
    east, west, third = plan.sites
    assert (east.site_id, west.neighbourhood) == ("c1100", "west")
    assert east.alone == pytest.approx(east.newly_covered)
    # The third shares ground with one ranked above it, and what only it reaches is what it adds.
    assert third.alone > third.newly_covered == pytest.approx(third.only)
    rival = east.runner_up
    assert (rival.site_id, rival.heading, rival.lost_by) == ("c1060", "W", "residents")
    assert rival.distance == pytest.approx(40, abs=0.1)
    assert rival.residents < east.only
    told = " ".join(explain(third, plan, say))
    assert "more in its reach are already reached by sites ranked above it." in told
    assert "It costs 50, which is" in told
    assert east.weights["deprivation"] > 1 > west.weights["deprivation"]
