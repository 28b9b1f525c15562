"""What happens on the device: reading, staging, committing, reloading, by the scripts' words.

What counts after a commit is the text that stands in /etc/config, never an exit status.
"""

from __future__ import annotations

import hashlib
import secrets
import shlex
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from napalm.base.exceptions import CommandErrorException, CommitError, LockError

from napalm_openwrt.agent import AGENT_TEXT, FUNCTIONS, LINK, STATE, fill
from napalm_openwrt.scripts import COMMIT, KEEP, READ, RELOAD, STAGE, STALE_S, SWEEP, by_stdin
from napalm_openwrt.session import Session
from napalm_openwrt.uci_text import PACKAGE_NAME, Config, UciSyntaxError, format_config, parse

APPLY_S = 120
"""Seconds after which a commit whose script died half-way is taken back."""


class Refused(ValueError):  # noqa: N818 - what the device did, not a fault of ours
    """The device's own `uci` did not take a candidate; the message is uci's."""


class Packages(dict[str, str]):
    """Text of files of /etc/config, by their names."""

    unfinished: str = ""
    """Id of a commit that had not ended when they were read, so that they may yet go back; or that
    changed them meanwhile.
    """


def read_packages(session: Session, names: Iterable[str] | None = None) -> Packages:
    """Text of the files of /etc/config: all, or of `names` those that exist."""
    packages = "$(cd /etc/config && ls)" if names is None else " ".join(_checked(names))
    mark = new_mark()
    output = session.run(fill(READ, state=STATE, packages=packages, mark=mark))
    if output.status:
        raise CommandErrorException(
            f"{session.access.name}: /etc/config cannot be read: {_line(output.stderr)}"
        )
    _heard_out(session, output.stdout, mark)
    found = Packages(_files(output.stdout, mark))
    for words in said(output.stdout, mark):
        if words[0] == "unfinished" and words[1:]:
            found.unfinished = words[1]
    return found


def stage(session: Session, candidate: Config) -> None:
    """Have the device's own `uci` read `candidate` in a scratch folder; nothing is changed.

    Raises
    ------
    Refused
        uci did not take it, or read it otherwise than we do.
    """
    mark, text = new_mark(), format_config(candidate)
    output = session.run(fill(STAGE, sweep=_sweep(), id=new_commit_id(), mark=mark), text)
    if output.status or f"{mark}: refused" in output.stdout:
        raise Refused(_line(output.stderr) or "the scratch folder /tmp cannot be written")
    _heard_out(session, output.stdout, mark)
    _assert_same(candidate, _files(output.stdout, mark), "read otherwise by the device's uci")


@dataclass(frozen=True)
class Commit:
    """What a commit is called and how long it waits to be confirmed."""

    id: str
    owner: str = ""
    """Who holds the lock meanwhile, for the message to others."""
    message: str = ""
    revert_in: int | None = None
    """Seconds; None is confirmed at once."""


def commit(session: Session, result: Config, base: Mapping[str, str], terms: Commit) -> None:
    """Put `result` in place if /etc/config still is `base`, and reload its services.

    Parameters
    ----------
    result
        The packages as they shall be.
    base
        Text of each touched file when the result was computed; a missing key is a missing file.
    terms
        The commit's id, and whether it reverts by itself.

    Raises
    ------
    LockError
        Another session is at it, or another commit waits to be confirmed.
    CommitError
        Nothing was changed (flash full, a file changed meanwhile, …); or the text that stands
        there afterwards is not the one meant, or a service did not reload: the message says so.
    """
    mark, text, packages = new_mark(), format_config(result), sorted(result)
    script = fill(
        COMMIT, functions=FUNCTIONS, agent=AGENT_TEXT, link=LINK, sweep=_sweep(), mark=mark,
        id=terms.id, keep=f"1,{KEEP}", packages=" ".join(_checked(packages)),
        owner=shlex.quote(one_line(terms.owner) or "another session"),
        message=shlex.quote(one_line(terms.message)), candidate=text, input_sum=_sum(text),
        within=str(terms.revert_in or APPLY_S),
        goal="confirmed" if terms.revert_in is None else "pending",
        checks="\n".join(
            f'[ "$(sum /etc/config/{p})" = {_sum(base[p]) if p in base else "absent"} ] '
            f"|| stop drifted {p}"
            for p in packages
        ),
    )  # fmt: skip
    output = session.run(*by_stdin("commit", script))
    told = said(output.stdout, mark)
    _raise_for(session, told, output.stderr)
    assert_running(session, result, _files(output.stdout, mark))
    _raise_for_services(session, told)


def assert_running(session: Session, meant: Config, found: Mapping[str, str]) -> None:
    """Raise CommitError unless the files `found` on the device say what was `meant`."""
    try:
        _assert_same(meant, found, "not what was meant")
    except Refused as error:
        raise CommitError(
            f"{session.access.name}: after the commit {error}; look at it, or roll back"
        ) from None


def reload_services(session: Session, packages: Iterable[str]) -> None:
    """Reload the services of `packages`, where the device has such. It may cut us off.

    Raises
    ------
    CommitError
        A service clearly said that it did not reload; the files are in place all the same.
    """
    mark = new_mark()
    script = fill(
        RELOAD, functions=FUNCTIONS, id=new_commit_id(), mark=mark,
        packages=" ".join(_checked(packages)),
    )  # fmt: skip
    _raise_for_services(session, said(session.run(*by_stdin("reload", script)).stdout, mark))


def _raise_for_services(session: Session, told: list[list[str]]) -> None:
    failed = " ".join(words[1] for words in told if words[0] == "failed" and words[1:])
    if failed or ["done"] not in told:
        raise CommitError(
            f"{session.access.name}: the config is in place, but "
            + (f"these services did not reload: {failed}; look at the device's log"
               if failed else "the script that reloads its services broke off")
        )  # fmt: skip


def _raise_for(session: Session, told: list[list[str]], stderr: str) -> None:
    """Turn the script's last word into an exception, unless it is `done`."""
    known = {"done", "locked", "pending", "full", "cut", "refused", "drifted", "void", "watcher",
             "reverted"}  # fmt: skip
    word = next((words for words in told if words[0] in known), None)
    name = session.access.name
    if word is None:
        raise CommitError(f"{name}: the commit script broke off: {_line(stderr) or 'no word'}")
    detail = " ".join(word[1:])
    if word[0] == "locked":
        raise LockError(f"{name}: locked by {detail}; nothing was changed, try again in a moment")
    if word[0] == "pending":
        identity, left, who = (*word[1:3], " ".join(word[3:]))
        raise LockError(
            f"{name}: the commit {identity} of {who} waits to be confirmed for {left} s more; "
            f"nothing was changed: confirm it, roll it back, or wait"
        )
    reasons = {
        "void": "its id was used before, or asked about and declared void; take a new id",
        "reverted": "its services could not be reloaded in time, so it is taken back",
        "watcher": "the watcher that would take it back did not start",
        "full": f"no room left, or read-only: {detail} cannot be written ({_line(stderr)})",
        "cut": "the candidate arrived cut short",
        "refused": f"uci refused the result: {_line(stderr)}",
        "drifted": f"/etc/config/{detail} changed since the candidate was loaded; load it again",
    }
    if word[0] in reasons:
        raise CommitError(f"{name}: {reasons[word[0]]}; the old config is untouched")


def _assert_same(meant: Config, found: Mapping[str, str], what: str) -> None:
    for name, package in meant.items():
        try:
            same = name in found and parse(found[name], name)[name] == _held(package.name, meant)
        except UciSyntaxError as error:
            raise Refused(f"package {name} is {what}: {error}") from None
        if not same:
            raise Refused(f"package {name} is {what}")


def _held(name: str, config: Config) -> object:
    """A package as uci holds it: without empty options."""
    return parse(format_config({name: config[name]}))[name]


def _heard_out(session: Session, stdout: str, mark: str) -> None:
    """Raise CommandErrorException unless the script said its last word: what is missing in noise
    must not pass for a device without config.
    """
    if ["done"] not in said(stdout, mark):
        raise CommandErrorException(
            f"{session.access.name}: it answers garbage: what came back is not what our script "
            f"says ({len(stdout)} characters); sign in and look at it"
        )


def _files(stdout: str, mark: str) -> dict[str, str]:
    """Files between `MARK name` and a closing `MARK` line."""
    found, opening, closing = {}, f"{mark} ", f"{mark}\n"
    position = stdout.find(opening)
    while position >= 0:
        end_of_name = stdout.find("\n", position)
        end = stdout.find(closing, end_of_name)
        if end_of_name < 0 or end < 0:
            break
        name = stdout[position + len(opening) : end_of_name]
        if PACKAGE_NAME.fullmatch(name) and (position == 0 or stdout[position - 1] == "\n"):
            found[name] = stdout[end_of_name + 1 : end]
            position = end + len(closing)
        else:
            position = end_of_name
        position = stdout.find(opening, position)
    return found


def said(stdout: str, mark: str) -> list[list[str]]:
    """Words of the lines that the script said: `MARK: word …`."""
    return [
        line.removeprefix(f"{mark}:").split()
        for line in stdout.split("\n")
        if line.startswith(f"{mark}: ")
    ]


def _checked(names: Iterable[str]) -> list[str]:
    """Names that may stand in a script: uci allows letters, digits, _ and - only."""
    return [name for name in sorted(names) if PACKAGE_NAME.fullmatch(name)]


def new_mark() -> str:
    """A line's beginning that no config can hold by chance."""
    return f"@@{secrets.token_hex(12)}"


def new_commit_id(age_s: int = 0) -> str:
    """Commit ids sort by time; two in one millisecond differ by their random end."""
    return f"{time.time_ns() // 1_000_000 - age_s * 1000:014x}-{secrets.token_hex(4)}"


def _sweep() -> str:
    """The part of a script that clears away what cut connections left in /tmp long ago."""
    return fill(SWEEP, stale=new_commit_id(STALE_S))


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def one_line(text: str) -> str:
    """Words of ours as one short line that a script may hold."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:120]


def _line(text: str) -> str:
    """Device output as one line that is safe to show."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:300]
