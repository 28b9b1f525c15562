"""Line protocol read back, as `timeseries.lines` writes it: for what waits in the spool."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from timeseries.base import SCHEMA, Value

# A space in a tag is escaped; a quote in one is a character like others. A string in quotes may
# hold anything, line ends too.
_LINE = re.compile(r'(?:[^ \n]|(?<=\\) )+ (?:[^"\n]|"(?:[^"\\]|\\.)*")+', re.S)
_HEAD_ENDS = re.compile(r"(?<!\\) ")
_NAME_ENDS = re.compile(r"(?<!\\)[, ]")
_COMMA = re.compile(r"(?<!\\),")
_FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|[^,]*)', re.S)
_IN_TAG = re.compile(r"\\([,= ])")
_IN_STRING = re.compile(r'\\(["\\])')


class Row(NamedTuple):
    """A line: its tags in the schema's order, its fields by name, its time in milliseconds."""

    tags: tuple[str, ...]
    fields: dict[str, Value]
    time: int


def split_lines(body: str, rows: int) -> list[str]:
    """The lines of a body that has so many `rows`."""
    lines = body.split("\n")
    return lines if len(lines) == rows else _LINE.findall(body)


def measurement_of(line: str) -> str:
    """Whose row it is, with tags or without."""
    return _NAME_ENDS.split(line, maxsplit=1)[0]


def read_rows(lines: list[str], measurement: str) -> Iterator[Row]:
    """The rows of `measurement` among `lines`."""
    names = SCHEMA[measurement].tags
    for line in lines:
        if not line.startswith(measurement) or line[len(measurement)] not in ", ":
            continue
        head, rest = _HEAD_ENDS.split(line, maxsplit=1)
        fields, _, time = rest.rpartition(" ")
        tags = dict(part.split("=", 1) for part in _COMMA.split(head)[1:])
        yield Row(
            tuple(_IN_TAG.sub(r"\1", tags.get(name, "")) for name in names),
            {name: _value(text) for name, text in _FIELD.findall(fields)},
            int(time),
        )


def _value(text: str) -> Value:
    if text.startswith('"'):
        return _IN_STRING.sub(r"\1", text[1:-1])
    if text in {"true", "false"}:
        return text == "true"
    return int(text[:-1]) if text.endswith("i") else float(text)
