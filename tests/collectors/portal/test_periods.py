"""Periods as people write them."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.portal.periods import (
    Period,
    join_parts,
    months_if_first_days,
    order_of_days,
    parse_period,
)

MONTHS = {
    "en": "January February March April May June July August September October November December",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre "
    "diciembre",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro "
    "dezembro",
}
DAYS = st.dates(date(1990, 1, 1), date(2099, 12, 31))


def month(year: int, number: int) -> Period:
    after = date(year + number // 12, number % 12 + 1, 1)
    return Period(date(year, number, 1), after)


@given(
    number=st.integers(1, 12), year=st.integers(1990, 2100), language=st.sampled_from([*MONTHS]),
    style=st.sampled_from(["{name} {year}", "{year} {name}", "{NAME}-{year}", " {name}.{year} "]),
)  # fmt: skip
def test_months_by_name_in_five_languages(number, year, language, style) -> None:
    name = MONTHS[language].split()[number - 1]
    text = style.format(name=name, NAME=name.upper(), year=year)
    assert parse_period(text) == month(year, number)


@pytest.mark.parametrize(
    ("text", "number"),
    [("abr-2019", 4), ("Abr. 2019", 4), ("avr 2019", 4), ("Aout 2019", 8), ("dez/2019", 12),
     ("ago 2019", 8), ("Sept 2019", 9), ("set 2019", 9), ("Mär 2019", 3), ("abril de 2019", 4),
     ("2019-04", 4), ("2019/4", 4), ("2019.04", 4), ("201904", 4), ("04/2019", 4), ("4-2019", 4),
     ("2019M04", 4), ("M4 2019", 4), ("juil 2019", 7)],
)  # fmt: skip
def test_months_short_and_in_figures(text: str, number: int) -> None:
    assert parse_period(text) == month(2019, number)


@given(day=DAYS)
def test_what_is_printed_is_read_back(day: date) -> None:
    quarter_start = date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
    monday = day - timedelta(days=day.weekday())
    for period in (
        Period(day, day + timedelta(days=1)),
        month(day.year, day.month),
        Period(monday, monday + timedelta(days=7)),
        Period(quarter_start, month(day.year, quarter_start.month + 2).end),
        Period(date(day.year, 1, 1), date(day.year + 1, 1, 1)),
    ):
        if period.start.year >= 1990:
            assert parse_period(str(period)) == period


@given(
    day=DAYS,
    style=st.sampled_from(["%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%d %B %Y", "%Y-%m-%d 00:00:00"]),
)
def test_days(day: date, style: str) -> None:
    assert parse_period(day.strftime(style)) == Period(day, day + timedelta(days=1))
    assert parse_period(datetime(day.year, day.month, day.day)) == parse_period(day)


@given(day=DAYS)
def test_iso_weeks(day: date) -> None:
    year, week, _ = day.isocalendar()
    monday = date.fromisocalendar(year, week, 1)
    texts = [f"{year}-W{week:02}", f"{year}W{week}", f"W{week} {year}", f"semana {week} {year}",
             f"KW {week}/{year}", f"week {week}, {year}"]  # fmt: skip
    if monday.year >= 1990:
        for text in texts:
            assert parse_period(text) == Period(monday, monday + timedelta(days=7)), text


@pytest.mark.parametrize("text", ["2019Q2", "2019-Q2", "Q2 2019", "T2 2019", "2e trimestre 2019",
                                  "2. Quartal 2019", "2019 T2"])  # fmt: skip
def test_quarters(text: str) -> None:
    assert parse_period(text) == Period(date(2019, 4, 1), date(2019, 7, 1))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"), ("Ao&ucirc;t 2013", "HTML"), ("Ao&ucirc 2013", "HTML"),
        ("04/05/2019", "--day-first"), ("jui 2019", "means several"), ("S1 2019", "no month"),
        ("abr-19", "four digits"), ("2019Q5", "1 to 4"), ("2019-13", "no date"),
        ("2019-02-30", "no date"), ("1889", "outside the years"), ("mars avril 2013", "names no"),
        ("total", "four digits"), ("30/02/2019", "no date"), ("2021-W53", "no date"),
    ],
)  # fmt: skip
def test_what_is_unclear_is_refused_with_why(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_period(text)


def test_the_order_of_days_is_learned_from_the_column() -> None:
    assert order_of_days(["04/05/2019", "13/05/2019"]) is True
    assert order_of_days(["04/05/2019", "05/13/2019"]) is False
    assert order_of_days(["04/05/2019"]) is None
    assert order_of_days(["13/05/2019", "05/13/2019"]) is None
    assert parse_period("04/05/2019", day_first=True).start == date(2019, 5, 4)
    assert parse_period("04/05/2019", day_first=False).start == date(2019, 4, 5)
    assert parse_period("13/05/2019", day_first=False).start == date(2019, 5, 13)


@pytest.mark.parametrize(
    ("columns", "cells", "period"),
    [
        (["mois", "annee"], ["Février", "2010"], "2010-02"), (["mes", "año"], [2, 2010], "2010-02"),
        (["year", "week"], ["2010", "7"], "2010-W07"),
        (["año", "trimestre"], [2010.0, 3.0], "2010-Q3"),
        (["year", "month", "day"], ["2010", "2", "28"], "2010-02-28"),
    ],
)  # fmt: skip
def test_a_period_in_several_columns(columns, cells, period) -> None:
    assert str(parse_period(join_parts(columns, cells))) == period


def test_a_column_of_first_days_means_months() -> None:
    first = [parse_period(f"2019-0{n}-01") for n in (1, 2)]
    assert months_if_first_days(first)
    assert not months_if_first_days(first[:1])
    assert not months_if_first_days([*first, parse_period("2019-02-02")])


@given(text=st.one_of(st.text(max_size=30), st.from_regex(r"[\d /.\-QWTM]{1,14}", fullmatch=True)))
def test_any_text_is_a_period_or_refused(text: str) -> None:
    try:
        period = parse_period(text)
    except ValueError:
        return
    assert period.start < period.end
    assert period.days in {1, 7, 28, 29, 30, 31, 90, 91, 92, 365, 366}
