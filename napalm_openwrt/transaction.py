"""What happens on the device: reading, staging, committing, reloading, by the scripts' words.

What counts after a commit is the text that stands in /etc/config, never an exit status.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shlex
import time
from collections.abc import Iterable, Mapping, Sequence

from napalm.base.exceptions import CommandErrorException, CommitError, LockError

from napalm_openwrt.scripts import (
    COMMIT,
    FILL_BY_SNAPSHOT,
    FILL_BY_UCI,
    LOCK,
    READ,
    RELOAD,
    SNAPSHOT,
    SNAPSHOTS,
    STAGE,
    STALE_S,
    STATE,
    SWEEP,
)
from napalm_openwrt.session import Session
from napalm_openwrt.uci_text import PACKAGE_NAME, Config, UciSyntaxError, format_config, parse


class Refused(ValueError):  # noqa: N818 - what the device did, not a fault of ours
    """The device's own `uci` did not take a candidate; the message is uci's."""


def read_packages(session: Session, names: Iterable[str] | None = None) -> dict[str, str]:
    """Text of the files of /etc/config: all, or of `names` those that exist."""
    packages = "$(cd /etc/config && ls)" if names is None else " ".join(_checked(names))
    mark = _mark()
    output = session.run(READ % {"packages": packages, "mark": mark})
    if output.status:
        raise CommandErrorException(
            f"{session.access.name}: /etc/config cannot be read: {_line(output.stderr)}"
        )
    return _files(output.stdout, mark)


def stage(session: Session, candidate: Config) -> None:
    """Have the device's own `uci` read `candidate` in a scratch folder; nothing is changed.

    Raises
    ------
    Refused
        uci did not take it, or read it otherwise than we do.
    """
    mark, text = _mark(), format_config(candidate)
    output = session.run(STAGE % {"id": _new_id(), "mark": mark, "sweep": _sweep()}, text)
    if output.status or f"{mark}: refused" in output.stdout:
        raise Refused(_line(output.stderr) or "the scratch folder /tmp cannot be written")
    _assert_same(candidate, _files(output.stdout, mark), "read otherwise by the device's uci")


def commit(session: Session, result: Config, base: Mapping[str, str], *, owner: str = "") -> str:
    """Put `result` in place if /etc/config still is `base`; return the commit's id.

    Parameters
    ----------
    result
        The packages as they shall be.
    base
        Text of each touched file when the result was computed; a missing key is a missing file.
    owner
        Who holds the lock meanwhile, for the message to others.

    Raises
    ------
    LockError
        Another session is at it.
    CommitError
        Nothing was changed (flash full, a file changed meanwhile, …); or the text that stands
        there afterwards is not the one meant, and the message says so.
    """
    identity = _new_id()
    found = _replace_files(
        session, identity, sorted(result), base, owner=owner, text=format_config(result)
    )
    assert_running(session, result, found)
    return identity


def restore(session: Session, snapshot: str, files: Mapping[str, str | None], owner: str) -> None:
    """Put back the files of `snapshot`, byte for byte, and use it up; raises like `commit`."""
    base = read_packages(session, files)
    found = _replace_files(session, _new_id(), sorted(files), base, owner=owner, snapshot=snapshot)
    if found != {name: text for name, text in files.items() if text is not None}:
        raise CommitError(f"{session.access.name}: after the rollback the files differ from its "
                          f"snapshot {snapshot} in {STATE}; look at them")  # fmt: skip


def _replace_files(
    session: Session, identity: str, packages: Sequence[str], base: Mapping[str, str],
    *, owner: str, text: str = "", snapshot: str = "",
) -> dict[str, str]:  # fmt: skip
    """Run the script that changes /etc/config; return the files' texts afterwards."""
    mark = _mark()
    script = COMMIT % {
        "id": identity, "lock": LOCK, "state": STATE, "mark": mark, "keep": SNAPSHOTS,
        "sweep": _sweep(),
        "packages": " ".join(_checked(packages)),
        "owner": shlex.quote(" ".join(owner.split())[:80] or "another session"),
        "input_sum": _sum(text),
        "fill": FILL_BY_SNAPSHOT % snapshot if snapshot else FILL_BY_UCI,
        "checks": "\n".join(
            f'[ "$(sum /etc/config/{p})" = {_sum(base[p]) if p in base else "absent"} ] '
            f"|| stop drifted {p}"
            for p in packages
        ),
        "drop": f'rm -rf "$state/{snapshot}" "$state/$id"' if snapshot else "",
    }  # fmt: skip
    output = session.run(script, text)
    _raise_for(session, _said(output.stdout, mark), output.stderr)
    return _files(output.stdout, mark)


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
    mark = _mark()
    script = RELOAD % {"id": _new_id(), "mark": mark, "packages": " ".join(_checked(packages))}
    said = _said(session.run(script).stdout, mark)
    failed = " ".join(words[1] for words in said if words[0] == "failed" and words[1:])
    if failed or ["done"] not in said:
        raise CommitError(
            f"{session.access.name}: the config is in place, but "
            + (f"these services did not reload: {failed}; look at the device's log"
               if failed else "the script that reloads its services broke off")
        )  # fmt: skip


def last_snapshot(session: Session) -> tuple[str, dict[str, str | None]] | None:
    """Id of the newest snapshot, and its files' texts (None: the file did not exist)."""
    mark = _mark()
    output = session.run(SNAPSHOT % {"state": STATE, "mark": mark})
    said = _said(output.stdout, mark)
    identity = next((words[1] for words in said if words[0] == "id" and words[1:]), None)
    if identity is None or not re.fullmatch(r"[0-9a-f-]+", identity):
        return None
    files: dict[str, str | None] = {w[1]: None for w in said if w[0] == "absent" and w[1:]}
    files.update(_files(output.stdout, mark))
    return identity, files


def _raise_for(session: Session, said: list[list[str]], stderr: str) -> None:
    """Turn the script's last word into an exception, unless it is `done`."""
    known = {"done", "locked", "full", "cut", "refused", "drifted"}
    word = next((words for words in said if words[0] in known), None)
    name = session.access.name
    if word is None:
        raise CommitError(f"{name}: the commit script broke off: {_line(stderr) or 'no word'}")
    detail = " ".join(word[1:])
    if word[0] == "locked":
        raise LockError(f"{name}: locked by {detail}; nothing was changed, try again in a moment")
    reasons = {
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


def _files(stdout: str, mark: str) -> dict[str, str]:
    """Files between `MARK name` and a closing `MARK` line."""
    pattern = rf"^{mark} ([A-Za-z0-9_-]+)\n(.*?){mark}\n"
    return {m[1]: m[2] for m in re.finditer(pattern, stdout, re.MULTILINE | re.DOTALL)}


def _said(stdout: str, mark: str) -> list[list[str]]:
    """Words of the lines that the script said: `MARK: word …`."""
    return [
        line.removeprefix(f"{mark}:").split()
        for line in stdout.split("\n")
        if line.startswith(f"{mark}: ")
    ]


def _checked(names: Iterable[str]) -> list[str]:
    """Names that may stand in a script: uci allows letters, digits, _ and - only."""
    return [name for name in sorted(names) if PACKAGE_NAME.fullmatch(name)]


def _mark() -> str:
    """A line's beginning that no config can hold by chance."""
    return f"@@{secrets.token_hex(12)}"


def _new_id(age_s: int = 0) -> str:
    """Commit ids sort by time; two in one millisecond differ by their random end."""
    return f"{time.time_ns() // 1_000_000 - age_s * 1000:014x}-{secrets.token_hex(4)}"


def _sweep() -> str:
    """The part of a script that clears away what cut connections left in /tmp long ago."""
    return SWEEP % {"stale": _new_id(STALE_S)}


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _line(text: str) -> str:
    """Device output as one line that is safe to show."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:300]
