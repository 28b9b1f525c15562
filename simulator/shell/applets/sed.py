"""`sed`, as far as scripts on access points use it: s, d, p, q, a, i, c, = with addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from simulator.shell.applets.options import options
from simulator.shell.applets.regex import to_python
from simulator.shell.commands import Applet, Call

_FLAGS = re.compile(r"[gpiI0-9]*")


class _Fault(Exception):  # noqa: N818 - a slip in the user's script
    pass


@dataclass
class _Rule:
    first: str | re.Pattern[str] | None = None
    last: str | re.Pattern[str] | None = None
    negated: bool = False
    command: str = ""
    pattern: re.Pattern[str] | None = None
    text: str = ""
    flags: str = ""
    inside: bool = field(default=False)


class _Parser:
    def __init__(self, script: str, *, extended: bool) -> None:
        self.script = script
        self.extended = extended
        self.at = 0

    def rules(self) -> list[_Rule]:
        found: list[_Rule] = []
        while True:
            while self.at < len(self.script) and self.script[self.at] in " \t\n;":
                self.at += 1
            if self.at >= len(self.script) or self.script[self.at] == "#":
                return found
            found.append(self.rule())

    def rule(self) -> _Rule:
        rule = _Rule(first=self.address())
        if rule.first is not None and self.here == ",":
            self.at += 1
            rule.last = self.address()
        while self.here and self.here in " !":
            rule.negated = rule.negated or self.here == "!"
            self.at += 1
        rule.command = self.here
        self.at += 1
        if rule.command == "s":
            self.substitution(rule)
        elif rule.command and rule.command in "aic":
            end = re.compile(r"\n").search(self.script, self.at)
            stop = end.start() if end else len(self.script)
            rule.text = re.sub(r"^\\\n?", "", self.script[self.at : stop].lstrip()) + "\n"
            if self.script[self.at : stop].strip() == "\\" and end:
                nxt = self.script.find("\n", stop + 1)
                nxt = len(self.script) if nxt < 0 else nxt
                rule.text, stop = self.script[stop + 1 : nxt] + "\n", nxt
            self.at = stop
        elif rule.command not in {"d", "p", "q", "="}:
            raise _Fault(f"unsupported command {rule.command}")
        return rule

    @property
    def here(self) -> str:
        return self.script[self.at : self.at + 1]

    def address(self) -> str | re.Pattern[str] | None:
        if match := re.compile(r"\d+|\$").match(self.script, self.at):
            self.at = match.end()
            return match.group(0)
        if self.here in {"/", "\\"}:
            delimiter = self.here
            if delimiter == "\\":
                self.at += 1
                delimiter = self.here
            return self.regex(self.until(delimiter), "")
        return None

    def until(self, delimiter: str) -> str:
        """The text between here (a delimiter) and the next one, which is then here."""
        self.at += 1
        out = ""
        in_brackets = False
        while True:
            char = self.here
            if not char:
                raise _Fault("unterminated s or /")
            if char == "\\" and self.script[self.at + 1 : self.at + 2] == delimiter:
                out += delimiter
                self.at += 2
                continue
            if char == "\\":
                out += self.script[self.at : self.at + 2]
                self.at += 2
                continue
            if char == delimiter and not in_brackets:
                self.at += 1
                return out
            in_brackets = (char == "[") or (in_brackets and char != "]")
            out += char
            self.at += 1

    def regex(self, source: str, flags: str) -> re.Pattern[str]:
        try:
            return re.compile(
                to_python(source, extended=self.extended),
                re.IGNORECASE if set(flags) & {"i", "I"} else 0,
            )
        except re.error as error:
            raise _Fault(f"bad regex '{source}': {error}") from None

    def substitution(self, rule: _Rule) -> None:
        delimiter = self.here
        source = self.until(delimiter)
        self.at -= 1
        in_set = self.replacement(delimiter)
        match = _FLAGS.match(self.script, self.at)
        rule.flags = match.group(0) if match else ""
        self.at += len(rule.flags)
        rule.pattern, rule.text = self.regex(source, rule.flags), in_set

    def replacement(self, delimiter: str) -> str:
        self.at += 1
        out = ""
        while self.here != delimiter:
            if not self.here:
                raise _Fault("unterminated s")
            step = 2 if self.here == "\\" else 1
            out += self.script[self.at : self.at + step]
            self.at += step
        self.at += 1
        return out


def _replaced(match: re.Match[str], template: str) -> str:
    def piece(found: re.Match[str]) -> str:
        text = found.group(0)
        if text == "&":
            return match.group(0)
        char = text[1:]
        if char.isdigit():
            return match.group(int(char)) or "" if int(char) <= (match.re.groups) else ""
        return {"n": "\n", "t": "\t"}.get(char, char)

    return re.sub(r"\\.|&", piece, template, flags=re.DOTALL)


def _hits(want: str | re.Pattern[str], line: str, number: int, total: int) -> bool:
    if isinstance(want, re.Pattern):
        return want.search(line) is not None
    return number == (total if want == "$" else int(want))


def _selected(rule: _Rule, line: str, number: int, total: int) -> bool:
    if rule.first is None:
        chosen = True
    elif rule.last is None:
        chosen = _hits(rule.first, line, number, total)
    elif rule.inside:
        chosen = True
        ended = (
            rule.last.isdigit() and number >= int(rule.last)
            if isinstance(rule.last, str)
            else False
        )
        rule.inside = not (ended or _hits(rule.last, line, number, total))
    else:
        chosen = _hits(rule.first, line, number, total)
        passed = isinstance(rule.last, str) and rule.last.isdigit() and int(rule.last) <= number
        rule.inside = chosen and not passed
    return chosen != rule.negated


def edit(lines: list[str], rules: list[_Rule], *, quiet: bool) -> str:  # noqa: PLR0912 - one a command
    """Apply the rules to lines; returns what sed prints."""
    out: list[str] = []
    for number, original in enumerate(lines, 1):
        line, keep, after, quit_now = original, True, "", False
        for rule in rules:
            if not _selected(rule, line, number, len(lines)):
                continue
            match rule.command:
                case "s":
                    line, done = _substitute(rule, line)
                    if done and "p" in rule.flags:
                        out.append(line + "\n")
                case "d":
                    keep = False
                case "c":
                    keep, after = False, after + rule.text
                case "p":
                    out.append(line + "\n")
                case "=":
                    out.append(f"{number}\n")
                case "i":
                    out.append(rule.text)
                case "a":
                    after += rule.text
                case "q":
                    quit_now = True
            if not keep or quit_now:
                break
        if keep and not quiet:
            out.append(line + "\n")
        out.append(after)
        if quit_now:
            break
    return "".join(out)


def _substitute(rule: _Rule, line: str) -> tuple[str, bool]:
    assert rule.pattern is not None  # noqa: S101 - a rule of the kind s has one
    nth = int("".join(char for char in rule.flags if char.isdigit()) or 1)
    seen = 0

    def once(match: re.Match[str]) -> str:
        nonlocal seen
        seen += 1
        wanted = seen >= nth if "g" in rule.flags else seen == nth
        return _replaced(match, rule.text) if wanted else match.group(0)

    result = rule.pattern.sub(once, line)
    return result, seen >= nth


async def _sed(call: Call) -> int:  # noqa: PLR0912 - one flag a branch
    scripts: list[str] = []
    args = []
    pending = list(call.args)
    while pending:  # -e may be given several times, which the flags' reader does not keep
        arg = pending.pop(0)
        if arg == "-e" and pending:
            scripts.append(pending.pop(0))
        else:
            args.append(arg)
    found = options(Call(call.name, args, call.shell), "nrEise:f:")
    if found is None:
        return 1
    flags, names = found
    if "e" in flags:
        scripts.append(flags["e"])
    if "f" in flags:
        scripts.append((await call.input(flags["f"])).decode("utf-8", "surrogateescape"))
    if not scripts:
        if not names:
            return call.err("no script")
        scripts.append(names.pop(0))
    extended = "r" in flags or "E" in flags
    status = 0
    try:
        for name in names or ["-"]:
            rules = _Parser("\n".join(scripts), extended=extended).rules()
            try:
                data = await call.input(name)
            except OSError as error:
                status = call.err(f"{name}: {error.strerror}")
                continue
            text = data.decode("utf-8", "surrogateescape")
            lines = text.removesuffix("\n").split("\n") if text else []
            result = edit(lines, rules, quiet="n" in flags)
            if text and not text.endswith("\n") and result.endswith("\n"):
                result = result[:-1]
            if "i" in flags and name != "-":
                draft = call.path(name) + ".sed-draft"
                mode = call.flash.stat(call.path(name)).st_mode
                call.flash.write(draft, result.encode("utf-8", "surrogateescape"))
                call.flash.chmod(draft, mode)
                call.flash.rename(draft, call.flash.resolve(call.path(name)))
            else:
                call.out(result)
    except _Fault as fault:
        return call.err(str(fault))
    return status


APPLETS: dict[str, Applet] = {"sed": _sed}
