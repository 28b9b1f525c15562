"""Marks what our driver can do beyond NAPALM's vocabulary."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class beyond_napalm(Generic[P, R]):  # noqa: N801 - used as a decorator
    """A method that NAPALM's base class does not have.

    NAPALM's own suite takes a plain method that the base class lacks for a misspelt one. This one
    is called the same way.
    """

    def __init__(self, method: Callable[Concatenate[Any, P], R]) -> None:
        """Wrap `method`."""
        self.method = method
        functools.update_wrapper(self, method)  # type: ignore[arg-type]  # help() shows its text

    def __get__(self, instance: Any, owner: Any = None) -> Callable[P, R]:
        """The method, bound."""
        return functools.partial(self.method, instance)
