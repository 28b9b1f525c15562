"""Reads periods as people write them: days, ISO weeks, months, quarters and years, with the names
of months in English, Spanish, French, German and Portuguese. Pure; what is ambiguous is refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

YEARS = range(1990, 2101)
_NAMES = """
january february march april may june july august september october november december
enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre
januar februar marz april mai juni juli august september oktober november dezember
janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro
janner feber maerz april mai juni juli august setiembre oktober november dezember
"""
SHORTEST = 3
_QUARTER_WORDS = {"q", "t", "quarter", "trimestre", "trim", "quartal"}
_WEEK_WORDS = {"w", "kw", "week", "semaine", "semana", "woche"}
_FILLERS = {"de", "del", "of", "du", "do", "d", "er", "eme", "e", "a", "o", "st", "nd", "rd", "th"}


def _month_names() -> dict[str, int]:
    """Names and their beginnings (three letters or more) that mean one month in all languages."""
    meanings: dict[str, set[int]] = {}
    for n, name in enumerate(_NAMES.split()):
        for length in range(SHORTEST, len(name) + 1):
            meanings.setdefault(name[:length], set()).add(n % 12 + 1)
    return {name: months.pop() for name, months in meanings.items() if len(months) == 1}


MONTHS = _month_names()


@dataclass(frozen=True, order=True)
class Period:
    """From `start` to the day before `end`."""

    start: date
    end: date

    def __str__(self) -> str:
        """As briefly as it can be said: 2019, 2019-Q2, 2019-04, 2019-W15 or days."""
        for form in (_year(self.start.year), *_parts_of(self.start)):
            if form[1] == self:
                return form[0]
        return f"{self.start} to {self.end - timedelta(days=1)}"

    @property
    def days(self) -> int:
        """Length in days."""
        return (self.end - self.start).days


def _year(year: int) -> tuple[str, Period]:
    return f"{year}", Period(date(year, 1, 1), date(year + 1, 1, 1))


def _months(year: int, first: int, count: int) -> Period:
    last = year * 12 + first - 1 + count
    return Period(date(year, first, 1), date(last // 12, last % 12 + 1, 1))


def _week(year: int, week: int) -> Period:
    start = date.fromisocalendar(year, week, 1)
    return Period(start, start + timedelta(days=7))


def _day(day: date) -> Period:
    return Period(day, day + timedelta(days=1))


def _parts_of(day: date) -> Iterable[tuple[str, Period]]:
    quarter = (day.month + 2) // 3
    iso = day.isocalendar()
    yield f"{day.year}-Q{quarter}", _months(day.year, 3 * quarter - 2, 3)
    yield f"{day.year}-{day.month:02}", _months(day.year, day.month, 1)
    yield f"{iso.year}-W{iso.week:02}", _week(iso.year, iso.week)
    yield day.isoformat(), _day(day)


def plain(text: str) -> str:
    """`text` in lower case, without accents and outer spaces."""
    split = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in split if not unicodedata.combining(c)).strip()


def parse_period(cell: object, day_first: bool | None = None) -> Period:
    """The period that `cell` names; a text, number or date of a workbook.

    `day_first` settles 04/05/2019; None refuses it unless one number is above 12.

    Raises
    ------
    ValueError
        It names none, or could name two; the text says why.
    """
    if isinstance(cell, datetime):
        return _day(cell.date())
    if isinstance(cell, date):
        return _day(cell)
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    text = "" if cell is None else plain(str(cell))
    if not text:
        raise ValueError("is empty")
    if "&" in text or "<" in text:
        raise ValueError(
            "holds a piece of HTML: the month cannot be read, and a ';' in it moves the columns"
        )
    text = re.sub(r"[ t]00:00(:00(\.0+)?)?$", "", text)
    tokens = re.findall(r"\d+|[^\W\d_]+", text)
    words = [t for t in tokens if not t.isdigit() and t not in _FILLERS]
    numbers = [t for t in tokens if t.isdigit()]
    try:
        found = _read(words, numbers, day_first)
    except (ValueError, OverflowError) as error:
        raise ValueError(str(error) if isinstance(error, _UnclearError) else "is no date") from None
    if found.start.year not in YEARS:
        raise ValueError(f"lies outside the years {YEARS[0]} to {YEARS[-1]}")
    return found


class _UnclearError(ValueError):
    """Its text says why."""


_NONE = "names no day, week, month, quarter or year"


def _read(words: list[str], numbers: list[str], day_first: bool | None) -> Period:
    if not words:
        return _numbers(numbers, day_first)
    if len(words) > 1:
        raise _UnclearError(_NONE)
    word = words[0]
    years = [n for n in numbers if len(n) == 4]
    rest = [int(n) for n in numbers if len(n) <= 2]
    if len(years) != 1 or len(years) + len(rest) != len(numbers):
        raise _UnclearError("needs a year of four digits")
    year = int(years[0])
    if word in MONTHS and len(rest) <= 1:
        month = MONTHS[word]
        return _day(date(year, month, rest[0])) if rest else _months(year, month, 1)
    if word == "m" and len(rest) == 1:
        return _months(year, rest[0], 1)
    if word in _QUARTER_WORDS and len(rest) == 1:
        if not 1 <= rest[0] <= 4:
            raise _UnclearError("a quarter is 1 to 4")
        return _months(year, 3 * rest[0] - 2, 3)
    if word in _WEEK_WORDS and rest and len(rest) <= 2:
        if len(rest) == 2:
            return _day(date.fromisocalendar(year, rest[0], rest[1]))
        return _week(year, rest[0])
    raise _UnclearError(f"{word!r} is no month, quarter or week, or means several")


def _numbers(numbers: list[str], day_first: bool | None) -> Period:
    lengths = [len(n) for n in numbers]
    values = [int(n) for n in numbers]
    if lengths == [4]:
        return _year(values[0])[1]
    if lengths == [6] and 1 <= values[0] % 100 <= 12:
        return _months(values[0] // 100, values[0] % 100, 1)
    if lengths == [8]:
        return _day(date(values[0] // 10000, values[0] // 100 % 100, values[0] % 100))
    if len(lengths) == 2 and sorted(lengths) in ([1, 4], [2, 4]):
        year, month = values if lengths[0] == 4 else reversed(values)
        return _months(year, month, 1)
    if len(lengths) == 3 and lengths[0] == 4 and max(lengths[1:]) <= 2:
        return _day(date(*values))
    if len(lengths) == 3 and lengths[2] == 4 and max(lengths[:2]) <= 2:
        first, second, year = values
        if first == second or max(first, second) > 12:
            day_first = first > 12
        if day_first is None:
            raise _UnclearError(
                "could be day/month or month/day: give --day-first or --month-first"
            )
        day, month = (first, second) if day_first else (second, first)
        return _day(date(year, month, day))
    raise _UnclearError(_NONE)


_HINTS = {
    "W": _WEEK_WORDS - {"w"} | {"weeks", "isoweek"},
    "Q": _QUARTER_WORDS - {"q", "t"},
}


def join_parts(columns: Sequence[str], cells: Sequence[object]) -> object:
    """One text of a period that stands in several columns (month and year, week and year)."""
    if len(cells) == 1:
        return cells[0]
    parts = []
    for column, cell in zip(columns, cells, strict=True):
        if cell is None or not str(cell).strip():
            raise ValueError(f"{column} is empty")
        whole = int(cell) if isinstance(cell, float) and cell.is_integer() else cell
        words = set(re.findall(r"[^\W\d_]+", plain(column)))
        hint = next((h for h, names in _HINTS.items() if words & names), "")
        parts.append(f"{hint}{whole}" if str(whole).strip().isdigit() else str(whole))
    return " ".join(parts)


def order_of_days(cells: Iterable[object]) -> bool | None:
    """Whether a column's dates are written day first; None where nothing tells, or both do."""
    votes = set()
    for cell in cells:
        match = re.match(r"\s*(\d{1,2})[/.\- ](\d{1,2})[/.\- ]\d{4}\b", str(cell or ""))
        if match and (int(match[1]) > 12) != (int(match[2]) > 12):
            votes.add(int(match[1]) > 12)
    return votes.pop() if len(votes) == 1 else None


def months_if_first_days(periods: Sequence[Period]) -> bool:
    """Whether what reads as days means months: several, all of them the first of a month."""
    return len(set(periods)) > 1 and all(p.days == 1 and p.start.day == 1 for p in periods)


def month_of(period: Period) -> Period:
    """The month that `period` starts in."""
    return _months(period.start.year, period.start.month, 1)
