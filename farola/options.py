"""Kinds of options that several commands take, and what is said of a value that does not fit."""

from __future__ import annotations

import math
import re
from typing import Any

import click
from click.core import ParameterSource


class NumberRange(click.FloatRange):
    """A number within bounds. click's own range lets `nan` through, which is below no bound."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number; a usage error where it is none or out of bounds."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no number in the range {self._describe_range()}.", param, ctx)
        return number


class Filled(click.ParamType[Any]):
    """A text or a path as `inner` reads it. What is given empty, as by an unset variable of a
    script, is refused: nothing would tell it from what was not given.
    """

    def __init__(self, inner: click.ParamType[Any]) -> None:
        """`inner` converts what is not empty."""
        self.inner = inner
        self.name = inner.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value; a usage error where it is empty on the command line."""
        given = (
            param is not None
            and param.name is not None
            and ctx is not None
            and ctx.get_parameter_source(param.name) is ParameterSource.COMMANDLINE
        )
        if given and isinstance(value, str) and not value.strip():
            self.fail("it is empty: leave the option out, or give it a value", param, ctx)
        return self.inner.convert(value, param, ctx)


def refuse_empty(command: click.Command) -> None:
    """Let no option of `command` that takes a text or a path be given an empty one."""
    for option in command.params:
        if isinstance(option, click.Option) and type(option.type) in _TEXTS:
            option.type = Filled(option.type)


_TEXTS = (type(click.STRING), click.Path)
_OUT_OF_RANGE = re.compile(
    r"(?P<value>.+) is (?:not|no) (?:a valid \w+|number in the|in the) range\b"
)


def said_plainly(error: click.UsageError) -> str:
    """What `error` says, without click's word for a number within bounds."""
    message = " ".join(error.format_message().split()).rstrip(".")
    kind = error.param.type if isinstance(error, click.BadParameter) and error.param else None
    if not isinstance(kind, click.IntRange | click.FloatRange):
        return message
    if (said := _OUT_OF_RANGE.match(error.message)) is None:
        return message
    number = "a whole number" if isinstance(kind, click.IntRange) else "a number"
    bounds = ""
    if kind.min is not None:
        bounds = f" from {kind.min:g}" if kind.max is not None else f" of {kind.min:g} or more"
    if kind.max is not None:
        bounds += f" to {kind.max:,}" if number == "a whole number" else f" to {kind.max:,.15g}"
    start = message.removesuffix(" ".join(error.message.split()).rstrip("."))
    return f"{start}{said['value']} is not {number}{bounds}"
