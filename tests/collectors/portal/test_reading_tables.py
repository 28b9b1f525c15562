"""Long and wide tables, and how the cells in them are read."""

from __future__ import annotations

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farola.errors import InputError

SPACES = [" ", "\u00a0", "\u202f"]


def test_long_by_site(read) -> None:
    done = read(
        ["site", "period", "users", "sessions"],
        ["A", "2019-04", "10", "20"], ["B", "2019-04", "", "7"], ["A", "2019-05", "12", ""],
        site="site", sites=["A", "B"], users=["users"], sessions=["sessions"],
    )  # fmt: skip
    assert done.figures() == {
        ("id-A", "2019-04", "", "users"): 10, ("id-A", "2019-04", "", "sessions"): 20,
        ("id-B", "2019-04", "", "sessions"): 7, ("id-A", "2019-05", "", "users"): 12,
    }  # fmt: skip
    assert done.rejected == []


def test_wide_by_period(read) -> None:
    done = read(
        ["site", "abr-2019", "2019-05"], ["A", "10", "20"], ["B", "", "30"], ["C", "", ""],
        site="site", sites=["A", "B", "C"], periods=["abr-2019", "2019-05"], measure="sessions",
    )  # fmt: skip
    assert done.figures() == {
        ("id-A", "2019-04", "", "sessions"): 10, ("id-A", "2019-05", "", "sessions"): 20,
        ("id-B", "2019-05", "", "sessions"): 30,
    }  # fmt: skip
    assert done.rejected == [(3, "abr-2019", ""), (4, "abr-2019, 2019-05", "")]
    assert "B 2019-04: no figure" in done.why
    assert "C: no figure in this row" in done.why


def test_wide_by_kind(read) -> None:
    done = read(
        ["period", "all", "parks", "odd=name"], ["2019-04", "30", "10", "20"],
        users=["all", "Parks=parks", "Libraries=odd=name"],
    )  # fmt: skip
    assert done.figures() == {
        ("", "2019-04", "", "users"): 30, ("", "2019-04", "Parks", "users"): 10,
        ("", "2019-04", "Libraries", "users"): 20,
    }  # fmt: skip


def test_long_by_kind_where_one_kind_is_the_total(read) -> None:
    done = read(
        ["period", "kind", "users"], ["2019-04", "Park", "10"], ["2019-04", "TOTAL", "10"],
        ["2019-04", "", "3"], kind="kind", users=["users"],
    )  # fmt: skip
    assert {key[2] for key in done.figures()} == {"Park", ""}
    assert done.rejected == [(4, "kind", "")]
    assert [(r.was, r.why) for r in done.report.repaired] == [
        ("TOTAL", "read as all kinds together")
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    values=st.lists(st.integers(100, 10**9), min_size=2, max_size=5),
    space=st.sampled_from(SPACES),
)
def test_minutes_with_any_space_and_a_decimal_comma(read, values, space) -> None:
    rows = []
    for n, hundredths in enumerate(values):
        whole = f"{hundredths // 100:,}".replace(",", space)
        rows.append([f"2019-{n + 1:02}", f"{whole},{hundredths % 100:02}"])
    done = read(["period", "minutes"], *rows, minutes=["minutes"], keep_outliers=True)
    assert list(done.figures().values()) == [value / 100 for value in values]
    assert len(done.report.repaired) == len(values)


@pytest.mark.parametrize(
    ("cell", "says"),
    [("-5", "cannot be negative"), ("many", "is not a number"), ("nan", "finite"),
     ("1e999", "finite"),
     ("1 2", "is not a number"), ("12,5,3", "is not a number")],
)  # fmt: skip
def test_a_cell_that_is_no_figure_rejects_its_row_by_name(read, cell: str, says: str) -> None:
    done = read(
        ["site", "period", "users"], ["A", "2019-04", cell], ["A", "2019-05", "3"],
        site="site", sites=["A"], users=["users"],
    )  # fmt: skip
    assert done.rejected == [(2, "users", cell)]
    assert "A 2019-04" in done.why
    assert says in done.why
    assert len(done.units) == 1


def test_minutes_that_could_mean_two_numbers_are_refused_but_counts_are_whole(read) -> None:
    done = read(
        ["period", "users", "minutes"], ["2019-04", "1,234", "1,234"], ["2019-05", "1,300", "7"],
        users=["users"], minutes=["minutes"],
    )  # fmt: skip
    assert done.rejected == [(2, "minutes", "1,234")]
    assert done.figures()["", "2019-05", "", "users"] == 1300


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"users": ["users"], "city": False}, "one of --site COL"),
        ({"users": ["users"], "site": "period", "city": True}, "one of --site COL"),
        ({"periods": [], "users": ["users"]}, "--period is missing"),
        ({}, "no figures"),
        ({"users": ["Users"]}, "did you mean 'users'"),
        ({"users": ["users", "users"]}, "given twice"),
        ({"users": ["users"], "measure": "users"}, "--measure is for tables"),
        ({"periods": ["2019-04"], "users": ["users"]}, "give --measure instead of --users"),
        ({"periods": ["2019-04", "04/2019"]}, "mean the same period"),
        ({"periods": ["mes"], "users": ["users"]}, "no column 'mes'"),
    ],
)
def test_options_that_do_not_fit_are_one_line(read, options, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read(["period", "users", "2019-04", "04/2019"], ["2019-04", "1", "2", "3"], **options)


def test_a_workbook_with_dates_of_first_days_is_monthly(tmp_path) -> None:
    from datetime import datetime

    from inventory.importers.source import open_source

    book = openpyxl.Workbook()
    book.active.append(["when", "users"])
    for n in (1, 2, 3):
        book.active.append([datetime(2019, n, 1), 10 * n])
    book.save(tmp_path / "usage.xlsx")

    from collectors.portal.reading import read_units
    from collectors.portal.shape import find_shape
    from inventory.importers.report import Report

    source = open_source(tmp_path / "usage.xlsx")
    shape = find_shape(source, places={}, city=True, periods=["when"],
                       figures={"users": ["users"]}, kind="", measure="")  # fmt: skip
    report = Report("usage", source.path)
    units = read_units(source, shape, None, report)
    assert [str(u.period) for u in units] == ["2019-01", "2019-02", "2019-03"]
    assert "whole months" in report.notes[0]
