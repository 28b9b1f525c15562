"""Reads a row's cells by field; what had to be repaired goes into the report, what cannot be used
raises `BadCellError`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from inventory.importers.contents import Row, Source
from inventory.importers.report import BadCellError, Report, shown
from inventory.importers.values import Kind, decimal_sign, read_number, read_text

T = TypeVar("T")
MAX_ID_CHARS = 200
EXACT = 2.0**53
"""Whole numbers beyond this are rounded where a file keeps them as floats."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Reader:
    """Cells of a source by the name of the option that chose their column."""

    def __init__(self, source: Source, chosen: Mapping[str, str], report: Report) -> None:
        """`chosen` maps fields (`lat`, `management_address`) to columns; "" is not chosen.

        Raises
        ------
        InputError
            A chosen column is not there.
        """
        self.source, self.report = source, report
        self.index = {
            field: source.index(column, "--" + field.replace("_", "-"))
            for field, column in chosen.items()
            if column
        }
        self._signs: dict[str, str] = {}

    def has(self, field: str) -> bool:
        """Whether a column was chosen for `field`."""
        return field in self.index

    def column(self, field: str) -> str:
        """The column that holds `field`."""
        return self.source.columns[self.index[field]] if self.has(field) else field

    def cell(self, row: Row, field: str) -> object:
        """The cell as it stands in the file; None if empty or not chosen."""
        return row.cells[self.index[field]] if self.has(field) else None

    def text(self, row: Row, field: str) -> str | None:
        """The cell as text without outer spaces. BadCellError if it is no Unicode."""
        cell = self.cell(row, field)
        text, why = read_text(cell)
        if text and _SURROGATE.search(text):
            raise BadCellError(
                self.column(field), cell, "holds half a character (a lone surrogate)"
            )
        if why:
            self.report.repair(row.number, self.column(field), cell, text, why)
        return text

    def label(self, row: Row) -> str:
        """The row's id or name with its column, as in "id 4711"; "" if it has none."""
        for field in ("id", "name"):
            text, _ = read_text(self.cell(row, field))
            if text:
                return f"{self.column(field)} {shown(text)}"
        return ""

    def number(self, row: Row, field: str, kind: Kind = "measure") -> float | None:
        """The cell as a finite number; None if empty. BadCellError if it is none."""
        cell = self.cell(row, field)
        if read_text(cell)[0] is None:
            return None
        if field not in self._signs:
            i = self.index[field]
            self._signs[field] = decimal_sign(other.cells[i] for other in self.source.rows)
        try:
            value, why = read_number(cell, kind, self._signs[field])
        except ValueError as error:
            raise BadCellError(self.column(field), cell, str(error)) from None
        if why:
            self.report.repair(row.number, self.column(field), cell, f"{value:.15g}", why)
        return value

    def amount(self, row: Row, field: str, kind: Kind = "measure") -> float | None:
        """The cell as a number that is not negative; None if empty. BadCellError if it is none."""
        value = self.number(row, field, kind)
        if value is not None and value < 0:
            raise BadCellError(self.column(field), self.cell(row, field), "is negative")
        return value

    def parsed(self, row: Row, field: str, parse: Callable[[str], tuple[T, str]]) -> T | None:
        """The cell through `parse` (value, why it was changed); None if empty."""
        text = self.text(row, field)
        if text is None:
            return None
        try:
            value, why = parse(text)
        except ValueError as error:
            raise BadCellError(self.column(field), text, str(error)) from None
        if why:
            self.report.repair(row.number, self.column(field), text, value, why)
        return value

    def identity(self, row: Row, extra: bytes = b"") -> str:
        """The row's id: its `id` column, else made from its own content (and `extra`), so that
        the same row has the same id in every run.
        """
        if not self.has("id"):
            texts = [read_text(cell)[0] for cell in row.cells]
            content = json.dumps(texts, ensure_ascii=False).encode("utf-8", "surrogatepass") + extra
            return "row-" + hashlib.blake2b(content, digest_size=8).hexdigest()
        text = self.text(row, "id")
        if text is None:
            raise BadCellError(self.column("id"), None, "the id is missing")
        if isinstance(cell := self.cell(row, "id"), float) and abs(cell) >= EXACT:
            raise BadCellError(
                self.column("id"), cell, "is too long for a number: keep ids as text in the file"
            )
        if len(text) > MAX_ID_CHARS or _CONTROL.search(text):
            raise BadCellError(
                self.column("id"), text,
                f"an id has at most {MAX_ID_CHARS} characters and no line breaks",
            )  # fmt: skip
        return text
