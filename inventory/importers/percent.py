"""A column that is a share of residents: per cent (0..100) or parts of one (0..1). A column that
could be either is refused, never guessed.
"""

from __future__ import annotations

from farola.errors import InputError
from inventory.importers.contents import Row
from inventory.importers.report import BadCellError
from inventory.importers.rows import Reader
from inventory.importers.values import decimal_sign, read_number

PERCENT, SHARE = "percent", "share"
UNITS = (PERCENT, SHARE)


def unit_of(reader: Reader, field: str, said: str | None, option: str) -> str:
    """`percent` or `share`: as `said`, else percent where any number of the column is above 1.

    Raises
    ------
    InputError
        All numbers are from 0 to 1, so that it could be either, and nobody said which.
    """
    if said or not reader.has(field):
        return said or PERCENT
    numbers = _numbers(reader, field)
    if numbers and all(0 <= number <= 1 for number in numbers):
        column = reader.column(field)
        raise InputError(
            f"column {column!r}: all {len(numbers)} numbers are from 0 to 1, so it may hold shares "
            f"or per cent: say which with {option}-unit share or {option}-unit percent"
        )
    return PERCENT


def read_percent(reader: Reader, row: Row, field: str, unit: str) -> float | None:
    """The cell in per cent, 0..100; None if empty.

    Raises
    ------
    BadCellError
        It is no number, or outside 0..100 (0..1 where `unit` is `share`).
    """
    value = reader.amount(row, field)
    if value is None:
        return None
    most = 1 if unit == SHARE else 100
    if value > most:
        why = "is above 1, a whole" if unit == SHARE else "is above 100 per cent"
        raise BadCellError(reader.column(field), reader.cell(row, field), why)
    return value * 100 / most


def _numbers(reader: Reader, field: str) -> list[float]:
    """The column's cells that are numbers."""
    cells = [reader.cell(row, field) for row in reader.source.rows]
    sign = decimal_sign(cells)
    numbers = []
    for cell in cells:
        try:
            numbers.append(read_number(cell, "measure", sign)[0])
        except ValueError:  # empty, or told when its row is read
            continue
    return numbers
