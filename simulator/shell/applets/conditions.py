"""`test`, `[`, `true`, `false` and `expr`."""

from __future__ import annotations

import re
import stat

from simulator.shell.applets.regex import to_python
from simulator.shell.commands import Applet, Call


class _Fault(Exception):  # noqa: N818 - a slip in the user's script
    pass


_FILE_TESTS = {"e", "f", "d", "L", "h", "s", "r", "w", "x", "b", "c", "p", "S"}


class _Test:
    """The grammar of `test`: -o binds least, then -a, then `!`."""

    def __init__(self, call: Call, tokens: list[str]) -> None:
        self.call = call
        self.tokens = tokens
        self.at = 0

    def peek(self, ahead: int = 0) -> str | None:
        place = self.at + ahead
        return self.tokens[place] if place < len(self.tokens) else None

    def whole(self) -> bool:
        if not self.tokens:
            return False
        value = self.either()
        if self.at < len(self.tokens):
            raise _Fault(f"{self.tokens[self.at]}: unknown operand")
        return value

    def either(self) -> bool:
        value = self.both()
        while self.peek() == "-o":
            self.at += 1
            value = self.both() or value
        return value

    def both(self) -> bool:
        value = self.negation()
        while self.peek() == "-a":
            self.at += 1
            value = self.negation() and value
        return value

    def negation(self) -> bool:
        if self.peek() == "!" and len(self.tokens) - self.at > 1:
            self.at += 1
            return not self.negation()
        return self.primary()

    def primary(self) -> bool:
        first, second, third = self.peek(), self.peek(1), self.peek(2)
        if first is None:
            raise _Fault("argument expected")
        if second is not None and third is not None and _is_binary(second):
            self.at += 3
            return self.binary(first, second, third)
        if first == "(" and second is not None:
            self.at += 1
            value = self.either()
            if self.peek() != ")":
                raise _Fault("closing paren expected")
            self.at += 1
            return value
        if re.fullmatch(r"-[a-zA-Z]", first) and second is not None:
            self.at += 2
            return self.unary(first[1], second)
        self.at += 1
        return first != ""

    @staticmethod
    def binary(left: str, op: str, right: str) -> bool:
        match op:
            case "=" | "==":
                return left == right
            case "!=":
                return left != right
            case "<":
                return left < right
            case ">":
                return left > right
        a, b = _number(left), _number(right)
        return {
            "-eq": a == b, "-ne": a != b, "-lt": a < b, "-le": a <= b, "-gt": a > b, "-ge": a >= b,
        }[op]  # fmt: skip

    def unary(self, flag: str, operand: str) -> bool:
        if flag == "n":
            return operand != ""
        if flag == "z":
            return operand == ""
        if flag == "t":
            return operand.isdigit() and hasattr(self.call.shell.fds.get(int(operand)), "terminal")
        if flag not in _FILE_TESTS:
            raise _Fault(f"-{flag}: unknown operand")
        try:
            found = self.call.flash.stat(self.call.path(operand), follow=flag not in "Lh")
        except OSError:
            return False
        mode = found.st_mode
        return {
            "f": stat.S_ISREG(mode), "d": stat.S_ISDIR(mode), "L": stat.S_ISLNK(mode),
            "h": stat.S_ISLNK(mode), "s": found.st_size > 0, "x": bool(mode & 0o111),
            "c": stat.S_ISCHR(mode), "b": False, "p": False, "S": False,
        }.get(flag, True)  # fmt: skip


def _is_binary(text: str) -> bool:
    return text in {"=", "==", "!=", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge"}


def _number(text: str) -> int:
    try:
        return int(text.strip())
    except ValueError:
        raise _Fault(f"{text}: bad number") from None


def _test(call: Call) -> int:
    tokens = list(call.args)
    if call.name == "[" and (not tokens or tokens.pop() != "]"):
        call.err("missing ]")
        return 2
    try:
        return 0 if _Test(call, tokens).whole() else 1
    except _Fault as fault:
        call.shell.complain(str(fault))
        return 2


def _calculated(a: int, op: str, b: int) -> int:
    if op in {"/", "%"}:
        quotient = int(a / b)
        return quotient if op == "/" else a - b * quotient
    return {
        "+": a + b, "-": a - b, "*": a * b,
        "<": int(a < b), ">": int(a > b), "<=": int(a <= b), ">=": int(a >= b),
    }[op]  # fmt: skip


def _expr(call: Call) -> int:
    """`A op B` for one operator, which is what scripts use."""
    args = call.args
    if len(args) == 1:
        value = args[0]
    elif len(args) == 3:
        left, op, right = args
        if op == ":":
            found = re.compile(to_python(right)).match(left)
            if found is None:
                value = "" if "\\(" in right else "0"
            else:
                value = found.group(1) if found.re.groups else str(found.end())
        elif op in {"=", "!=", "|", "&"}:
            value = {"=": str(int(left == right)), "!=": str(int(left != right)),
                     "|": left or right, "&": left if left and right else "0"}[op]  # fmt: skip
        else:
            try:
                value = str(_calculated(int(left), op, int(right)))
            except (ValueError, KeyError, ZeroDivisionError):
                call.err("non-numeric argument" if not right.isdigit() else "division by zero")
                return 2
    else:
        call.err("syntax error")
        return 2
    call.out(value + "\n")
    return 1 if value in {"", "0"} else 0


APPLETS: dict[str, Applet] = {
    "[": _test,
    "test": _test,
    "true": lambda _call: 0,
    "false": lambda _call: 1,
    "expr": _expr,
}
