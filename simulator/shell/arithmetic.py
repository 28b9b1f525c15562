"""`$((…))`: whole numbers with C's operators."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, MutableMapping

_TOKEN = re.compile(
    r"\s*(0[xX][0-9a-fA-F]+|\d+|[A-Za-z_]\w*|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|\S)"
)


class ArithmeticFault(Exception):  # noqa: N818 - a user's mistake, not the program's
    """The expression is not one; `str()` is what the shell says."""


def _divide(a: int, b: int) -> int:
    if b == 0:
        raise ArithmeticFault("divide by zero")
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


_BINARY: list[dict[str, Callable[[int, int], int]]] = [
    {"||": lambda a, b: int(bool(a) or bool(b))},
    {"&&": lambda a, b: int(bool(a) and bool(b))},
    {"|": operator.or_},
    {"^": operator.xor},
    {"&": operator.and_},
    {"==": lambda a, b: int(a == b), "!=": lambda a, b: int(a != b)},
    {
        "<": lambda a, b: int(a < b),
        ">": lambda a, b: int(a > b),
        "<=": lambda a, b: int(a <= b),
        ">=": lambda a, b: int(a >= b),
    },
    {"<<": lambda a, b: a << (b & 63), ">>": lambda a, b: a >> (b & 63)},
    {"+": operator.add, "-": operator.sub},
    {"*": operator.mul, "/": _divide, "%": lambda a, b: a - b * _divide(a, b)},
]
_ASSIGNING = {op + "=": level[op] for level in _BINARY for op in level if op in "+-*/%&|^<<>>"}


def evaluate(text: str, variables: MutableMapping[str, str]) -> int:
    """Value of `text`; assignments go into `variables`. Raises ArithmeticFault."""
    tokens = _TOKEN.findall(text)
    if not tokens:
        return 0
    evaluator = _Evaluator(tokens, variables)
    value = evaluator.expression()
    if evaluator.tokens:
        raise ArithmeticFault("arithmetic syntax error")
    return value


class _Evaluator:
    def __init__(self, tokens: list[str], variables: MutableMapping[str, str]) -> None:
        self.tokens = tokens[::-1]
        self.variables = variables

    def peek(self) -> str:
        return self.tokens[-1] if self.tokens else ""

    def take(self, token: str) -> bool:
        if self.peek() != token:
            return False
        self.tokens.pop()
        return True

    def expression(self) -> int:
        name = self.peek()
        after = self.tokens[-2] if len(self.tokens) > 1 else ""
        if (name[:1].isalpha() or name[:1] == "_") and (after == "=" or after in _ASSIGNING):
            del self.tokens[-2:]
            value = self.expression()
            if after != "=":
                value = _ASSIGNING[after](self.variable(name), value)
            self.variables[name] = str(wrap(value))
            return wrap(value)
        condition = self.binary(0)
        if not self.take("?"):
            return condition
        yes = self.expression()
        if not self.take(":"):
            raise ArithmeticFault("arithmetic syntax error")
        no = self.expression()
        return yes if condition else no

    def binary(self, level: int) -> int:
        if level == len(_BINARY):
            return self.unary()
        value = self.binary(level + 1)
        while self.peek() in _BINARY[level]:
            action = _BINARY[level][self.tokens.pop()]
            value = wrap(action(value, self.binary(level + 1)))
        return value

    def unary(self) -> int:  # noqa: PLR0911 - one an operator
        if not self.tokens:
            raise ArithmeticFault("arithmetic syntax error")
        token = self.tokens.pop()
        match token:
            case "-":
                return wrap(-self.unary())
            case "+":
                return self.unary()
            case "!":
                return int(not self.unary())
            case "~":
                return ~self.unary()
            case "(":
                value = self.expression()
                if not self.take(")"):
                    raise ArithmeticFault("arithmetic syntax error")
                return value
        if token[0].isdigit():
            return number(token)
        if token[0].isalpha() or token[0] == "_":
            return self.variable(token)
        raise ArithmeticFault("arithmetic syntax error")

    def variable(self, name: str) -> int:
        text = self.variables.get(name, "").strip() or "0"
        return number(text)


def number(text: str) -> int:
    """A decimal, octal (0…) or hexadecimal (0x…) whole number."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    try:
        if digits.lower().startswith("0x"):
            return wrap(sign * int(digits, 16))
        return wrap(sign * int(digits, 8 if len(digits) > 1 and digits.startswith("0") else 10))
    except ValueError:
        raise ArithmeticFault("arithmetic syntax error") from None


def wrap(value: int) -> int:
    """`value` as a signed 64-bit number."""
    return (value + 2**63) % 2**64 - 2**63
