"""What is wrong with a figure is told by the figures around it."""

from __future__ import annotations

from datetime import date

MONTHS = [f"2019-{n:02}" for n in range(1, 10)]


def monthly(*values: object) -> list[list[object]]:
    return [["period", "users"], *([m, v] for m, v in zip(MONTHS, values, strict=False))]


def test_a_figure_broken_by_thousands_separators_is_rejected_by_name(read) -> None:
    done = read(*monthly(2_100_000, 2_000_000, 2, 2_300_000, 2_200_000), users=["users"])
    assert done.rejected == [(4, "users", "2")]
    assert "2019-03: 2 users is more than 100 times off the median" in done.why
    kept = read(
        *monthly(2_100_000, 2_000_000, 2, 2_300_000, 2_200_000), users=["users"],
        keep_outliers=True,
    )  # fmt: skip
    assert kept.rejected == []
    assert "100 times off" in kept.warned


def test_quiet_months_and_short_series_are_no_outliers(read) -> None:
    assert read(*monthly(60, 50, 0, 70, 65), users=["users"]).rejected == []
    assert read(*monthly(90_000, 5, 90_000), users=["users"]).rejected == []
    assert read(*monthly(0, 0, 0, 0, 30), users=["users"]).rejected == []


def test_a_total_that_is_not_the_sum_of_its_kinds_is_rejected(read) -> None:
    rows = [[m, 30, 10, 20] for m in MONTHS[:4]]
    rows[2] = [MONTHS[2], 10, 30, 20]
    done = read(["period", "all", "a", "b"], *rows, users=["all", "A=a", "B=b"])
    assert done.rejected == [(4, "all", "10")]
    assert "the total of users is 10 but its kinds sum to 50" in done.why


def test_a_total_over_more_kinds_than_given_is_no_fault(read) -> None:
    rows = [[m, 50, 10, 20] for m in MONTHS[:4]]
    done = read(["period", "all", "a", "b"], *rows, users=["all", "A=a", "B=b"])
    assert done.rejected == []
    assert "do not add up to the total in 4 of 4 rows" in done.report.notes[0]


def test_a_duplicate_names_the_first(read) -> None:
    done = read(*monthly(1, 2), ["01/2019", 5], users=["users"])
    assert [row for row, _, _ in done.rejected] == [4]
    assert "2019-01 is given already by row 2" in done.why
    assert list(done.figures().values()) == [1, 2]


def test_periods_that_overlap_are_not_counted_twice(read) -> None:
    done = read(*monthly(1, 2), ["2019Q1", 9], ["2018", 7], ["2019-03", 4], users=["users"])
    assert [row for row, _, _ in done.rejected] == [4]
    assert "2019-Q1 overlaps 2019-01 of row 2" in done.why


def test_different_places_and_kinds_do_not_overlap(read) -> None:
    done = read(
        ["site", "kind", "period", "users"],
        ["A", "x", "2019-01", 1], ["A", "y", "2019-01", 1], ["B", "x", "2019", 1],
        site="site", sites=["A", "B"], kind="kind", users=["users"],
    )  # fmt: skip
    assert done.rejected == []
    assert len(done.units) == 3


def test_more_users_than_sessions_is_a_warning(read) -> None:
    done = read(
        ["period", "users", "sessions"], ["2019-01", 9, 8], ["2019-02", 8, 8],
        users=["users"], sessions=["sessions"],
    )  # fmt: skip
    assert done.rejected == []
    assert "2019-01: 9 users had 8 sessions" in done.warned
    assert len(done.report.warnings) == 1


def test_periods_that_are_not_over_are_a_warning(read) -> None:
    done = read(*monthly(2, 2, 2), users=["users"], today=date(2019, 2, 5))
    assert done.rejected == []
    assert [(f.row, f.reason) for f in done.report.warnings] == [
        (3, "the period is not over yet"),
        (4, "the period lies in the future"),
    ]


def test_a_part_month_is_seen_by_its_neighbours_at_all_places(read) -> None:
    header = ["site", "2019-04", "2019-05", "2019-06"]
    rows = [[name, n * 25, n * 100, n * 110] for n, name in enumerate("ABCDE", 1)]
    rows[4] = ["E", 900, 100, 110]  # one busy place does not hide it
    done = read(header, *rows, site="site", sites=list("ABCDE"), periods=header[1:])
    assert done.rejected == []
    (warning,) = done.report.warnings
    assert warning.field == "2019-04"
    assert "in 5 series its figures are 0.26 times" in warning.why


def test_short_february_and_seasons_are_no_part_months(read) -> None:
    done = read(*monthly(310, 280, 310, 200, 310), users=["users"])
    assert done.report.warnings == []
