"""Commits on the device after they began: how they stand, confirming one, taking one back."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from napalm.base.exceptions import CommitError, LockError

from napalm_openwrt.agent import FUNCTIONS, STATE, fill
from napalm_openwrt.scripts import CONFIRM, STATE_OF, STATUS, UNDO, by_stdin
from napalm_openwrt.session import Session
from napalm_openwrt.transaction import new_mark, one_line, said

COMMIT_ID = re.compile(r"[0-9a-f]{14}-[0-9a-f]{8}")
STATES = {
    "applying": "pending", "pending": "pending", "confirmed": "confirmed",
    "reverting": "pending", "reverted": "reverted", "unknown": "unknown",
}  # fmt: skip
"""How a commit stands, by its file on the device. One that is being taken back has not ended."""


@dataclass(frozen=True)
class Kept:
    """A commit that the device remembers."""

    id: str
    at: str
    """Its file on the device: a key of `STATES`."""
    remaining_s: int
    """Until it reverts by itself; 0 where it does not, or is at it."""
    owner: str
    message: str

    @property
    def state(self) -> str:
        """`pending`, `confirmed` or `reverted`."""
        return STATES[self.at]

    @property
    def overdue(self) -> bool:
        """Whether it is, or should be, on its way back."""
        return self.state == "pending" and not self.remaining_s


def status(session: Session) -> list[Kept]:
    """Commits that the device remembers, newest first; one without a watcher has one again."""
    told = _ask(session, STATUS)
    if ["done"] not in told:
        raise CommitError(f"{session.access.name}: {STATE} cannot be read")
    found: list[Kept] = []
    for words in told:
        match words:
            case ["commit", identity, at, left] if at in STATES and left.isdecimal():
                found.append(Kept(identity, at, int(left), "", ""))
            case ["owner", *rest] if found:
                found[-1] = Kept(found[-1].id, found[-1].at, found[-1].remaining_s,
                                 " ".join(rest), "")  # fmt: skip
            case ["message", *rest] if found:
                last = found[-1]
                found[-1] = Kept(last.id, last.at, last.remaining_s, last.owner, " ".join(rest))
    return found


def state_of(session: Session, identity: str) -> str:
    """How the commit `identity` stands. `unknown` is for good: it cannot begin any more.

    Raises
    ------
    LockError
        Another session is at it, so nothing can be said yet.
    """
    told = _ask(session, STATE_OF, id=checked(identity))
    return STATES[_state(session, told)]


def confirm(session: Session, identity: str) -> None:
    """Confirm the pending commit `identity`; CommitError where it is not pending any more."""
    told = _ask(session, CONFIRM, id=checked(identity))
    if ["confirmed"] in told:
        return
    name = session.access.name
    if ["late"] in told:
        raise CommitError(f"{name}: too late: the time of commit {identity} is over, it reverts")
    at = _state(session, told)
    words = {"unknown": "was never begun", "confirmed": "is confirmed already",
             "applying": "is not in place yet, or its script died"}  # fmt: skip
    raise CommitError(
        f"{name}: the commit {identity} {words.get(at, 'has reverted')}; there is nothing to "
        f"confirm"
    )


def take_back(session: Session, identity: str, owner: str) -> str:
    """Put back what the commit `identity` replaced, byte for byte, and reload its services.

    Returns how it stands afterwards: `reverted`, or `pending` where the device goes on trying.

    Raises
    ------
    LockError
        Another session is at it.
    CommitError
        Another commit came after it, or no room for the old files; the config is as it was.
    """
    told = _ask(session, UNDO, id=checked(identity), owner=shlex.quote(one_line(owner)))
    for words in told:
        if words[0] == "newer" and words[1:]:
            raise CommitError(
                f"{session.access.name}: the commit {words[1]} came after {identity}; take that "
                "one back first; nothing was changed"
            )
    if ["full"] in told:
        raise CommitError(
            f"{session.access.name}: no room left for the old files; nothing was changed"
        )
    return STATES[_state(session, told)]


def checked(identity: str) -> str:
    """`identity` if it has the form of a commit's id; ValueError where not."""
    if not COMMIT_ID.fullmatch(identity):
        raise ValueError(f"{identity[:40]!r} is no commit id: 14 hex digits, a -, and 8 more")
    return identity


def _ask(session: Session, script: str, **values: str) -> list[list[str]]:
    mark = new_mark()
    script = fill(script, functions=FUNCTIONS, mark=mark, **values)
    return said(session.run(*by_stdin("question", script)).stdout, mark)


def _state(session: Session, told: Sequence[list[str]]) -> str:
    for words in told:
        if words[0] == "locked":
            raise LockError(
                f"{session.access.name}: locked by {' '.join(words[1:])}; try again in a moment"
            )
        if words[0] == "state" and words[1:2] and words[1] in STATES:
            return words[1]
    raise CommitError(f"{session.access.name}: the device does not say how its commit stands")
